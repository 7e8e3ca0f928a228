"""Counter-based random streams."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from vmcnet import kernels
from vmcnet.backend.arrays import Array


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
        self._key, self._drawn = (seed, stage), 0
        self._counter: Any = (0, 0, iteration, block)
        self._lead: tuple[int, ...] = ()  # the axis of several blocks

    def each(self, shape: tuple[int, ...]) -> Array:
        """As that of Streams, of one block: without the axis of blocks."""
        return self.uniform(shape)

    def words(self, n: int) -> Array:
        """The next n words, uint64."""
        own = kernels.of(self.xp, np.dtype(np.float64))
        first, self._drawn = self._drawn, self._drawn + n
        return own.philox_words(self._key, self._counter, first, n)

    def uniform(self, shape: tuple[int, ...]) -> Array:
        """Uniform in (0, 1): (word >> 11 + 1/2) 2^-53, never 0; never 1 in float64."""
        words = self.words(math.prod(shape))
        return (
            kernels.of(self.xp, self.dtype).uniforms(words, self.dtype).reshape(self._lead + shape)
        )

    def normal(self, shape: tuple[int, ...]) -> Array:
        """Standard normals by Box and Muller: sqrt(-2 log u) (cos 2 pi v, sin 2 pi v), in float64,
        then cast.
        """
        n = math.prod(shape)
        words = self.words(n + n % 2)
        normals = kernels.of(self.xp, self.dtype).normals(words, self.dtype)
        return normals[..., :n].reshape(self._lead + shape)


def _beside(xp: Any, parts: list) -> Stream:
    """A stream that draws for several blocks at once, (B, ...)."""
    seed, stage = parts[0]._key
    out = Stream(seed, stage, 0, 0, parts[0].dtype, xp)
    out._counter = xp.asarray(np.array([part._counter for part in parts], np.uint64))
    out._lead, out._drawn = (len(parts),), parts[0]._drawn
    return out


class Streams:
    """The streams of several blocks whose walkers stand one after the other: axis 1 of all that is
    drawn is that of the walkers, and every block has the numbers of its own stream. One call makes
    those of all blocks.
    """

    def __init__(self, parts: list) -> None:
        self.parts = parts
        self._all = _beside(parts[0].xp, parts)

    def each(self, shape: tuple[int, ...]) -> Array:
        """Uniform numbers of this shape of every block, (B, ...)."""
        return self._all.uniform(shape)

    def uniform(self, shape: tuple[int, ...]) -> Array:
        return self._joined(Stream.uniform, shape)

    def normal(self, shape: tuple[int, ...]) -> Array:
        return self._joined(Stream.normal, shape)

    def _joined(self, draw: Callable, shape: tuple[int, ...]) -> Array:
        steps, walkers, *rest = shape
        own = (steps, walkers // len(self.parts), *rest)
        return self._all.xp.moveaxis(draw(self._all, own), 0, 1).reshape(shape)
