"""A job: reading, --set, the resolved text, what may change at resume."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Annotated

import tomli_w
from pydantic import Field, StringConstraints, ValidationError, model_validator

from vmcnet.arguments import shown
from vmcnet.config.explain import JobError, explain, invalid_text, short
from vmcnet.config.natural_gradient import NaturalGradientTable
from vmcnet.config.observables import ObservableTable
from vmcnet.config.optimizers import AdamTable, OptimizerTable
from vmcnet.config.run import DataTable, EvaluationTable, RunTable, TrainingTable
from vmcnet.config.sampling import SamplingTable
from vmcnet.config.systems import SystemTable
from vmcnet.config.table import Table
from vmcnet.config.twists import TwistsTable
from vmcnet.config.user import written_out
from vmcnet.config.wavefunctions import WavefunctionTable
from vmcnet.storage.sealed import kind_of


class Job(Table):
    """A job file."""

    name: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
    ] = Field(
        description="name of the job; the run file is runs/NAME.h5 unless --output says otherwise"
    )
    seed: int = Field(ge=0, lt=2**63, description="seed of all random numbers")
    system: SystemTable = Field(description="what is simulated")
    wavefunction: list[WavefunctionTable] = Field(
        min_length=1, description="factors of the trial wavefunction"
    )
    sampling: SamplingTable = Field(SamplingTable(), description="Metropolis walkers")
    optimizer: OptimizerTable = Field(AdamTable(type="adam"), description="how parameters move")
    natural_gradient: NaturalGradientTable | None = Field(
        None, description="metric by which the gradient is turned before the optimizer takes it"
    )
    training: TrainingTable = Field(TrainingTable(), description="training")
    data: DataTable | None = Field(
        None,
        description="samples to learn from by maximum likelihood, instead of an energy to lower",
    )
    twists: TwistsTable | None = Field(
        None, description="one run for every twist of a periodic box, and their average"
    )
    evaluation: EvaluationTable = Field(EvaluationTable(), description="evaluation after training")
    observable: list[ObservableTable] = Field(
        [], description="what evaluations measure beside what the system measures by itself"
    )
    run: RunTable = Field(RunTable(), description="how the run is carried out")

    def __repr__(self) -> str:
        factors = " x ".join(table.type for table in self.wavefunction)
        return f"<job {self.name}: {self.system.type}, {factors}>"

    @model_validator(mode="after")
    def _growth(self):
        before, block = self.sampling.walkers, self.sampling.block
        for k, entry in enumerate(self.training.growth):
            if entry.walkers <= before or entry.walkers % block:
                raise ValueError(
                    f"training.growth.{k}.walkers = {entry.walkers}: expected a multiple of "
                    f"sampling.block = {block}, more than the {before} before"
                )
            before = entry.walkers
        return self


LARGEST_FILE = 4_000_000  # bytes of a job file
DEEPEST = 20  # tables and lists inside one another
LISTS = ("wavefunction", "observable")  # tables that may stand several times

CHANGEABLE = (
    "data.file",  # the run file has its SHA-256
    "training.iterations",
    "training.rollbacks",
    "evaluation.",
    "observable",
    "run.checkpoint_every",
    "run.checkpoint_minutes",
    "run.watchdog_minutes",
    "run.wall_time",
)


FOLDER = Path(__file__).parents[1] / "jobs"  # the job files that come with vmcnet


def load_job(path: Path, settings: list[str] = ()) -> Job:
    """Read and validate a job file with --set overrides; raises JobError."""
    try:
        about = os.stat(path)
        if stat.S_ISDIR(about.st_mode):
            raise JobError(f"{path}: cannot be read (Is a directory)")
        if not stat.S_ISREG(about.st_mode):
            raise JobError(f"{path}: cannot be read (not a regular file): expected a TOML text")
        if about.st_size > LARGEST_FILE:
            raise JobError(
                f"{path}: {about.st_size / 1e6:.0f} MB is no job file; expected a TOML text of at "
                f"most {LARGEST_FILE / 1e6:.0f} MB"
            )
        text = Path(path).read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, JobError):
            raise
        if kind_of(Path(path)) == "run file":
            raise JobError(
                f"{path}: cannot be read (not UTF-8 text): vmcnet resume {path} goes on with a "
                "run file"
            ) from None
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        if not isinstance(error, UnicodeDecodeError | OSError):
            reason = "not a path"
        shipped = FOLDER / f"{Path(path).name.removesuffix('.toml')}.toml"
        fix = ""
        if isinstance(error, FileNotFoundError) and shipped.name != ".toml" and shipped.is_file():
            fix = f"; it comes with vmcnet: vmcnet jobs {shipped.stem} copies it here"
        raise JobError(f"{path}: cannot be read ({reason}){fix}") from error
    return parse_job(text, settings, str(path), Path(path).parent)


def parse_job(text: str, settings=(), source: str = "job", folder: Path | None = None) -> Job:
    """A job of TOML text with --set overrides; raises JobError that names `source`.

    With `folder`, that of a job file, relative names of files in it become absolute: below that
    folder where the text says it, below the current one where a setting does.
    """
    try:
        data = tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise JobError(f"{source}: not valid TOML: {invalid_text(error, LISTS)}") from error
    if _depth(data) > DEEPEST:
        raise JobError(f"{source}: tables and lists are nested more than {DEEPEST} deep")
    if folder:
        _anchor(data, folder)
    for setting in settings:
        _apply(data, setting)
    if folder:
        _anchor(data, Path())
    written_out(data, folder)
    try:
        return Job.model_validate(data)
    except UnicodeEncodeError:
        raise JobError(f"{source}: a text holds a character that is no Unicode") from None
    except ValidationError as error:
        raise JobError(f"{source}: {explain(error, Job)}") from None


FILES = (("data", "file"), ("training", "start_from"))


def _depth(value) -> int:
    """How deep tables and lists are nested, without recursion; at most DEEPEST + 1."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        inner = [
            x.values() if isinstance(x, dict) else x for x in level if isinstance(x, dict | list)
        ]
        level = [y for x in inner for y in x]
        depth += bool(inner)
    return depth


