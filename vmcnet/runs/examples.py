"""The job files and submission scripts that come with vmcnet."""

from __future__ import annotations

from pathlib import Path

from vmcnet.arguments import closest_hint
from vmcnet.config import JobError
from vmcnet.config.job import FOLDER


def examples() -> list[Path]:
    """All files, job files first."""
    return sorted(FOLDER.glob("*.toml")) + sorted(FOLDER.glob("*.sbatch"))


def listed() -> list[str]:
    """One line a file: its name and what its header says first."""
    width = max(len(path.name) for path in examples())
    lines = []
    for path in examples():
        comments = (
            line.lstrip("# ").rstrip()
            for line in path.read_text().splitlines()
            if line.startswith("#") and not line.startswith(("#!", "#SBATCH"))
        )
        lines.append(f"{path.name:<{width}}  {next(comments, '')}")
    return lines


def copied(name: str, folder: Path) -> Path:
    """Copy one file, named with or without its ending, into a folder; never over another file."""
    names = {path.name: path for path in examples()} | {path.stem: path for path in examples()}
    if name not in names:
        hint = closest_hint(name, (path.stem for path in examples()))
        raise JobError(f"no job file {name!r} comes with vmcnet; vmcnet jobs lists them{hint}")
    target = folder / names[name].name
    written_new(target, names[name].read_text())
    return target


def written_new(target: Path, text: str) -> None:
    """Write a text file that must not be there yet; raises JobError."""
    try:
        with target.open("x") as handle:
            handle.write(text)
    except FileExistsError:
        raise JobError(
            f"{target}: exists already; move it away or choose another name or folder"
        ) from None
    except OSError as error:
        raise JobError(f"{target}: cannot be written ({error.strerror})") from error
