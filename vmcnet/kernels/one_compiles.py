"""A cache of compiled functions in which one process compiles what is missing, and the others wait
for it: the ranks of a run that starts on an empty cache.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import Any

from numba.core.runtime import rtsys

LONGEST, PAUSE = 60.0, 0.01  # seconds that one compilation is waited for; between two looks
NAME = "compiling.lock"


class FolderLock:
    """The lock of a cache folder, taken while something is missing there. The kernel frees it
    however its holder ends; where a file system has no locks, or the wait is too long, every
    process compiles for itself.
    """

    def __init__(self, folder: str):
        self._path = os.path.join(folder, NAME)
        self._file: int | None = None
        self._depth = 0  # a function compiles those that it calls

    def take(self) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            self._wait(self._file)
        except OSError:
            self._close()

    def _wait(self, file: int) -> None:
        end = time.monotonic() + LONGEST
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    return
                time.sleep(PAUSE)

    def free(self) -> None:
        self._depth -= 1
        if not self._depth:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


LOCKS: dict[str, FolderLock] = {}


class OneCompiles:
    """A numba cache of one function, which takes the lock of its folder where something is missing;
    `one_compiles` frees it.
    """

    def __init__(self, cache: Any):
        self._cache, self.taken = cache, 0
        self.lock = LOCKS.setdefault(cache.cache_path, FolderLock(cache.cache_path))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)  # all else that numba's cache has

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = self._read(sig, target_context)
        if found is None:
            self.taken += 1
            self.lock.take()
            found = self._read(sig, target_context)
        return found

    def _read(self, sig: Any, target_context: Any) -> Any:
        """What the folder has. Compiled code needs numba's runtime, not all that the compiler knows
        of Python, which numba imports where it loads anything (0.1 s).
        """
        rtsys.initialize(target_context)
        return self._cache._load_overload(sig, target_context)


def one_compiles(dispatcher: Any) -> Any:
    """The numba dispatcher, which holds the lock from a miss until it has compiled and saved."""
    cache, compile_it = OneCompiles(dispatcher._cache), dispatcher.compile

    def compile_alone(sig: Any) -> Any:
        before = cache.taken
        try:
            return compile_it(sig)
        finally:
            while cache.taken > before:
                cache.taken -= 1
                cache.lock.free()

    dispatcher._cache, dispatcher.compile = cache, compile_alone
    return dispatcher
