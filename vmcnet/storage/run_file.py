"""The run file: series, evaluations and where they come from, readable with plain h5py at any
moment.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import socket
import subprocess
import time
from array import array
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vmcnet.storage.atomic import FileProblem, keep
from vmcnet.storage.layout import ATTRIBUTES, entry_of
from vmcnet.storage.paths import existing, folder_of, previous_run, resolved
from vmcnet.storage.sealed import read_sealed, write_sealed
from vmcnet.storage.tree import Schema
from vmcnet.version import VERSION

SCHEMA = 1
INTERVAL, SHARE = 10.0, 0.01  # rewrite at most every 10 s, and at most 1 % of the time


def conditions(threads: int, card: str = "") -> dict:
    """What the bits of a run depend on besides the job: processor type, what numba compiles for,
    library versions, BLAS and its threads, the card of a GPU where there is one.
    """
    from importlib.metadata import version

    import numba.core.registry
    from threadpoolctl import threadpool_info

    from vmcnet.kernels import numba_product

    _load_scipy_blas()
    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        pass
    blas = sorted(
        {
            f"{p['internal_api']} {p['version']} {p.get('architecture', '')}".strip()
            for p in threadpool_info()
            if p["user_api"] == "blas"
        }
    )
    settings: Any = numba.config
    target = numba.core.registry.cpu_target.target_context.codegen().magic_tuple()[1]
    return {
        "processor": processor,
        "target": f"{target} {settings.CPU_FEATURES or ''}".strip(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": version("numba"),
        "h5py": h5py.__version__,
        "blas": "; ".join(blas),
        "products": numba_product.chosen(),
        "threads": threads,
        **({"gpu": card} if card else {}),
    }


def _load_scipy_blas() -> None:
    """Natural gradients load SciPy's BLAS sooner or later: it is listed from the start. Without the
    Python of scipy.linalg, which takes 0.1 s.
    """
    import scipy

    name = f"_fblas{EXTENSION_SUFFIXES[0]}"
    try:
        ctypes.CDLL(os.path.join(os.path.dirname(scipy.__file__), "linalg", name))
    except OSError:
        import scipy.linalg


def now() -> str:
    """Date and time with the zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def git_revision() -> str:
    try:
        folder = Path(__file__).parent
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=5,
        )
        return done.stdout.strip() if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _unguarded() -> None:
    """Nobody else writes this file."""


