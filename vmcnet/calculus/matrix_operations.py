"""The operations of `ops` that choose entries, multiply matrices and make determinants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vmcnet.backend.arrays import Array
from vmcnet.calculus import applied, determinant, excitations, matrices, selection
from vmcnet.calculus.quantity import Handle


class MatrixOperations:
    """A part of the interpreters: their `apply` does the work."""

    if TYPE_CHECKING:  # what Interpreter has besides

        def __getattr__(self, name: str) -> Any: ...

    def take(self, x: Handle, index: Any, axis: int = 1) -> Handle:
        """The entries `index`, fixed integers, along one axis after the walkers'; axis 1, the
        particles, unless told otherwise.
        """
        axis = self._axis(x, axis)
        index = selection.indices(x.shape, index, axis)
        return self.apply(selection.TAKE, (x,), index=index, axis=axis)

    def select(self, x: Handle, rows: Array) -> Handle:
        """The particles rows (w, m), integers of this namespace, different ones for every walker
        and each at most once: (w, n, ...) -> (w, m, ...).
        """
        if len(rows.shape) != 2 or rows.shape[0] != x.shape[0]:
            raise ValueError(
                f"select needs rows (walkers, m) for a quantity of shape {x.shape}, got "
                f"{rows.shape}"
            )
        return self.apply(selection.SELECT, (x,), rows=rows)

    def component(self, x: Handle, k: int) -> Handle:
        """Entry k of the last axis: (w, n, d) -> (w, n), one coordinate of every particle."""
        return self.sum(self.take(x, (k,), axis=-1), axis=-1)

    def reshape(self, x: Handle, *shape: int) -> Handle:
        """The same numbers in the shape (w, *shape); one length may be -1."""
        if len(shape) == 1 and not isinstance(shape[0], int):
            shape = tuple(shape[0])
        return self.apply(selection.RESHAPE, (x,), shape=selection.filled(x.shape, shape))

    def applied(self, functions: Any, x: Handle) -> Handle:
        """f_k(x) of a fixed set of functions that brings its derivatives (calculus.applied): x
        (w, ..., d) -> (w, ..., K), orbitals at all particles' positions.
        """
        return self.apply(applied.APPLIED, (x,), functions=functions)

    def stack(self, handles: Sequence[Handle]) -> Handle:
        """Quantities of one shape (w, ...) along a new last axis."""
        return self.concatenate([self.expand(x, -1) for x in handles])

    def matmul(self, a: Handle, b: Any) -> Handle:
        """a b of two walker quantities (w, ..., p, q) and (w, ..., q, r) -> (w, ..., p, r)."""
        fits = len(a.shape) == len(b.shape) > 2 and a.shape[1:-2] == b.shape[1:-2]
        if a.is_parameter or b.is_parameter or not fits or a.shape[-1] != b.shape[-2]:
            raise ValueError(
                f"matmul of shapes {a.shape} and {b.shape}: expected (walkers, ..., p, q) and "
                "(walkers, ..., q, r); a parameter as second factor belongs into ops.affine"
            )
        return self.apply(matrices.MATMUL, (a, b))

    def transpose(self, x: Handle) -> Handle:
        """The last two axes exchanged: (w, ..., p, q) -> (w, ..., q, p)."""
        if x.is_parameter or len(x.shape) < 3:
            raise ValueError(f"transpose needs shape (walkers, ..., p, q), got {x.shape}")
        return self.apply(matrices.TRANSPOSE, (x,))

    def softmax(self, x: Handle) -> Handle:
        """exp(x_k) / sum_j exp(x_j) along the last axis."""
        return self.apply(matrices.SOFTMAX, (x,))

    def slogdet(self, x: Handle, count: int | None = None) -> tuple[Any, Handle]:
        """sign without derivative, and log|det x|, both (w,), of x (w, m, m); (w, K) of x (w, K, m,
        m), or of `count` = K matrices side by side, x (w, m, K m).

        Of complex x: None and the complex log det.
        """
        square = x.shape[-2:] if count is None else (x.shape[-2] * count, x.shape[-1])
        if x.is_parameter or len(x.shape) not in ((3, 4) if count is None else (3,)):
            square = (0, 1)
        if square[0] != square[1]:
            expected = "(walkers, m, m) or (walkers, K, m, m)"
            if count is not None:
                expected = f"(walkers, m, {count} m)"
            raise ValueError(f"slogdet needs shape {expected}, got {x.shape}")
        return self._signed(self.apply(determinant.SLOGDET, (x,), count=count))

    def excited(self, spins: Any, coefficients: Handle, forms: Any) -> tuple[Any, Handle]:
        """sign and log of det A_up det A_down (1 + sum_o c_o T_o), both (w,): spins [(A, V), ...]
        of one or two spins, A (w, m, m) occupied and V (w, m, v) virtual orbitals, c (classes,) a
        parameter, forms a calculus.excitations.PairForms. Of complex orbitals: None and the log.
        """
        fits = all(a.shape[-1] == a.shape[-2] == v.shape[-2] for a, v in spins)
        if not fits or len(spins) > 2 or coefficients.shape != (forms.classes,):
            shapes = [(a.shape, v.shape) for a, v in spins]
            raise ValueError(
                "excited needs (walkers, m, m) and (walkers, m, v) of one or two spins and "
                f"({forms.classes},) coefficients, got {shapes} and {coefficients.shape}"
            )
        args = [x for pair in spins for x in pair]
        return self._signed(self.apply(excitations.EXCITED, (*args, coefficients), forms=forms))

    def log_pfaffian(self, x: Handle) -> tuple[Any, Handle]:
        """sign without derivative, and log|Pf A| of A = (x - x^T)/2, both (w,), of x (w, m, m), m
        even; (w, K) of x (w, K, m, m). Of complex x: None and the complex log Pf.
        """
        if len(x.shape) not in (3, 4) or x.shape[-1] != x.shape[-2] or x.shape[-1] % 2:
            raise ValueError(
                "log_pfaffian needs shape (walkers, m, m) or (walkers, K, m, m), m even, got "
                f"{x.shape}"
            )
        return self._signed(self.apply(determinant.LOG_PFAFFIAN, (x,)))

    def logsumexp(
        self, logs: Handle, phases: Any = None, weights: Handle | None = None
    ) -> tuple[Any, Handle]:
        """phase (w,) without derivative, and log|sum_k phases_k weights_k exp(logs_k)| (w,): a sum
        of determinants.

        logs (w, K); phases (w, K), signs as slogdet gives them, or None; weights (K,) a parameter
        or None. The phase is None where nothing can be negative, and of complex sums, whose
        logarithm is complex.
        """
        if len(logs.shape) != 2 or (
            weights is not None and (not weights.is_parameter or weights.shape != logs.shape[1:])
        ):
            raise ValueError(
                f"logsumexp needs logs (walkers, K) and weights a parameter (K,), got {logs.shape} "
                f"and {None if weights is None else weights.shape}"
            )
        parts = [x for x in (logs, self.phase(phases), weights) if x is not None]
        result = self.apply(determinant.LOGSUMEXP, tuple(parts), phased=phases is not None)
        phase, log = self._signed(result)
        return (None if len(parts) == 1 else phase), log

    @staticmethod
    def _signed(result: Any) -> tuple[Any, Handle]:
        sign, log = result
        return (None if log.dtype.kind == "c" else sign), log
