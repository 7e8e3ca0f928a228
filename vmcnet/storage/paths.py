"""Where the files of a run lie: NAME.h5, what it needs besides in the folder NAME.h5.run/, and the
request to stop, NAME.h5.STOP.

No name of a run can be that of another's companion: companions have a folder of their own, which
belongs to the run file beside it. Version 0.1 had them beside the run file, NAME.checkpoint.h5 and
so on; `old_path` is where they were.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from vmcnet.storage.atomic import FileProblem

KINDS = ("checkpoint", "evaluation", "rollback", "nonfinite")
OLD = re.compile(r"\.((checkpoint|evaluation|rollback|nonfinite)(\.previous)?|previous)$")


def resolved(path: Path) -> Path:
    """`path`, or what it points to where it is a symbolic link. Raises FileProblem for what can be
    no file: a name that is too long, or a folder that may not be entered.
    """
    path = Path(path)
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a path"
        raise FileProblem(f"{str(path)[:200]!r}: cannot be used as a file ({why})") from error
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def path_given(name: str, path: Any) -> Path:
    """The path of a run file that a user gave from Python; raises ValueError for what is none."""
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise ValueError(f"{name}: expected the path of a run file, found {path!r}")
    return Path(path)


def folder_of(run: Path) -> Path:
    """The folder of what belongs to a run file."""
    return run.with_name(run.name + ".run")


def is_folder(path: Path) -> bool:
    """Whether `path` is the folder of a run file that lies beside it."""
    return path.is_dir() and path.name.endswith(".run") and path.with_suffix("").is_file()


def stop_path(run: Path) -> Path:
    return run.with_name(run.name + ".STOP")


def lock_path(run: Path) -> Path:
    return folder_of(run) / "lock"


def previous_run(run: Path) -> Path:
    """The run file before the last."""
    return folder_of(run) / "run.previous.h5"


def checkpoint_path(run: Path, kind: str = "checkpoint") -> Path:
    """checkpoint: of training; evaluation: of one that has not ended; rollback: what training goes
    back to; nonfinite: walkers that met NaN.
    """
    return folder_of(run) / f"{kind}.h5"


def previous_path(checkpoint: Path) -> Path:
    """The checkpoint before the last."""
    return checkpoint.with_name(f"{checkpoint.stem}.previous{checkpoint.suffix}")


def old_path(run: Path, name: str) -> Path:
    """Where version 0.1 kept a companion: name is that of the file in the folder, without .h5."""
    name = "previous" if name == "run.previous" else name
    return run.with_name(f"{run.stem}.{name}{run.suffix}")


def companions(run: Path) -> list[Path]:
    """All files that a run may keep in its folder, besides the lock."""
    checkpoints = [checkpoint_path(run, kind) for kind in KINDS]
    return [previous_run(run), *checkpoints, *map(previous_path, checkpoints)]


def existing(path: Path, run: Path) -> Path:
    """A companion where it lies: in the folder, or where version 0.1 had it."""
    old = old_path(run, path.stem)
    return old if not path.exists() and old.exists() else path


def run_of(companion: Path) -> Path | None:
    """The run file to which a file belongs by its place or its name; None where neither says so."""
    folder = companion.parent
    if folder.name.endswith(".run"):
        return folder.with_name(folder.name.removesuffix(".run"))
    if OLD.search(companion.stem):
        return companion.with_name(OLD.sub("", companion.stem) + companion.suffix)
    return None
