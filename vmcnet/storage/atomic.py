"""Files that are always whole: written aside, flushed to disk, renamed; and the one before."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any


class FileProblem(RuntimeError):
    """A file cannot be used; the message names it, what was found and the usual fix."""


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, *parts: bytes, aside: Path | None = None) -> None:
    """The parts, joined, at `aside` (in a folder that is made), or beside `path`; fsync, rename
    over it, fsync of the folder.

    The final name never holds a partial file, and what was there stays until the new one is on
    disk. Raises FileProblem when the folder
    or disk refuses.
    """
    temporary = aside or path.with_name(path.name + ".partial")
    try:
        temporary.parent.mkdir(exist_ok=True)
        with open(temporary, "wb") as handle:
            for part in parts:
                handle.write(part)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)  # gives a full disk its space back
        raise FileProblem(
            f"{path}: cannot be written ({error.strerror}); the file on disk is the last complete "
            "one"
        ) from error


def keep(path: Path, kept: Path) -> None:
    """The file at `path` under a second name, by a hard link or, where the file system has none, by
    a copy; never a moment without either. Nothing where there is no file to keep.
    """
    aside = kept.with_name(kept.name + ".link")
    try:
        if not path.exists() or (kept.exists() and os.path.samefile(path, kept)):
            return
        kept.parent.mkdir(exist_ok=True)
        aside.unlink(missing_ok=True)
        try:
            os.link(path, aside)
        except OSError:
            shutil.copyfile(path, aside)
            with open(aside, "rb") as handle:
                os.fsync(handle.fileno())
        os.replace(aside, kept)
        sync_folder(kept.parent)
    except OSError as error:
        raise FileProblem(f"{kept}: the previous file cannot be kept ({error.strerror})") from error


def json_object(path: Any, attributes: Any, name: str) -> dict:
    """The JSON object in an attribute of the file at `path`, {} where it has none; FileProblem."""
    text = attributes.get(name) or "{}"
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise FileProblem(
            f"{path}: attribute {name}: expected a JSON object, found {str(text)[:40]!r}: the file "
            "is damaged, take a copy of it or start a new run"
        )
    return found
