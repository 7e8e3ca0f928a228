"""The array namespace of the data, and counter-based random streams."""

from __future__ import annotations

import ctypes
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

    def __init__(self, seed: int, stage: int, iteration: int, block: int):
        self._bits = np.random.Philox(key=[seed, stage], counter=[0, 0, iteration, block])

    def uniform(self, shape) -> np.ndarray:
        """Uniform in (0, 1): (word >> 11 + 1/2) 2^-53, never 0 or 1."""
        n = int(np.prod(shape))
        words = self._bits.random_raw(n) if n else np.empty(0, np.uint64)
        return (((words >> np.uint64(11)) + 0.5) * 2.0**-53).reshape(shape)

    def normal(self, shape) -> np.ndarray:
        """Standard normals by Box and Muller: sqrt(-2 log u) (cos 2 pi v, sin 2 pi v)."""
        n = int(np.prod(shape))
        half = (n + 1) // 2
        u = self.uniform((2, half))
        radius = np.sqrt(-2.0 * np.log(u[0]))
        angle = 2.0 * np.pi * u[1]
        out = np.empty(2 * half)
        np.multiply(radius, np.cos(angle), out=out[:half])
        np.multiply(radius, np.sin(angle), out=out[half:])
        return out[:n].reshape(shape)
