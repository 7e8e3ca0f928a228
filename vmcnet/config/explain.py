"""Validation errors as one line."""

from __future__ import annotations

import json

from pydantic import BaseModel, ValidationError

from vmcnet.arguments import closest, closest_hint, shown

SCALARS = ("float", "int", "str", "bool")


class JobError(ValueError):
    """One line that names the key, what was expected and what was found."""


def variants(annotation) -> dict:
    """type name -> table model, for a union of tables or a list of them."""
    found = {}
    # unions and lists have __args__, classes have none
    for part in [annotation, *getattr(annotation, "__args__", ())]:
        if isinstance(part, type) and issubclass(part, BaseModel):
            if "type" in part.model_fields:
                found[part.model_fields["type"].annotation.__args__[0]] = part
        elif part is not annotation:
            found.update(variants(part))
    return found


def _inside(annotation) -> list:
    """The tables that an annotation may mean."""
    # as above
    parts = [annotation, *getattr(annotation, "__args__", ())]
    found = [p for p in parts if isinstance(p, type) and issubclass(p, BaseModel)]
    return found + [t for p in parts[1:] for t in _inside(p) if t not in found]


def _walked(root, location) -> tuple[list, list]:
    """The keys of a location, without the types of tables that stand between them; and the tables
    that it may lie in or be.
    """
    names, models, tags = [], [root], {}
    for part in location:
        if part in tags and not isinstance(part, int):
            models, tags = [tags[part]], {}
            continue
        # which of several kinds a value was tried as
        if (not models and part in SCALARS) or str(part).startswith("literal["):
            continue
        kind = next((m for m in models if m.__name__ == part), None)
        if kind is not None:
            models = [kind]
            continue
        names.append(str(part))
        if isinstance(part, int):
            continue
        found = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        models = [t for annotation in found for t in _inside(annotation)]
        tags = {tag: t for annotation in found for tag, t in variants(annotation).items()}
    return names, models


def _known_keys(root, location) -> list[str]:
    models = _walked(root, location)[1]
    return list(models[0].model_fields) if len(models) == 1 else []


def short(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _found(value) -> str:
    """A value for a message, in a few characters."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return short(json.dumps(value), 60)
    return shown(value)


def invalid_text(error: Exception, lists=()) -> str:
    """Why a text is no TOML, with the fix of what is common."""
    text = " ".join(str(error).split())
    if isinstance(error, RecursionError):
        return "nested too deep"
    if "4300 digits" in text:
        return "a number of more than 4300 digits"
    for name in lists:
        if f"'{name}'" in text and ("twice" in text or "overwrite" in text):
            text += f": write [[{name}]], in double brackets, for each of several"
    return short(text, 300)


def _homes(root, key: str) -> list[str]:
    """The tables of a job that know a key."""
    found = []
    for name, info in root.model_fields.items():
        kinds = list(variants(info.annotation).values())
        parts = [info.annotation, *getattr(info.annotation, "__args__", ())]  # a union has parts
        kinds += [p for p in parts if isinstance(p, type) and issubclass(p, BaseModel)]
        if any(key in kind.model_fields for kind in kinds):
            found.append(f"[[{name}]]" if "list[" in str(info.annotation) else f"[{name}]")
    return list(dict.fromkeys(found))


def explain(error: ValidationError, root: type[BaseModel]) -> str:
    """The first problem, unknown keys first, in one line."""
    problems = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    problem = problems[0]
    location = problem["loc"]
    key = ".".join(_walked(root, location)[0]) or "job"
    found = f", found {_found(problem['input'])}" if problem["type"] != "missing" else ""
    if problem["type"] == "extra_forbidden":
        keys = _known_keys(root, location[:-1])
        near = closest(str(location[-1]), keys)
        known = f"did you mean {near!r}?" if near else f"known keys: {', '.join(keys)}"
        homes = _homes(root, str(location[-1])) if len(location) < 4 else []
        if homes and f"[{location[0]}]" not in homes and f"[[{location[0]}]]" not in homes:
            known = f"it belongs to {' or '.join(homes[:3])}"
        return f"{short(key)}: unknown key; {known}"
    if problem["type"] == "missing":
        return f"{key}: this key is required and absent"
    if problem["type"] == "union_tag_invalid":
        tags = problem["ctx"]["expected_tags"].replace("'", "").split(", ")
        tag, hint = problem["ctx"]["tag"], closest_hint(problem["ctx"]["tag"], tags)
        if "user" in tags:
            tags[tags.index("user")] = 'or "module:Class" of your own'
        expected = f"expected one of {', '.join(tags)}"
        return f"{short(key)}.type: {expected}, found {short(repr(tag), 60)}{hint}"
    if problem["type"] == "union_tag_not_found":
        return f"{key}.type: this key is required and absent"
    if key == "name" and problem["type"] == "string_pattern_mismatch":
        return (
            "name: expected letters, digits, dots, hyphens and underscores, beginning with a "
            f"letter or digit{found}"
        )
    if problem["type"] == "list_type" and isinstance(problem["input"], dict) and len(location) == 1:
        return f"{key}: expected a valid list{found}: write [[{key}]], in double brackets"
    alone = len(location) == 1 and key in root.model_fields
    alone = alone and "list[" not in str(root.model_fields[key].annotation)
    if alone and isinstance(problem["input"], list):
        return f"{key}: expected one table, found a list: write [{key}], in single brackets"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    message, key = short(message, 300), short(key)
    return " ".join(f"{key}: {message}{found if problem['type'] != 'value_error' else ''}".split())
