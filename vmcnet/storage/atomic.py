"""Files that are always whole: written aside, flushed to disk, renamed; the file before the last;
and the lock of a run.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path


class FileProblem(RuntimeError):
    """A file cannot be used; the message names it, what was found and the usual fix."""


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def previous_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def replace_file(path: Path, *parts: bytes) -> None:
    """The parts, joined, beside `path`; fsync, rename over it, fsync of the folder.

    The final name never holds a partial file, and what was there stays until the new one is on
    disk. Raises FileProblem when the folder
    or disk refuses.
    """
    temporary = path.with_name(path.name + ".partial")
    try:
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
    a copy; never a moment without either.
    """
    aside = path.with_name(path.name + ".link")
    try:
        aside.unlink(missing_ok=True)
        try:
            os.link(path, aside)
        except OSError:
            shutil.copyfile(path, aside)
            with open(aside, "rb") as handle:
                os.fsync(handle.fileno())
        os.replace(aside, kept)
        sync_folder(path.parent)
    except OSError as error:
        raise FileProblem(f"{kept}: the previous file cannot be kept ({error.strerror})") from error


class RunLock:
    """flock on `<run>.lock`; the kernel frees it when the process ends, however it ends."""

    def __init__(self, run: Path):
        self.path = run.with_name(run.name + ".lock")
        try:
            self._handle = open(self.path, "a+")  # noqa: SIM115 (held while the run lasts)
        except OSError as error:
            raise FileProblem(
                f"{self.path}: cannot be opened ({error.strerror}): choose a writable --output"
            ) from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._handle.seek(0)
            holder = self._handle.read().strip()
            self._handle.close()
            raise FileProblem(
                f"{run}: another run is writing it ({_holder(holder)}); wait for it or choose "
                "another --output"
            ) from None
        try:
            self._handle.truncate(0)
            self._handle.write(
                json.dumps(
                    {
                        "host": socket.gethostname(),
                        "pid": os.getpid(),
                        "job": os.environ.get("SLURM_JOB_ID", ""),
                    }
                )
            )
            self._handle.flush()
        except OSError as error:
            raise FileProblem(
                f"{self.path}: cannot be written ({error.strerror}): choose another --output"
            ) from error

    def release(self) -> None:
        # a full disk: the name of the holder is lost, the lock is free all the same
        with suppress(OSError):
            self._handle.close()


def _holder(text: str) -> str:
    try:
        info = json.loads(text)
        job = f", SLURM job {info['job']}" if info["job"] else ""
        return f"host {info['host']}, process {info['pid']}{job}"
    except (ValueError, KeyError, TypeError):
        return "holder unknown"
