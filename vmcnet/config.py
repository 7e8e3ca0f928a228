"""Job files: the only list of keys, their types, defaults and meaning. Validation, --set, and the generated reference page."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator


class JobError(ValueError):
    """One line that names the key, what was expected and what was found."""


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Positive = Annotated[float, Field(gt=0, strict=False)]


class QuantumDotTable(Table):
    """Electrons in a parabolic trap."""

    type: Literal["quantum_dot"]
    particles: int = Field(2, ge=1, le=2, description="number of electrons; more than 2 need an antisymmetric wavefunction")
    dimensions: Literal[1, 2, 3] = Field(2, description="dimensions of space")
    omega: Positive = Field(1.0, description="trap frequency, hartree")
    interaction: Literal["coulomb", "none"] = Field("coulomb", description="repulsion between the electrons")


class TrappedBosonsTable(Table):
    """Ideal gas of bosons in a harmonic trap."""

    type: Literal["trapped_bosons"]
    particles: int = Field(ge=1, le=10_000, description="number of bosons")
    dimensions: Literal[1, 2, 3] = Field(3, description="dimensions of space")
    omega: Positive = Field(1.0, description="trap frequency")


class GaussianRBMTable(Table):
    """Gaussian-binary restricted Boltzmann machine."""

    type: Literal["gaussian_rbm"]
    hidden: int = Field(4, ge=1, le=1_000_000, description="hidden units")
    form: Literal["F", "sqrtF"] = Field("F", description="psi = F or its square root")
    spread: Positive = Field(0.01, description="width of the random starting weights")


class GaussianEnvelopeTable(Table):
    """exp(-alpha sum r^2)."""

    type: Literal["gaussian_envelope"]
    alpha: Positive | None = Field(None, description="starting exponent; the oscillator's when absent")


class PadeJastrowTable(Table):
    """exp sum c r/(1 + beta r) over pairs, with the electron-electron cusp."""

    type: Literal["pade_jastrow"]
    beta: Positive = Field(1.0, description="starting beta")


class SamplingTable(Table):
    """Metropolis walkers."""

    walkers: int = Field(1024, ge=2, le=100_000_000, description="walkers on all ranks together, a multiple of block")
    block: int = Field(128, ge=1, le=1_000_000, description="walkers a block: unit of ownership, randomness and arithmetic")
    steps: int = Field(10, ge=1, le=1_000_000, description="Metropolis steps an iteration")
    warmup: int = Field(50, ge=0, le=10_000_000, description="warm-up iterations before training, the step size is tuned in them")
    proposal: Literal["gaussian"] = Field("gaussian", description="how moves are proposed")
    step_size: Positive = Field(1.0, description="first step size, in units of the system's length")

    @model_validator(mode="after")
    def _blocks(self):
        if self.walkers % self.block:
            nearest = self.block * max(1, round(self.walkers / self.block))
            raise ValueError(f"walkers = {self.walkers} is no multiple of block = {self.block}: use walkers = {nearest}")
        return self


class SGDTable(Table):
    """Gradient descent."""

    type: Literal["sgd"]
    learning_rate: Positive = Field(0.01, description="step along the gradient")


class AdamTable(Table):
    """Adam."""

    type: Literal["adam"]
    learning_rate: Positive = Field(0.01, description="step size")
    beta1: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="decay of the mean")
    beta2: Annotated[float, Field(ge=0, lt=1)] = Field(0.999, description="decay of the mean square")
    epsilon: Positive = Field(1e-8, description="floor of the denominator")


class TrainingTable(Table):
    """Training."""

    iterations: int = Field(300, ge=0, le=100_000_000, description="optimizer steps; may grow at resume")


class EvaluationTable(Table):
    """Evaluation with frozen parameters after training."""

    steps: int = Field(2000, ge=0, le=100_000_000, description="measurements; 0: no evaluation after training")
    interval: int = Field(5, ge=1, le=1_000_000, description="Metropolis steps between measurements")
    warmup: int = Field(50, ge=0, le=10_000_000, description="measurements' worth of equilibration")


class RunTable(Table):
    """How the run is carried out; nothing here but `threads` changes a number."""

    threads: int = Field(1, ge=1, le=4096, description="BLAS threads a rank; other values give other bits")
    checkpoint_every: int = Field(50, ge=1, le=100_000_000, description="iterations (measurements) between checkpoints")
    checkpoint_minutes: Positive = Field(10.0, description="and at the latest after so many minutes")
    wall_time: float | str | None = Field(None, description="stop with a checkpoint after seconds, or 'HH:MM:SS'")

    @field_validator("wall_time", mode="before")
    @classmethod
    def _seconds(cls, value):
        if isinstance(value, str):
            if not re.fullmatch(r"(\d+:)?\d{1,2}:\d{2}", value):
                raise ValueError("expected seconds or 'HH:MM:SS'")
            parts = [int(p) for p in value.split(":")]
            value = sum(p * 60**k for k, p in enumerate(reversed(parts)))
        if isinstance(value, bool) or value is not None and not isinstance(value, int | float):
            raise ValueError("expected seconds or 'HH:MM:SS'")
        if value is not None and not value > 0:
            raise ValueError("expected a time above 0")
        return None if value is None else float(value)


SystemTable = Annotated[Union[QuantumDotTable, TrappedBosonsTable], Field(discriminator="type")]
WavefunctionTable = Annotated[Union[GaussianRBMTable, GaussianEnvelopeTable, PadeJastrowTable], Field(discriminator="type")]
OptimizerTable = Annotated[Union[SGDTable, AdamTable], Field(discriminator="type")]


class Job(Table):
    """A job file."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)] = Field(
        description="name of the job; the run file is runs/NAME.h5 unless --output says otherwise")
    seed: int = Field(ge=0, lt=2**63, description="seed of all random numbers")
    system: SystemTable = Field(description="what is simulated")
    wavefunction: list[WavefunctionTable] = Field(min_length=1, description="factors of the trial wavefunction")
    sampling: SamplingTable = Field(SamplingTable(), description="Metropolis walkers")
    optimizer: OptimizerTable = Field(AdamTable(type="adam"), description="how parameters move")
    training: TrainingTable = Field(TrainingTable(), description="training")
    evaluation: EvaluationTable = Field(EvaluationTable(), description="evaluation after training")
    run: RunTable = Field(RunTable(), description="how the run is carried out")