def _anchor(data: dict, folder: Path) -> None:
    for name, key in FILES:
        table = data.get(name)
        if isinstance(table, dict) and isinstance(table.get(key), str) and table[key]:
            table[key] = os.path.abspath(folder / table[key])


def _apply(data: dict, setting: str) -> None:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise JobError(
            f"--set {short(setting)}: expected table.key=value, for example --set "
            "optimizer.learning_rate=0.02"
        )
    if re.search(r"\w\[\d+\]", key):
        dotted = re.sub(r"\[(\d+)\]", r".\1", key.strip())
        raise JobError(f"--set {short(key)}: numbers of a list stand between dots: {short(dotted)}")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    except (ValueError, RecursionError) as error:
        raise JobError(f"--set {short(key)}: {shown(value)} is no value of TOML") from error
    if _depth(parsed) > DEEPEST or key.count(".") > DEEPEST:
        raise JobError(f"--set {short(key)}: nested more than {DEEPEST} deep")
    node, *rest = data, *key.strip().split(".")
    if len(rest) > 1:
        _default_table(data, rest)
    for part in rest[:-1]:
        node = _child(node, part, key)
    if isinstance(node, list):
        raise JobError(
            f"--set {key}: {rest[-2]} is a list; name the factor by its number, "
            f"{rest[-2]}.0.{rest[-1]}"
        )
    if not isinstance(node, dict):
        raise JobError(f"--set {key}: {'.'.join(rest[:-1])} is no table")
    node[rest[-1]] = parsed


def _default_table(data, parts) -> None:
    """A table that is absent, but there by default with a type, takes that type before a key is set
    in it.
    """
    info = Job.model_fields.get(parts[0])
    if (
        info is None
        or parts[0] in data
        or parts[1] == "type"
        or not isinstance(info.default, Table)
    ):
        return
    if "type" in type(info.default).model_fields:
        data[parts[0]] = {"type": dict(info.default)["type"]}


def _child(node, part, key):
    if isinstance(node, list):
        if not part.isdigit() or int(part) >= len(node):
            raise JobError(f"--set {key}: {part!r} is no entry of a list of {len(node)}")
        return node[int(part)]
    if not isinstance(node, dict):
        raise JobError(f"--set {key}: {part!r} is inside a value that is no table")
    return node.setdefault(part, {})


def job_text(job: Job) -> str:
    """The resolved job, all defaults written out, as TOML."""
    return tomli_w.dumps(job.model_dump(exclude_none=True))


def evaluation_plan(values: dict) -> EvaluationTable:
    """The table of an evaluation that is asked for; raises JobError in the words of the options."""
    for name, least in (("steps", 2), ("interval", 1), ("warmup", 0)):
        if values[name] < least:
            raise JobError(f"--{name} {values[name]}: expected at least {least}")
    try:
        return EvaluationTable.model_validate(values)
    except ValidationError as error:
        key, colon, why = explain(error, EvaluationTable).partition(":")
        raise JobError(f"--{key.replace('_', '-')}{colon}{why}") from None


def changed_keys(old: Job, new: Job) -> list[str]:
    """Dotted keys whose values differ."""

    def flat(value, prefix=""):
        if isinstance(value, dict):
            return {
                k2: v2
                for k, v in value.items()
                for k2, v2 in flat(v, f"{prefix}.{k}" if prefix else k).items()
            }
        if isinstance(value, list):
            return {
                k2: v2 for k, v in enumerate(value) for k2, v2 in flat(v, f"{prefix}.{k}").items()
            }
        return {prefix: value}

    a, b = flat(old.model_dump()), flat(new.model_dump())
    return sorted(k for k in set(a) | set(b) if a.get(k) != b.get(k))


def inherited(old, new, prefix: str = ""):
    """`new` with the values of `old` where its text does not say a key: what was written out when
    the run began stays, though a default may have changed since. Keys that may change at resume
    are those of `new`, and a table that is absent stays absent.
    """
    if type(old) is not type(new):
        return new
    update = {}
    for name in type(new).model_fields:
        # keys of a table are attributes of its model
        a, b, key = getattr(old, name), getattr(new, name), f"{prefix}{name}"
        if key.startswith(CHANGEABLE) or f"{key}." in CHANGEABLE:
            continue
        said = name in new.model_fields_set
        if isinstance(a, Table):
            same = type(a) is type(b) and not said
            update[name] = a if same else inherited(a, b, f"{key}.")
        elif isinstance(b, list) and said and len(a or ()) == len(b):
            update[name] = [
                inherited(x, y, f"{key}.{k}.") if isinstance(y, Table) else y
                for k, (x, y) in enumerate(zip(a, b, strict=True))
            ]
        elif not said:
            update[name] = a
    return new.model_copy(update=update)


def check_resume(old: Job, new: Job, iteration: int) -> None:
    """Raise JobError unless only keys that may change at resume differ."""
    found = ["data"] if (old.data is None) != (new.data is None) else []
    for key in [*found, *changed_keys(old, new)]:
        if not key.startswith(CHANGEABLE):
            raise JobError(
                f"{key} may not change at resume (only "
                f"{', '.join(c.rstrip('.') for c in CHANGEABLE)}): start a new run"
            )
    if new.training.iterations < iteration:
        raise JobError(
            f"training.iterations = {new.training.iterations} is below the {iteration} iterations "
            "already done"
        )
