"""Outer products that are not built."""

from __future__ import annotations

from dataclasses import dataclass

from vmcnet.backend.arrays import Array


@dataclass(frozen=True)
class Outer:
    """The array (W, f, h) of left_wf right_wh: what a dense layer used once adds to d log psi / d
    weight. `signs`: all of left are +1 or -1.
    """

    left: Array  # (W, f)
    right: Array  # (W, h)
    signs: bool = False

    @property
    def shape(self):
        return self.left.shape + self.right.shape[1:]

    def __mul__(self, number):
        return Outer(self.left * number, self.right)

    def dense(self):
        return self.left[:, :, None] * self.right[:, None, :]


@dataclass(frozen=True)
class Spread:
    """The array (W, h) of left_w right_h: the adjoint of what is multiplied by one column."""

    left: Array  # (W, 1)
    right: Array  # (1, h)

    @property
    def shape(self):
        return self.left.shape[:1] + self.right.shape[1:]

    def dense(self):
        return self.left * self.right