CHANGEABLE = ("training.iterations", "evaluation.", "run.checkpoint_every", "run.checkpoint_minutes", "run.wall_time")


def load_job(path: Path, settings: list[str] = ()) -> Job:
    """Read and validate a job file with --set overrides; raises JobError."""
    try:
        text = Path(path).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise JobError(f"{path}: cannot be read ({reason})") from error
    return parse_job(text, settings, str(path))


def parse_job(text: str, settings=(), source: str = "job") -> Job:
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise JobError(f"{source}: not valid TOML: {' '.join(str(error).split())}") from error
    for setting in settings:
        _apply(data, setting)
    try:
        return Job.model_validate(data)
    except ValidationError as error:
        raise JobError(f"{source}: {_explain(error)}") from None


def _apply(data: dict, setting: str) -> None:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise JobError(f"--set {setting}: expected table.key=value, for example --set optimizer.learning_rate=0.02")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    node, *rest = data, *key.strip().split(".")
    for part in rest[:-1]:
        node = _child(node, part, key)
    if isinstance(node, list):
        raise JobError(f"--set {key}: {rest[-2]} is a list; name the factor by its number, {rest[-2]}.0.{rest[-1]}")
    if not isinstance(node, dict):
        raise JobError(f"--set {key}: {'.'.join(rest[:-1])} is no table")
    node[rest[-1]] = parsed


def _child(node, part, key):
    if isinstance(node, list):
        if not part.isdigit() or int(part) >= len(node):
            raise JobError(f"--set {key}: {part!r} is no entry of a list of {len(node)}")
        return node[int(part)]
    if not isinstance(node, dict):
        raise JobError(f"--set {key}: {part!r} is inside a value that is no table")
    return node.setdefault(part, {})


def _known_keys(location) -> list[str]:
    model = Job
    for part in location:
        if isinstance(part, int) or model is None:
            continue
        tables = _tables(model)
        if part in tables:
            model = tables[part]
        elif isinstance(model, type) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            model = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else _Variants(_variants(annotation))
    return list(model.model_fields) if isinstance(model, type) else []


class _Variants(dict):
    pass


def _tables(model) -> dict:
    return model if isinstance(model, _Variants) else {}


def _variants(annotation) -> dict:
    """type name -> table model, for a union of tables or a list of them."""
    found = {}
    for part in [annotation, *getattr(annotation, "__args__", ())]:
        if isinstance(part, type) and issubclass(part, BaseModel):
            if "type" in part.model_fields:
                found[part.model_fields["type"].annotation.__args__[0]] = part
        elif part is not annotation:
            found.update(_variants(part))
    return found