class RunFile:
    """Rank 0's view of run.h5: everything in memory, rewritten whole."""

    def __init__(self, path: Path, attributes: dict) -> None:
        self.path, self.attributes = Path(path), attributes
        self.training: dict[str, array] = {}
        # one entry each: iteration reached, iteration gone back to, factor of the step since then
        self.rollbacks: dict[str, list] = {}
        self.parameters: dict[str, np.ndarray] = {}
        self.evaluations: dict[int, dict] = {}
        self._last, self._cost = 0.0, 0.0
        self._opened: dict = {}
        # called before every write; raises where the file is another's
        self.guard: Callable[[], None] = _unguarded

    @classmethod
    def create(
        cls, path: Path, job_text: str, seed: int, ranks: int, threads: int, card: str = ""
    ) -> RunFile:
        """An empty run; `run` is a random name that its checkpoints carry too."""
        return cls(
            path,
            {
                "run": os.urandom(8).hex(),
                "schema": SCHEMA,
                "vmcnet": VERSION,
                "job": job_text,
                "seed": seed,
                "ranks": ranks,
                "host": socket.gethostname(),
                "git": git_revision(),
                "started": now(),
                "state": "running",
                **{f"condition_{k}": v for k, v in conditions(threads, card).items()},
            },
        )

    @classmethod
    def open(cls, path: Path, or_previous: bool = False) -> RunFile:
        """Read a run file; raises FileProblem naming it when it is missing, damaged or of another
        schema.

        With `or_previous` the previous one takes the place of one that is damaged.
        """
        path = resolved(path)
        if path.is_dir():
            raise FileProblem(f"{path}: is a folder: name a run file in it")
        previous = existing(previous_run(path), path)
        if or_previous and previous.exists():
            try:
                return cls.open(path)
            except FileProblem:
                self = cls.open(previous)
                self.path = path
                return self
        if not path.exists():
            raise FileProblem(f"{path}: no such run file; vmcnet run job.toml makes one")
        offer = (
            f"; the previous one {previous} can be used with: vmcnet resume --previous"
            if previous.exists()
            else ""
        )
        tree = read_sealed(path, "run file", SCHEMA, offer)
        numbers = _checked(Schema(path, "run file", tree))
        self = cls(path, tree.attributes[""])
        for name, values in tree.group("training").items():
            self.training[name] = array("d")
            self.training[name].frombytes(values.astype(float).tobytes())
        self.rollbacks = {k: v.tolist() for k, v in tree.group("rollbacks").items()}
        self.parameters = tree.group("parameters")
        for number in numbers:
            group = f"evaluation/{number}"
            self.evaluations[number] = {
                **tree.group(group),
                "attributes": tree.attributes[group],
            }
        self._opened = dict(self.attributes)
        return self

    @property
    def rows(self) -> int:
        return len(self.training.get("energy", ()))

    def append(self, row: dict) -> None:
        for name, value in row.items():
            self.training.setdefault(name, array("d")).append(value)

    def cut(self, rows: int, rollbacks: int) -> None:
        """Drop what is beyond the checkpoint: it is computed again, to the same bits."""
        if self.rows < rows:
            raise FileProblem(
                f"{self.path}: {self.rows} training rows, but the checkpoint stands at {rows}: the "
                "two do not belong together"
            )
        self.training = {name: values[:rows] for name, values in self.training.items()}
        self.rollbacks = {name: values[:rollbacks] for name, values in self.rollbacks.items()}

    def as_opened(self) -> bool:
        """Whether nothing was written since it was opened, and nothing but times would change."""
        present = {k: v for k, v in self.attributes.items() if k != "resumed"}
        before = {k: v for k, v in self._opened.items() if k != "resumed"}
        return self._last == 0.0 and present == before

    def write(self, force: bool = True, keep_old: bool = True) -> None:
        """Rewrite the file, and keep the one before; without `force` only where that costs little,
        and without keeping, as without `keep_old`.
        """
        begun = time.monotonic()
        if not force and begun - self._last < max(INTERVAL, self._cost / SHARE):
            return
        self.guard()
        if force and keep_old:
            keep(self.path, previous_run(self.path))
        aside = folder_of(self.path) / "run.h5.partial"
        write_sealed(self.path, "run file", self._write, aside)
        self._last = time.monotonic()
        self._cost = self._last - begun

    def _write(self, file: h5py.File) -> None:
        self.attributes["written"] = now()
        for name, value in self.attributes.items():
            file.attrs[name] = value
        training = file.create_group("training")
        for name, values in self.training.items():
            training.create_dataset(name, data=np.asarray(values))
        rollbacks = file.create_group("rollbacks")
        for name, column in self.rollbacks.items():
            rollbacks.create_dataset(name, data=np.asarray(column))
        parameters = file.create_group("parameters")
        for name, value in self.parameters.items():
            parameters.create_dataset(name, data=value)
        for number, content in sorted(self.evaluations.items()):
            group = file.create_group(f"evaluation/{number}")
            for name, value in content.items():
                if name == "attributes":
                    group.attrs.update(value)
                else:
                    group.create_dataset(name, data=np.asarray(value))
        file.visititems(self._explain)

    def _explain(self, name: str, item: Any) -> None:
        """Unit and meaning of a dataset as its attributes."""
        entry = entry_of(name) if isinstance(item, h5py.Dataset) else None
        if entry is not None:
            units = self.attributes.get("units", "")
            item.attrs["unit"] = entry.unit.replace("energy", units) if units else entry.unit
            item.attrs["meaning"] = entry.meaning


