"""The lock of a run: one process writes it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TextIO

from vmcnet.storage.atomic import FileProblem
from vmcnet.storage.paths import folder_of, lock_path

HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)  # all other errors: no locks here
TRIES = 20


class RunLock:
    """flock on NAME.h5.run/lock, which the kernel frees when the process ends, however it ends;
    where the file system has no flock, the file itself, made by O_EXCL, is the lock.

    `release` removes the file, and the folder where nothing else lies in it. Raises FileProblem
    where another process holds it.
    """

    def __init__(self, run: Path) -> None:
        self.run, self.path = run, lock_path(run)
        self._handle: TextIO | None = None
        self._take()

    def _take(self) -> None:
        for _ in range(TRIES):
            self._make_folder()
            if self._locked() and self._is_mine() and self._handle is not None:
                self._sign(self._handle)
                return
            self._close()  # its holder removed the file in between: once more
        raise FileProblem(f"{self.path}: cannot be locked, others come and go: try again")

    def _make_folder(self) -> None:
        try:
            folder_of(self.run).mkdir(exist_ok=True)
        except FileExistsError as error:
            raise FileProblem(
                f"{folder_of(self.run)}: is no folder, but {self.run} keeps its checkpoints "
                "there: move it, or choose another --output"
            ) from error
        except OSError as error:
            self._unwritable(error)

    def _locked(self) -> bool:
        try:
            self._handle = open(self.path, "a+")  # noqa: SIM115
        except FileNotFoundError:  # its holder removed the folder in between
            return False
        except OSError as error:
            self._unwritable(error)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in HELD:
                self._held(self.path)
            return self._exclusive(error)
        return True

    def _exclusive(self, error: OSError) -> bool:
        """A file system without flock: the process that made `lock.made` holds it."""
        self.path.unlink(missing_ok=True)
        self._close()
        made = self.path.with_name("lock.made")
        try:
            with open(made, "x") as handle:
                handle.write(json.dumps(_me()))
        except FileExistsError:
            holder = read_holder(made)
            if holder and holder["host"] == socket.gethostname() and not alive(holder):
                made.unlink(missing_ok=True)
                return False
            self._held(
                made,
                f"; this file system has no locks ({error.strerror}), so where that process has "
                f"ended delete {made}",
            )
        except OSError as problem:
            self._unwritable(problem)
        self.path = made
        self._handle = open(made, "a+")  # noqa: SIM115
        return True

    def _is_mine(self) -> bool:
        try:
            found = os.stat(self.path)
        except OSError:
            return False
        if self._handle is None:
            return False
        mine = os.fstat(self._handle.fileno())
        return (found.st_ino, found.st_dev) == (mine.st_ino, mine.st_dev)

    def _sign(self, handle: TextIO) -> None:
        try:
            handle.truncate(0)
            handle.write(json.dumps(_me()))
            handle.flush()
        except OSError as error:
            self.release()
            raise FileProblem(
                f"{self.path}: cannot be written ({error.strerror}): choose another --output"
            ) from error

    def check(self) -> None:
        """Before every write: a lock that was removed is taken anew; raises FileProblem where
        another process has it by now.
        """
        if self._handle is None or self._is_mine():
            return
        self._close()
        self.path = lock_path(self.run)
        self._take()

    def release(self) -> None:
        if self._handle is None:
            return
        try:
            if self._is_mine():
                self.path.unlink()
            folder_of(self.run).rmdir()
        except OSError:  # not empty, or gone
            pass
        self._close()

    def _close(self) -> None:
        try:
            if self._handle is not None:
                self._handle.close()
        except (
            OSError
        ):  # a full disk: the name of the holder is lost, the lock is free all the same
            pass
        self._handle = None

    def _held(self, path: Path, more: str = "") -> NoReturn:
        holder = read_holder(path)
        who = "holder unknown"
        if holder:
            job = f", SLURM job {holder['job']}" if holder.get("job") else ""
            who = f"host {holder['host']}, process {holder['pid']}{job}"
        self._close()
        raise FileProblem(
            f"{self.run}: another run is writing it ({who}); wait for it or choose another "
            f"--output{more}"
        )

    def _unwritable(self, error: OSError) -> NoReturn:
        self._close()
        raise FileProblem(
            f"{self.path}: cannot be opened ({error.strerror}): choose a writable --output"
        ) from error


@contextmanager
def freed_on_error(held: dict[str, RunLock]) -> Iterator[None]:
    """Release held["lock"], if it is there, where what follows fails."""
    try:
        yield
    except BaseException:
        if "lock" in held:
            held["lock"].release()
        raise


def _me() -> dict:
    pid, job = os.getpid(), os.environ.get("SLURM_JOB_ID", "")
    return {"host": socket.gethostname(), "pid": pid, "began": _began(pid), "job": job}


def _began(pid: int) -> str:
    """When a process of this host began, in ticks since boot; "" where that cannot be known."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def alive(holder: dict) -> bool:
    """Whether a holder on this host still runs."""
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return holder.get("began", "") in ("", _began(holder["pid"]))


def read_holder(path: Path) -> dict | None:
    """host, pid and job of who signed a lock."""
    try:
        found = json.loads(path.read_text())
        return {**found, "host": str(found["host"]), "pid": int(found["pid"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def holder_of(run: Path) -> dict | None:
    """Who signed the lock of a run last and has not released it."""
    path = lock_path(run)
    return read_holder(path.with_name("lock.made")) or read_holder(path)