def _explain(error: ValidationError) -> str:
    """The first problem, unknown keys first, in one line."""
    problems = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    problem = problems[0]
    location = problem["loc"]
    names = {"quantum_dot", "trapped_bosons", "gaussian_rbm", "gaussian_envelope", "pade_jastrow", "sgd", "adam"}
    key = ".".join(str(p) for k, p in enumerate(location) if not (p in names and k)) or "job"
    found = f", found {json.dumps(problem['input'], default=str)[:60]}" if problem["type"] != "missing" else ""
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(location[-1]), _known_keys(location[:-1]), 1, 0.5)
        known = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(_known_keys(location[:-1]))}"
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


def job_text(job: Job) -> str:
    """The resolved job, all defaults written out, as TOML."""
    data = job.model_dump(exclude_none=True)
    lines = [f"{k} = {json.dumps(v)}" for k, v in data.items() if not isinstance(v, dict | list)]
    for table, content in data.items():
        for entry in content if isinstance(content, list) else [content] if isinstance(content, dict) else []:
            lines += ["", f"[[{table}]]" if isinstance(content, list) else f"[{table}]"]
            lines += [f"{k} = {json.dumps(v)}" for k, v in entry.items()]
    return "\n".join(lines) + "\n"


def changed_keys(old: Job, new: Job) -> list[str]:
    """Dotted keys whose values differ."""

    def flat(value, prefix=""):
        if isinstance(value, dict):
            return {k2: v2 for k, v in value.items() for k2, v2 in flat(v, f"{prefix}.{k}" if prefix else k).items()}
        if isinstance(value, list):
            return {k2: v2 for k, v in enumerate(value) for k2, v2 in flat(v, f"{prefix}.{k}").items()}
        return {prefix: value}

    a, b = flat(old.model_dump()), flat(new.model_dump())
    return sorted(k for k in set(a) | set(b) if a.get(k) != b.get(k))


def check_resume(old: Job, new: Job, iteration: int) -> None:
    """Raise JobError unless only keys that may change at resume differ."""
    for key in changed_keys(old, new):
        if not key.startswith(CHANGEABLE):
            raise JobError(f"{key} may not change at resume (only {', '.join(c.rstrip('.') for c in CHANGEABLE)}): start a new run")
    if new.training.iterations < iteration:
        raise JobError(f"training.iterations = {new.training.iterations} is below the {iteration} iterations already done")


def reference_page() -> str:
    """All keys of a job file as Markdown, from the validator itself."""
    out = ["# Keys of a job file", "", "Generated by `vmcnet check --reference`; do not edit.", ""]

    def rows(model):
        yield "| key | type | default | meaning |"
        yield "|---|---|---|---|"
        for name, info in model.model_fields.items():
            default = "required" if info.is_required() else _default(info.default)
            yield f"| `{name}` | {_type(info)} | {default} | {info.description or ''} |"

    out += [*rows(Job), ""]
    for name, info in Job.model_fields.items():
        variants = _variants(info.annotation)
        if variants:
            for tag, model in variants.items():
                title = f"[[{name}]]" if name == "wavefunction" else f"[{name}]"
                out += [f"## `{title}` type = \"{tag}\"", "", model.__doc__, "", *rows(model), ""]
        elif isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            out += [f"## `[{name}]`", "", info.annotation.__doc__, "", *rows(info.annotation), ""]
    return "\n".join(out)


def _default(value) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    return "none" if value is None else f"`{json.dumps(value)}`"


def _type(info) -> str:
    if _variants(info.annotation):
        return "list of tables" if "list" in str(info.annotation) else "table"
    text = str(info.annotation)
    literal = re.search(r"Literal\[(.*?)\]", text)
    if literal:
        return " or ".join(f"`{p.strip()}`".replace("'", '"') for p in literal[1].split(","))
    if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
        return "table"
    names = [n for n in ("int", "float", "str") if re.search(rf"\b{n}\b", text)]
    words = {"int": "integer", "float": "number", "str": "text"}
    limits = []
    for item in info.metadata:
        for sign, attribute in ((">", "gt"), (">=", "ge"), ("<", "lt"), ("<=", "le")):
            if getattr(item, attribute, None) is not None:
                limits.append(f"{sign} {getattr(item, attribute)}")
    return " or ".join(words[n] for n in names) + (f", {', '.join(limits)}" if limits else "")
