"""A cache of compiled functions in which one process compiles what is missing, and the others wait
for it: the ranks of a run that starts on an empty cache. Several functions are compiled at once, a
process each.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from zlib import crc32

from numba.core.runtime import rtsys

LONGEST, PAUSE = 60.0, 0.01  # seconds that one compilation is waited for; between two looks
NAME = "compiling.lock"


class FolderLock:
    """The locks of a cache folder, one a function, each taken while something of that function is
    missing: bytes of one file. The kernel frees them however their holder ends; where a file system
    has no locks, or the wait is too long, every process compiles for itself.
    """

    def __init__(self, folder: str):
        self._path = os.path.join(folder, NAME)
        self._file, self._process = -1, 0  # who opened it: a fork has to do so itself
        self._held: Counter[int] = Counter()  # a function compiles those that it calls

    def take(self, function: str) -> None:
        place = crc32(function.encode()) // 2
        self._held[place] += 1
        if self._held[place] == 1:
            with suppress(OSError):
                self._wait(self._opened(), place)

    def _opened(self) -> int:
        if self._process != os.getpid():
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            self._process = os.getpid()
        return self._file  # never closed: that would free all its locks

    def _wait(self, file: int, place: int) -> None:
        end = time.monotonic() + LONGEST
        while True:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                return
            except (BlockingIOError, PermissionError):
                if time.monotonic() > end:
                    return
                time.sleep(PAUSE)

    def free(self, function: str) -> None:
        place = crc32(function.encode()) // 2
        self._held[place] -= 1
        if not self._held[place] and self._process == os.getpid():
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)


LOCKS: dict[str, FolderLock] = {}
_waiting: list[Callable[[], None]] = []  # what the first miss calls


@contextmanager
def at_first_miss(work: Callable[[], None]) -> Iterator[None]:
    """Within it, work() is called once, where the first compiled function is found missing."""
    _waiting.append(work)
    try:
        yield
    finally:
        _waiting.clear()


class OneCompiles:
    """A numba cache of one function, which takes that function's lock where something is missing;
    `one_compiles` frees it.
    """

    def __init__(self, cache: Any):
        self._cache, self.taken, self.name = cache, 0, cache._impl.filename_base
        self.lock = LOCKS.setdefault(cache.cache_path, FolderLock(cache.cache_path))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)  # all else that numba's cache has

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = self._read(sig, target_context)
        if found is None:
            if _waiting:
                _waiting.pop()()
            self.taken += 1
            self.lock.take(self.name)
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
                cache.lock.free(cache.name)

    dispatcher._cache, dispatcher.compile = cache, compile_alone
    return dispatcher
