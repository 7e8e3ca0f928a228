"""The Poeschl-Teller well, whose range is tuned to an infinite scattering length."""

from __future__ import annotations

from itertools import product

import numpy as np

from vmcnet.backend.arrays import Array, namespace
from vmcnet.geometry.box import Box

MOST_IMAGES = 3  # cells on either side of an axis that are summed over


class PoeschlTeller:
    """u(x) = -(8/r_e^2)/cosh^2(2 |x|/r_e) in hbar^2/m of separations x (..., d), summed over all
    images in a box: two particles of mass m at zero energy are tanh(2 r/r_e)/r, so that the
    scattering length is infinite and r_e the effective range.

    Raises ValueError for a box that is small beside r_e.
    """

    def __init__(self, effective_range: float, box: Box) -> None:
        self.effective_range, self.box = float(effective_range), box
        # 1/cosh^2 is below 4 exp(-4 r/r_e): the terms left out are below exp(-38)
        reach = int(max(0.0, np.ceil(9.5 * effective_range / min(box.lengths) - 0.5)))
        if reach > MOST_IMAGES:
            raise ValueError(
                f"an interaction of effective range {effective_range:.3g} in a box of length "
                f"{min(box.lengths):.3g}: expected a range of at most "
                f"{(MOST_IMAGES + 0.5) / 9.5 * min(box.lengths):.3g}, or more particles"
            )
        self._cells = [
            np.array(m) * box.lengths for m in product(range(-reach, reach + 1), repeat=3)
        ]

    def __call__(self, x: Array) -> Array:
        xp, x = namespace(x), self.box.minimum_image(x)
        out: Array = 0.0
        for cell in self._cells:
            moved = x + xp.asarray(cell, dtype=x.dtype)
            t = xp.exp(-4.0 / self.effective_range * xp.sqrt((moved * moved).sum(axis=-1)))
            out = out + t / (1.0 + t) ** 2  # 1/(4 cosh^2)
        return -32.0 / self.effective_range**2 * out

    @property
    def integral(self) -> float:
        """The integral of u over all space."""
        return -(np.pi**3) / 3.0 * self.effective_range
