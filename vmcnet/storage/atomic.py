"""Files that are always whole: written aside, flushed to disk, renamed; and the lock of a run."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path

import h5py


class FileProblem(RuntimeError):
    """A file cannot be used; the message names it, what was found and the usual fix."""


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, write, finish=None, userblock: int = 0) -> None:
    """write(h5py.File) beside `path`, fsync, finish(temporary path), fsync, rename over it, fsync of the folder.

    The final name never holds a partial file. Raises FileProblem when the folder or disk refuses.
    """
    temporary = path.with_name(path.name + ".partial")
    try:
        with h5py.File(temporary, "w", userblock_size=userblock, libver="v110") as file:
            write(file)
        if finish:
            finish(temporary)
        handle = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise FileProblem(f"{path}: cannot be written ({error}); the file on disk is the last complete one") from error


class RunLock:
    """flock on `<run>.lock`; the kernel frees it when the process ends, however it ends."""

    def __init__(self, run: Path):
        self.path = run.with_name(run.name + ".lock")
        try:
            self._handle = open(self.path, "a+")
        except OSError as error:
            raise FileProblem(f"{self.path}: cannot be opened ({error}): choose a writable --output") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._handle.seek(0)
            holder = self._handle.read().strip()
            self._handle.close()
            raise FileProblem(f"{run}: another run is writing it ({_holder(holder)}); wait for it or choose another --output") from None
        self._handle.truncate(0)
        self._handle.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "job": os.environ.get("SLURM_JOB_ID", "")}))
        self._handle.flush()

    def release(self) -> None:
        self._handle.close()


def _holder(text: str) -> str:
    try:
        info = json.loads(text)
        job = f", SLURM job {info['job']}" if info["job"] else ""
        return f"host {info['host']}, process {info['pid']}{job}"
    except (ValueError, KeyError, TypeError):
        return "holder unknown"
