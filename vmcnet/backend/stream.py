"""Counter-based random streams."""

from __future__ import annotations

import math

import numpy as np

from vmcnet import kernels
from vmcnet.kernels import philox


def uniforms(xp, words):
    """(word >> 11 + 1/2) 2^-53, in (0, 1)."""
    return ((words >> np.uint64(11)) + 0.5) * 2.0**-53


def normals(xp, words):
    """Standard normals (2h,) of 2h words: the rule of the compiled pass, in array code."""
    u = uniforms(xp, words)
    half = len(u) // 2
    radius, angle = xp.sqrt(-2.0 * xp.log(u[:half])), 2.0 * np.pi * u[half:]
    return xp.concatenate([radius * xp.cos(angle), radius * xp.sin(angle)])


class Stream:
    """Random numbers of one block at one iteration: Philox with a counter, no state to save.

    key = (seed, stage), counter = (0, 0, iteration, block): any block's numbers can be made by any
    rank at any time.
    Uniforms and normals are own transforms of the raw 64-bit words, so that a new NumPy cannot
    change them.
    On a device (xp) the words are made there, and the numbers are the same up to the rounding of
    its log, cos and sin.
    Salmon, Moraes, Dror, Shaw, SC11 (2011), doi:10.1145/2063384.2063405.
    """

    def __init__(self, seed: int, stage: int, iteration: int, block: int, dtype=np.float64, xp=np):
        self.xp, self.dtype = xp, np.dtype(dtype)
        self._key, self._counter, self._drawn = (seed, stage), (0, 0, iteration, block), 0

    def words(self, n: int):
        """The next n words, uint64."""
        compiled = kernels.of(self.xp, np.dtype(np.float64))
        first, self._drawn = self._drawn, self._drawn + n
        return (compiled or philox).philox_words(self.xp, self._key, self._counter, first, n)

    def uniform(self, shape):
        """Uniform in (0, 1): (word >> 11 + 1/2) 2^-53, never 0; never 1 in float64."""
        return self._transformed(uniforms, self.words(math.prod(shape))).reshape(shape)

    def normal(self, shape):
        """Standard normals by Box and Muller: sqrt(-2 log u) (cos 2 pi v, sin 2 pi v), in float64,
        then cast.
        """
        n = math.prod(shape)
        return self._transformed(normals, self.words(n + n % 2))[:n].reshape(shape)

    def _transformed(self, rule, words):
        """By the compiled pass of the same name on the host, otherwise by the array code."""
        if self.xp is np and self.dtype in (np.float64, np.float32):
            return getattr(kernels.of(np, self.dtype), rule.__name__)(words, self.dtype)
        return rule(self.xp, words).astype(self.dtype, copy=False)
