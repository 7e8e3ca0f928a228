"""A potential given as a function."""

from __future__ import annotations

from collections.abc import Callable

from vmcnet.backend.arrays import Array
from vmcnet.walkers import Psi, Walkers


class Potential:
    """V(r) of every walker, (W,): `function` takes coordinates r (W, n, d), numpy or cupy, and
    returns (W,).

    Raises ValueError where the function returns another shape.
    """

    name = "potential"

    def __init__(self, function: Callable[[Array], Array]) -> None:
        self._function = function

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        value = self._function(walkers.r)
        # a user's function may return anything
        kind = getattr(getattr(value, "dtype", None), "kind", "")
        shape = getattr(value, "shape", None)  # () of a number
        if kind == "c":
            if bool((value.imag != 0).any()):
                raise ValueError(
                    "the potential returned numbers with an imaginary part; expected real ones"
                )
            value = value.real
        if shape != walkers.r.shape[:1]:
            raise ValueError(
                f"the potential returned shape {type(value).__name__ if shape is None else shape}; "
                "expected one number a walker, "
                f"{walkers.r.shape[:1]}, from coordinates of shape {walkers.r.shape}"
            )
        return value


class DoubleWellPotential:
    """barrier sum_i ((x_i/half_distance)^2 - 1)^2 of every walker, (W,), x the first axis: minima 0
    at +- half_distance.
    """

    name = "double_well"
    rowwise = True

    def __init__(self, barrier: float, half_distance: float) -> None:
        self._barrier, self._half = float(barrier), float(half_distance)

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        x = walkers.r[:, :, 0] / self._half
        return self._barrier * ((x * x - 1.0) ** 2).sum(axis=1)