def _checked(schema: Schema) -> list[int]:
    """The numbers of the evaluations; raises FileProblem where something is missing or does not
    fit.
    """
    tree = schema.tree
    schema.attributes("", run=str, job=str, seed=int, ranks=int)
    known = schema.tree.attributes[""]
    whole = ("schema", "seed", "ranks")
    texts = [k for k, _ in ATTRIBUTES if k in known and k not in whole]
    schema.attributes("", **dict.fromkeys(texts, str))
    for group in ("training", "rollbacks", "parameters"):
        schema.attributes(group)
    schema.array("parameters/theta", "f", None)
    training, rollbacks = tree.group("training"), tree.group("rollbacks")
    if schema.series("training", training):
        for name in ("energy", "error", "acceptance", "seconds", "communication"):
            schema.array(f"training/{name}", "f", None)
        _finite(schema, "training/energy")
    if schema.series("rollbacks", rollbacks):
        for name in ("reached", "back_to", "scale"):
            schema.array(f"rollbacks/{name}", "fi", None)
    for name in tree.group("parameters"):
        if tree.arrays[f"parameters/{name}"].dtype.kind not in "fc":
            schema.refuse(f"parameters/{name} holds no real or complex numbers")
    numbers = []
    for group in tree.attributes:
        top, _, number = group.partition("/")
        if top == "evaluation" and number and "/" not in number:
            if not re.fullmatch("0|[1-9][0-9]{0,8}", number):
                schema.refuse(f"{group} is no number of an evaluation")
            _check_evaluation(schema, group)
            numbers.append(int(number))
    return sorted(numbers)


def _check_evaluation(schema: Schema, group: str) -> None:
    schema.attributes(group, names=str, iteration=int, steps=int, interval=int, warmup=int)
    names, content = (
        schema.tree.attributes[group]["names"].split(","),
        schema.tree.group(group),
    )
    if names[0] != "energy" or len(set(names)) < len(names):
        schema.refuse(f"names of {group} are {','.join(names)}; expected energy,term,...")
    other = ("walker_", "blocking/", "observables/", "tail/")
    series = [k for k in content if not k.startswith(other)]
    for name in ("energy", "variance", "acceptance", *(f"terms/{n}" for n in names[1:])):
        schema.array(f"{group}/{name}", "f", None)
    old = "observables" not in schema.tree.attributes[group]  # version 0.1: the series alone
    observed = [k for k in content if old and k.startswith("observables/")]
    length = schema.series(group, series)
    both = schema.series(group, [*observed, "energy"], rank=None)
    if length is None or both != length or length < 2:
        schema.refuse(f"{group} has {length} measurements")
    walkers = schema.array(f"{group}/walker_mean", "f", 2, len(names), None).shape[2]
    schema.array(f"{group}/walker_m2", "f", 2, len(names), walkers)
    schema.array(f"{group}/walker_acceptance", "f", walkers)
    if not walkers:
        schema.refuse(f"{group} has no walkers")
    moments = ("walker_mean", "walker_m2", "walker_acceptance", "acceptance", "variance")
    for name in ("energy", *moments, *(f"terms/{n}" for n in names[1:])):
        _finite(schema, f"{group}/{name}")


def _finite(schema: Schema, name: str) -> None:
    if not np.isfinite(schema.tree.arrays[name]).all():
        schema.refuse(f"{name} holds NaN or infinity")


def writable(path: Path) -> None:
    """Make the folder of `path`; raises FileProblem where it cannot be written to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem(
            f"{path.parent}: cannot be created ({error.strerror}): choose another --output"
        ) from error
    if not os.access(path.parent, os.W_OK):
        raise FileProblem(f"{path.parent}: not writable: choose another --output")
