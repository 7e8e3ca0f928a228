"""Counter-based random streams."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vmcnet import kernels
from vmcnet.backend.arrays import Array


class Streams:
    """The streams of several blocks whose walkers stand one after the other: axis 1 of all that is
    drawn is that of the walkers, and every block has the numbers of its own stream.
    """

    def __init__(self, parts: list) -> None:
        self.parts = parts

    def uniform(self, shape: tuple[int, ...]) -> Array:
        return self._joined([s.uniform for s in self.parts], shape)

    def normal(self, shape: tuple[int, ...]) -> Array:
        return self._joined([s.normal for s in self.parts], shape)

    def _joined(self, draws: list, shape: tuple[int, ...]) -> np.ndarray:
        steps, walkers, *rest = shape
        own = (steps, walkers // len(draws), *rest)
        return np.concatenate([draw(own) for draw in draws], axis=1)


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

    def __init__(
        self,
        seed: int,
        stage: int,
        iteration: int,
        block: int,
        dtype: Any = np.float64,
        xp: Any = np,
    ) -> None:
        self.xp, self.dtype, self.parts = xp, np.dtype(dtype), [self]
        self._key, self._counter, self._drawn = (seed, stage), (0, 0, iteration, block), 0

    def words(self, n: int) -> Array:
        """The next n words, uint64."""
        own = kernels.of(self.xp, np.dtype(np.float64))
        first, self._drawn = self._drawn, self._drawn + n
        return own.philox_words(self._key, self._counter, first, n)

    def uniform(self, shape: tuple[int, ...]) -> Array:
        """Uniform in (0, 1): (word >> 11 + 1/2) 2^-53, never 0; never 1 in float64."""
        words = self.words(math.prod(shape))
        return kernels.of(self.xp, self.dtype).uniforms(words, self.dtype).reshape(shape)

    def normal(self, shape: tuple[int, ...]) -> Array:
        """Standard normals by Box and Muller: sqrt(-2 log u) (cos 2 pi v, sin 2 pi v), in float64,
        then cast.
        """
        n = math.prod(shape)
        words = self.words(n + n % 2)
        return kernels.of(self.xp, self.dtype).normals(words, self.dtype)[:n].reshape(shape)
