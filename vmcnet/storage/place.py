"""Which files a run may replace: its own, and with --overwrite run files of vmcnet."""

from __future__ import annotations

import os
from pathlib import Path

from vmcnet.storage.atomic import FileProblem, keep
from vmcnet.storage.checkpoint import Checkpoint, read_checkpoint
from vmcnet.storage.paths import (
    OLD,
    checkpoint_path,
    companions,
    existing,
    folder_of,
    old_path,
    previous_path,
    run_of,
)
from vmcnet.storage.run_file import RunFile
from vmcnet.storage.sealed import kind_of


def check_output(path: Path, inputs: dict, overwrite: bool) -> None:
    """Raise FileProblem unless a new run may have `path` as its run file; inputs: what is read,
    by its path.
    """
    if path.is_dir():
        raise FileProblem(
            f"{path}: is a folder: name a file as --output, for example {path / 'run.h5'}"
        )
    for other, what in inputs.items():
        if path.exists() and os.path.exists(other) and os.path.samefile(path, other):
            raise FileProblem(f"{path}: is the {what}: choose another --output")
    if path.name.endswith(".STOP"):
        raise FileProblem(f"{path}: a name of requests to stop: choose another --output")
    owner = owner_of(path)
    if owner:
        raise FileProblem(f"{path}: belongs to the run {owner}: choose another --output")
    if overwrite and path.exists() and kind_of(path) != "run file":
        raise FileProblem(
            f"{path}: is no run file of vmcnet, and --overwrite replaces nothing else: choose "
            "another --output, or delete it"
        )


def owner_of(path: Path) -> Path | None:
    """The run to which a file belongs, if that run is there."""
    real = Path(os.path.realpath(path))
    owner = run_of(real)
    if owner is None or owner == real or not owner.is_file():
        return None
    if real.parent.name.endswith(".run"):
        return owner
    try:  # beside its run, as version 0.1 had it: one run wrote both
        same = RunFile.open(real).attributes["run"] == RunFile.open(owner).attributes["run"]
    except FileProblem:
        return None
    return owner if same and OLD.search(real.stem) else None


def clear(path: Path, overwrite: bool) -> Path | None:
    """Make room for a new run under its lock: with `overwrite` the run that was there goes, file
    first; what is no file of vmcnet, or belongs to a run whose file is gone, is moved into a folder
    of its own, which is returned.
    """
    if overwrite and path.exists():
        run = _run_of_file(path)
        path.unlink()
        for name in (p.stem for p in companions(path)):
            old = old_path(path, name)
            if run and _belongs(old, run):
                old.unlink()
    left = [p for p in companions(path) if p.exists()]
    foreign = [p for p in left if not kind_of(p)]
    if not overwrite and not _nothing_done(checkpoint_path(path)):
        foreign = left
    kept = _set_aside(path, foreign) if foreign else None
    for old in companions(path):
        for name in (old.name, f"{old.name}.partial", f"{old.name}.link"):
            old.with_name(name).unlink(missing_ok=True)
    return kept


def _nothing_done(checkpoint: Path) -> bool:
    """A start that was killed before its run file was there."""
    try:
        numbers = read_checkpoint(checkpoint, "training").numbers
    except FileProblem:
        return not checkpoint.exists()
    return numbers["iteration"] == numbers["warmed"] == 0


def _set_aside(path: Path, files: list[Path]) -> Path:
    for k in range(1, 10**6):
        target = path.with_name(f"{folder_of(path).name}.{k}")
        try:
            target.mkdir()
        except FileExistsError:
            continue
        for file in files:
            os.rename(file, target / file.name)
        return target
    raise FileProblem(f"{folder_of(path)}: too many of its kind")


def _run_of_file(path: Path) -> str:
    try:
        return RunFile.open(path).attributes["run"]
    except FileProblem:
        return ""


def _belongs(path: Path, run: str) -> bool:
    """Whether a file of version 0.1 was written by `run`; one that is damaged counts by its
    name.
    """
    kind = kind_of(path)
    if not kind:
        return False
    try:
        found = read_checkpoint(path).numbers if kind == "checkpoint" else None
        return (found or RunFile.open(path).attributes).get("run") == run
    except FileProblem:
        return True


def adopt(path: Path, run: str) -> None:
    """Companions that version 0.1 left beside the run file move into its folder."""
    for new in companions(path):
        old = existing(new, path)
        if old != new and _belongs(old, run):
            os.rename(old, new)


def replaced_by_others(path: Path, run: str) -> bool:
    """Whether `path` holds a file that is not of this run: another took its place."""
    if not path.exists() or not os.stat(path).st_size:
        return False
    if kind_of(path) != "run file":
        return True
    found = _run_of_file(path)
    return bool(found) and found != run


def evaluation_damaged(path: Path) -> bool:
    """Whether a checkpoint of an evaluation is there and cannot be read."""
    try:
        found = checkpoint_path(path, "evaluation")
        return found.exists() and not read_checkpoint(found, "evaluation")
    except FileProblem:
        return True


def previous_evaluation(path: Path, training: Checkpoint) -> None:
    """Of an evaluation that has not ended: the checkpoint that can be read, if it is of the
    parameters at which training stands; none otherwise.
    """
    main = checkpoint_path(path, "evaluation")
    for found in (main, previous_path(main)):
        try:
            theta = read_checkpoint(found, "evaluation").arrays["theta"]
        except FileProblem:
            continue
        if theta.tobytes() == training.arrays["theta"].tobytes():
            keep(found, main)
            return
    for old in (main, previous_path(main)):
        old.unlink(missing_ok=True)
