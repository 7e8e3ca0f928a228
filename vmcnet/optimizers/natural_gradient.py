"""Natural gradients: the direction d of (S + D) d = F/2, S = Re <dO* dO> the metric of the
wavefunction, D a diagonal shift.

With X the centred rows dO_w / sqrt W and f = (E_L - <E>) / sqrt W: S = X^T X and F/2 = X^T f. For
the same D all methods here have the same solution (SPRING without momentum). `tangents` is
vmcnet.engine.tangents.BlockTangents, on a device DeviceTangents.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from vmcnet.arguments import Recording, number, positive, recorded, shown, whole
from vmcnet.kernels.numba_vectors import followed, inner, shifted, stepped
from vmcnet.optimizers.base import State, checked_state

Rows = Any  # an array (own blocks, walkers of a block), where the walkers are


class Tangents(Protocol):
    """The centred rows X = dO / sqrt W of all blocks, P parameters; its methods are collective.

    gradient F (P,), diagonal of S (P,); walkers on all ranks, own blocks of this one.
    """

    size: int
    walkers: int
    dtype: np.dtype
    comm: Any
    own: Any
    gradient: np.ndarray

    @property
    def diagonal(self) -> np.ndarray: ...

    def residuals(self) -> Rows:
        """f = (E_L - <E>) / sqrt W."""
        ...

    def product(self, v: np.ndarray) -> Rows:
        """X v of v (P,)."""
        ...

    def transposed(self, rows: Rows) -> np.ndarray:
        """X^T x (P,), an exact sum over ranks."""
        ...

    def metric_product(self, v: np.ndarray) -> np.ndarray:
        """S v (P,)."""
        ...

    def metric(self) -> Any:
        """S (P, P), its tiles dealt to the ranks."""
        ...

    def gram_factors(self, scale: np.ndarray | None, shift: float) -> Any:
        """What solves (X diag(scale)^2 X^T + shift) x = b (N,) of rank 0 for x on every rank."""
        ...

    def factorised(self, matrix: Any, shift: Any) -> Any:
        """What solves (matrix + diag(shift)) x = b of rank 0 for x on every rank."""
        ...

    def gathered(self, rows: Rows) -> Any:
        """A vector over all rows, on rank 0."""
        ...

    def from_vector(self, x: np.ndarray) -> np.ndarray:
        """X^T x (P,), x (N,) over all rows, the same on every rank."""
        ...


class SingularMetric(RuntimeError):
    """S + D, or X D^-1 X^T + 1, is not positive definite to working precision."""


class NaturalGradient(Recording):
    """What the methods share: D_p = c_k (shift + relative_shift S_pp), c_k = max(shift_decay^k,
    shift_floor) at iteration k, and max_norm.

    max_norm: the direction is scaled down to this Euclidean norm where it is longer. A subclass
    gives solve(tangents, shift, state) ->
    (d (P,), state, row), with `shift` a number or, with a relative shift, D (P,); `row` goes into
    the series. Raises ValueError for
    arguments out of range, SingularMetric where the shift is too small.
    """

    name = "natural gradient"
    form = "none"  # of the matrix that is solved: metric (P x P), gram (N x N), auto, none

    @recorded
    def __init__(
        self,
        shift: float = 1e-3,
        relative_shift: float = 0.0,
        shift_decay: float = 1.0,
        shift_floor: float = 0.0,
        max_norm: float | None = None,
    ):
        title = type(self).__name__
        self.shift = number(f"{title} shift", shift, least=0)
        self.relative_shift = number(f"{title} relative_shift", relative_shift, least=0)
        if not shift + relative_shift > 0:
            raise ValueError(
                f"{title} shift and relative_shift are both 0: the metric of a finite sample is "
                "singular, give one of them"
            )
        self.shift_decay = number(f"{title} shift_decay", shift_decay, above=0, most=1)
        self.shift_floor = number(f"{title} shift_floor", shift_floor, least=0, most=1)
        self.max_norm = None if max_norm is None else positive(f"{title} max_norm", max_norm)

    def start(self, size: int) -> State:
        """State that goes from iteration to iteration, kept in checkpoints."""
        return {}

    def factor(self, iteration: int) -> float:
        return max(self.shift_decay**iteration, self.shift_floor)

    def direction(
        self, tangents: Tangents, state: State, iteration: int
    ) -> tuple[np.ndarray, State, dict]:
        """(d (P,), state, row) of this iteration; the same bits on every rank."""
        if not np.isfinite(tangents.gradient).all():
            return np.full(tangents.size, np.nan), state, {}  # the loop names it
        factor = self.factor(iteration)
        shift: Any = factor * self.shift
        if self.relative_shift:
            shift = shift + factor * self.relative_shift * tangents.diagonal
        d, state, row = self.solve(tangents, shift, state)
        norm = float(np.sqrt((d * d).sum()))
        row = {"direction_norm": norm, "shift_factor": factor, **row}
        if self.max_norm is not None and norm > self.max_norm:
            d = d * (self.max_norm / norm)
        return d, state, row

    def solve(self, tangents: Tangents, shift: Any, state: State) -> tuple[np.ndarray, State, dict]:
        raise TypeError(f"{type(self).__name__} defines no solve(tangents, shift, state)")

    def describe(self) -> str:
        relative = f" + {self.relative_shift:g} S_pp" if self.relative_shift else ""
        return f"{self.name}, shift {self.shift:g}{relative}"


def directed(
    natural: NaturalGradient, tangents: Tangents, state: State, iteration: int
) -> tuple[np.ndarray, State, dict]:
    """natural.direction(...), which must be (d (P,), state, row of numbers by name)."""
    what = f"direction of {type(natural).__name__}"
    found: object = natural.direction(tangents, state, iteration)
    if not (isinstance(found, tuple) and len(found) == 3 and isinstance(found[2], dict)):
        raise TypeError(
            f"{what} returns {shown(found)}; expected (d, state, row), state and row dictionaries"
        )
    d = np.asarray(found[0])
    if d.shape != (tangents.size,) or d.dtype.kind not in "fiu":
        raise ValueError(
            f"{what} returns a direction of {d.dtype}, shape {d.shape}; expected real numbers of "
            f"shape {(tangents.size,)}"
        )
    for name, value in found[2].items():
        word = isinstance(name, str) and name.isidentifier()
        if not word or not isinstance(value, int | float | np.integer | np.floating):
            raise ValueError(
                f"{what} returns a row with {name!r} = {shown(value)}; expected a word and a number"
            )
    return d, checked_state(what, found[1], state), found[2]


FORMS = ("auto", "metric", "gram")


class ShiftedMetric:
    """S + D, factorised once by all ranks: as it is, P x P (metric), or through X D^-1 X^T + 1,
    N x N (gram), whose solutions are the same; auto takes the smaller of the two.

    D = shift, a number or (P,). Solutions have the accuracy of float64 (dealt_cholesky.py of
    vmcnet.parallel). All methods are collective, and give the same bits on every rank.
    Raises SingularMetric where the matrix is not positive definite to working precision.
    """

    def __init__(self, tangents: Tangents, shift: Any, form: str = "auto"):
        rows = tangents.walkers * (2 if tangents.dtype.kind == "c" else 1)
        self.tangents, self.shift = tangents, shift
        self.gram = form == "gram" or (form == "auto" and tangents.size > rows)
        if self.gram:
            self._scale, unit = _scaling(shift)
            self._factors = tangents.gram_factors(self._scale, unit)
            self._what = f"the Gram matrix of the walkers with shift {unit:g}"
            return
        # A relative shift of a parameter without effect is 0, as is its gradient.
        self._factors = tangents.factorised(tangents.metric(), np.where(shift > 0, shift, 1))
        self._what = "the metric with its shift"

    def _solved(self, right: Any) -> np.ndarray:
        """The solution for `right`, given on rank 0, on every rank."""
        found = self._factors.solve(right)
        if found is None:
            raise self._singular()
        return found

    def _singular(self) -> SingularMetric:
        return SingularMetric(
            f"{self._what} is not positive definite to working precision: "
            "raise natural_gradient.shift"
        )

    def from_rows(self, rows: Any) -> np.ndarray:
        """(S + D)^-1 X^T x (P,), x a vector over rows."""
        tangents = self.tangents
        if not self.gram:
            return self._solved(tangents.transposed(rows))
        d = tangents.from_vector(self._solved(tangents.gathered(rows)))
        if not np.isfinite(d).all():  # a solution that stays on a device is NaN where there is none
            raise self._singular()
        return d if self._scale is None else self._scale * self._scale * d

    def solve(self, z: np.ndarray) -> np.ndarray:
        """(S + D)^-1 z (P,), z (P,); through the Gram matrix D^-1 (z - X^T (...)^-1 X D^-1 z)."""
        if not self.gram:
            return self._solved(z)
        inverse = 1.0 / self.shift if self._scale is None else self._scale * self._scale
        return inverse * z - self.from_rows(self.tangents.product(inverse * z))


def _scaling(shift: Any) -> tuple[np.ndarray | None, float]:
    """Columns of X scaled by D^-1/2 have shift 1; a number stays a shift, so that outer products
    stay products. -> (scale or None, shift).
    """
    if np.ndim(shift) == 0:
        return None, float(shift)
    return np.divide(1.0, np.sqrt(shift), out=np.zeros(len(shift)), where=shift > 0), 1.0


class SR(NaturalGradient):
    """Stochastic reconfiguration with the whole metric: (S + D) d = F/2, P x P, for up to some
    thousand parameters.

    S. Sorella, Phys. Rev. B 71, 241103 (2005); S is one exact sum a tile of rows, to the rank that
    owns it.
    """

    name, form = "sr", "metric"

    def solve(self, tangents: Tangents, shift: Any, state: State) -> tuple[np.ndarray, State, dict]:
        metric = ShiftedMetric(tangents, shift, "metric")
        return metric.solve(0.5 * tangents.gradient), state, {}


class SRCG(NaturalGradient):
    """The same system by conjugate gradients, without the matrix: one (P,) all-reduce a product.
    They start at 0: from the last direction, whose F is of other walkers, they take more products.

    Stops at |r| <= tolerance |F/2|, or after max_products; both are in the series as
    `solver_products` and `solver_residual`.
    With a relative shift it solves (D^-1/2 S D^-1/2 + 1) y = D^-1/2 F/2. Hestenes and Stiefel, J.
    Res. NBS 49, 409 (1952).
    """

    name = "sr_cg"

    def __init__(
        self,
        shift: float = 1e-3,
        relative_shift: float = 0.0,
        shift_decay: float = 1.0,
        shift_floor: float = 0.0,
        max_norm: float | None = None,
        tolerance: float = 1e-6,
        max_products: int = 200,
    ):
        super().__init__(shift, relative_shift, shift_decay, shift_floor, max_norm)
        self.tolerance = number("SRCG tolerance", tolerance, above=0, below=1)
        self.max_products = whole("SRCG max_products", max_products, 1)

    def solve(self, tangents: Tangents, shift: Any, state: State) -> tuple[np.ndarray, State, dict]:
        scale, shift = _scaling(shift)
        right = 0.5 * tangents.gradient
        right = right if scale is None else scale * right
        y, residual, search, products = np.zeros(len(right)), right.copy(), right.copy(), 0
        norm = square = inner(right, right)
        while square > self.tolerance**2 * norm and products < self.max_products:
            image = tangents.metric_product(search if scale is None else scale * search)
            image = image if scale is None else scale * image
            step = square / shifted(image, shift, search)
            old, square = square, stepped(y, residual, search, image, step)
            followed(search, residual, square / old)
            products += 1
        row = {
            "solver_products": products,
            "solver_residual": float(np.sqrt(square / norm)) if norm else 0.0,
        }
        return y if scale is None else scale * y, state, row


class MinSR(NaturalGradient):
    """d = D^-1 X^T (X D^-1 X^T + 1)^-1 f: the same direction through the N x N Gram matrix of the
    walkers, for any number of parameters.

    A. Chen, M. Heyl, Nat. Phys. 20, 1476 (2024), with a shift for their pseudo-inverse.
    """

    name, form = "minsr", "gram"

    def solve(self, tangents: Tangents, shift: Any, state: State) -> tuple[np.ndarray, State, dict]:
        return ShiftedMetric(tangents, shift, "gram").from_rows(tangents.residuals()), state, {}
