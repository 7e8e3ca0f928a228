"""Validation errors as one line."""

from __future__ import annotations

import difflib
import json

from pydantic import BaseModel, ValidationError


class JobError(ValueError):
    """One line that names the key, what was expected and what was found."""


def _known_keys(model, location) -> list[str]:
    for part in location:
        if isinstance(part, int) or model is None:
            continue
        tables = _tables(model)
        if part in tables:
            model = tables[part]
        elif isinstance(model, type) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            model = (
                annotation
                if isinstance(annotation, type) and issubclass(annotation, BaseModel)
                else _Variants(variants(annotation))
            )
    return list(model.model_fields) if isinstance(model, type) else []


class _Variants(dict):
    pass


def _tables(model) -> dict:
    return model if isinstance(model, _Variants) else {}


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


def _tags(model) -> set:
    """The types of all tables below a table."""
    found = set()
    for info in model.model_fields.values():
        for tag, table in variants(info.annotation).items():
            found |= {tag} | _tags(table)
    return found


def explain(error: ValidationError, root: type[BaseModel]) -> str:
    """The first problem, unknown keys first, in one line."""
    problems = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    problem = problems[0]
    location = problem["loc"]
    names = _tags(root)
    key = ".".join(str(p) for k, p in enumerate(location) if not (p in names and k)) or "job"
    found = (
        f", found {json.dumps(problem['input'], default=str)[:60]}"
        if problem["type"] != "missing"
        else ""
    )
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(
            str(location[-1]), _known_keys(root, location[:-1]), 1, 0.5
        )
        known = (
            f"did you mean {near[0]!r}?"
            if near
            else f"known keys: {', '.join(_known_keys(root, location[:-1]))}"
        )
        return f"{key}: unknown key; {known}"
    if problem["type"] == "missing":
        return f"{key}: this key is required and absent"
    if problem["type"] == "union_tag_invalid":
        tags = problem["ctx"]["expected_tags"].replace("'", "")
        tag = problem["ctx"]["tag"]
        near = difflib.get_close_matches(tag, tags.split(", "), 1, 0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{key}.type: expected one of {tags}, found {tag!r}{hint}"
    if problem["type"] == "union_tag_not_found":
        return f"{key}.type: this key is required and absent"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return " ".join(f"{key}: {message}{found if problem['type'] != 'value_error' else ''}".split())
