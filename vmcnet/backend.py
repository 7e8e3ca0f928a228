"""The array namespace of the data, and counter-based random streams."""

from __future__ import annotations

import ctypes
import math
import sys

import numpy as np


def namespace(array):
    """numpy or cupy (or a stand-in): the module that owns `array`."""
    if isinstance(array, np.ndarray) or np.isscalar(array):
        return np
    return sys.modules[type(array).__module__.split(".")[0]]


def to_host(array) -> np.ndarray:
    """A NumPy array with the same values; the only way from a device to the host."""
    return array if isinstance(array, np.ndarray) else array.get()


def keep_memory() -> bool:
    """Tell glibc to keep freed memory for the next array instead of giving it back to the system; whether it was told so.

    Arrays of 1 to 30 MB would otherwise be page-faulted at every operation. Other C libraries have no mallopt: nothing is changed.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    trim, mmap = -1, -3                  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
    return bool(mallopt(trim, 1 << 30) and mallopt(mmap, 1 << 30))


class Stream:
    """Random numbers of one block at one iteration: Philox with a counter, no state to save.

    key = (seed, stage), counter = (0, 0, iteration, block): any block's numbers can be made by any rank at any time.
    Uniforms and normals are own transforms of the raw 64-bit words, so that a new NumPy cannot change them.
    Salmon, Moraes, Dror, Shaw, SC11 (2011), doi:10.1145/2063384.2063405.
    """

    xp = np

    def __init__(self, seed: int, stage: int, iteration: int, block: int, dtype=np.float64):
        self.dtype = dtype
        self._bits = np.random.Philox(key=[seed, stage], counter=[0, 0, iteration, block])

    def words(self, n: int):
        """The next n words, uint64."""
        return self._bits.random_raw(n) if n else np.empty(0, np.uint64)

    def _uniform(self, n: int):
        words = self.words(n)
        words >>= np.uint64(11)
        out = words + 0.5
        out *= 2.0**-53
        return out

    def uniform(self, shape):
        """Uniform in (0, 1): (word >> 11 + 1/2) 2^-53, never 0; never 1 in float64."""
        return self._uniform(math.prod(shape)).reshape(shape).astype(self.dtype, copy=False)

    def normal(self, shape):
        """Standard normals by Box and Muller: sqrt(-2 log u) (cos 2 pi v, sin 2 pi v), in float64, then cast."""
        xp, n = self.xp, math.prod(shape)
        half = (n + 1) // 2
        u = self._uniform(2 * half)
        radius = xp.sqrt(-2.0 * xp.log(u[:half]))
        angle = 2.0 * np.pi * u[half:]
        out = xp.empty(2 * half)
        xp.multiply(radius, xp.cos(angle), out=out[:half])
        xp.multiply(radius, xp.sin(angle), out=out[half:])
        return out[:n].reshape(shape).astype(self.dtype, copy=False)
