"""The list of operations that log_psi may use.

A wavefunction is written once, `log_psi(ops, theta, walkers)`; `ops` is one of three interpreters
of the same operations: values.py (numbers), jets.py (all coordinate derivatives and the Laplacian)
and tape.py (reverse mode).
"""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array
from vmcnet.calculus import arithmetic, dense, elementwise, linear, norm, pairs
from vmcnet.calculus.jet import pair_arrays
from vmcnet.calculus.matrix_operations import MatrixOperations
from vmcnet.calculus.pointwise import PointwiseOperations
from vmcnet.calculus.quantity import Handle, is_number


def plain(x: Any) -> Any:
    """A Python number: a NumPy scalar would promote float32 arrays to float64."""
    if isinstance(x, int | float):
        return float(x)
    return (
        complex(x)
        if isinstance(x, numbers.Complex) and not isinstance(x, numbers.Real)
        else float(x)
    )


class Interpreter(MatrixOperations, PointwiseOperations):
    """The operations. A subclass gives `apply(operation, handles, **static)`, `constant`,
    `parameter`, `coordinates`.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        known = [n for n in dir(Interpreter) if not n.startswith("_")]
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean ops.{near[0]}?" if near else "docs/extending.md lists all"
        raise AttributeError(f"ops has no operation {name!r}; {hint}")

    def apply(self, operation: Any, args: Any, **static: Any) -> Any:
        raise TypeError("Interpreter is abstract: use Values, Jets or Tape")

    def constant(self, array: Array) -> Handle:
        """A fixed array as a quantity: one for all walkers, of shape (1, ...), or (w, ...)."""
        raise TypeError("Interpreter is abstract: use Values, Jets or Tape")

    @staticmethod
    def _of_parameters(operation: Any, args: Any) -> bool:
        """Whether all arguments are parameters, so that the result is one."""
        if not args[0].is_parameter or False in [a.is_parameter for a in args]:
            return False
        if not operation.pointwise:
            raise TypeError(
                f"{operation.name} of parameters alone: among parameters use elementwise "
                "functions and + - * / **"
            )
        return True

    def _binary(self, operation: Any, scalar: Any, a: Handle, b: Any) -> Handle:
        if not isinstance(b, Handle):
            if is_number(b):
                return a if b == operation.unit else self.apply(scalar, (a,), number=plain(b))
            raise TypeError(
                f"{operation.name} of a quantity inside log_psi and a {type(b).__name__}: wrap "
                "fixed arrays with ops.constant(...)"
            )
        self._match(operation, a, b)
        return self.apply(operation, (a, b))

    @staticmethod
    def _match(operation: Any, a: Handle, b: Any) -> None:
        na, nb = len(a.shape), len(b.shape)
        if a.is_parameter and b.is_parameter:
            fits = all(
                k == m or 1 in (k, m) for k, m in zip(a.shape[::-1], b.shape[::-1], strict=False)
            )
        elif a.is_parameter:
            fits = na < nb
        else:
            fits = nb < na if b.is_parameter else na == nb
        if not fits:
            raise ValueError(
                f"{operation.name} of shapes {a.shape} and {b.shape}: walker quantities need the "
                "same number of "
                "axes (walkers first), parameters fewer; use ops.expand or ops.reshape"
            )

    def add(self, a: Handle, b: Any) -> Handle:
        """a + b, with broadcasting; b may be a number."""
        return self._binary(arithmetic.ADD, arithmetic.SHIFT, a, b)

    def subtract(self, a: Handle, b: Any) -> Handle:
        """a - b."""
        if is_number(b):
            return self.apply(arithmetic.SHIFT, (a,), number=-plain(b))
        return self._binary(arithmetic.SUBTRACT, None, a, b)

    def multiply(self, a: Handle, b: Any) -> Handle:
        """a b, with broadcasting; b may be a number. A number times a parameter is a parameter."""
        if a.is_parameter and is_number(b):
            out = self.apply(arithmetic.SCALE, (a,), number=plain(b))
            out.is_parameter = True
            return out
        return self._binary(arithmetic.MULTIPLY, arithmetic.SCALE, a, b)

    def divide(self, a: Handle, b: Any) -> Handle:
        """a / b."""
        if is_number(b):
            return a if b == 1 else self.multiply(a, 1.0 / plain(b))
        return self._binary(arithmetic.DIVIDE, None, a, b)

    def power(self, x: Handle, exponent: float) -> Handle:
        """x**exponent with a fixed number as exponent."""
        if not is_number(exponent):
            raise TypeError(
                f"power needs a fixed number as exponent, got {type(exponent).__name__}: write "
                "ops.exp(b * ops.log(a))"
            )
        return self.apply(elementwise.POWER, (x,), exponent=plain(exponent))

    def hard_core(self, x: Handle, radius: float) -> Handle:
        """log(1 - radius/x) of distances x, -inf where x <= radius; radius a number above 0."""
        return self.apply(elementwise.HARD_CORE, (x,), radius=plain(radius))

    def complex(self, a: Handle, b: Any) -> Handle:
        """a + i b of two real quantities."""
        self._match(arithmetic.COMPLEX, a, b)
        return self.apply(arithmetic.COMPLEX, (a, b))

    def affine(self, x: Handle, weight: Handle, bias: Handle | None = None) -> Handle:
        """x W + b: x (w, ..., f), weight (f, h) a parameter, bias (h,) a parameter or None -> (w,
        ..., h).
        """
        self._fits_weight("affine", x, weight)
        args = (x, weight) if bias is None else (x, weight, bias)
        return self.apply(linear.AFFINE, args)

    def dense(self, x: Handle, weight: Handle, bias: Handle | None, activation: str) -> Handle:
        """f(x W + b), the layer of a network: x (w, ..., f), weight (f, h) and bias (h,)
        parameters, f an activation by name.
        """
        self._fits_weight("dense", x, weight)
        if activation not in elementwise.LAYERS:
            raise ValueError(
                f"dense has no activation {activation!r}: expected one of "
                f"{', '.join(elementwise.LAYERS)}"
            )
        return self.apply(dense.DENSE, (x, weight, bias), activation=elementwise.LAYERS[activation])

    def residual(
        self,
        h: Handle,
        terms: Sequence[tuple[Handle, Handle]],
        bias: Handle | None,
        activation: str,
    ) -> Handle:
        """h + f(sum_k x_k W_k + b): terms [(x_1, W_1), ...] with x_k (w, ..., f_k) and parameters
        W_k (f_k, g); h (w, ..., g); bias (g,) a parameter; f an activation by name.
        """
        for x, weight in terms:
            self._fits_weight("residual", x, weight)
            if x.shape[:-1] + weight.shape[1:] != h.shape:
                raise ValueError(
                    f"residual adds to shape {h.shape}; a term of shape {x.shape} and a weight "
                    f"{weight.shape} do not fit"
                )
        if not terms or activation not in elementwise.LAYERS:
            raise ValueError(
                f"residual of {len(terms)} terms with activation {activation!r}: expected at least "
                f"one term and one of {', '.join(elementwise.LAYERS)}"
            )
        flat = [part for term in terms for part in term]
        return self.apply(
            dense.RESIDUAL, (h, bias, *flat), activation=elementwise.LAYERS[activation]
        )

    def pair_labels(self, s: Array, functions: Any) -> Handle:
        """A fixed feature of every pair i < j for each of the functions f(s_i, s_j) of the labels s
        (w, n): (w, n(n-1)/2, functions). f takes two integer arrays and acts on them elementwise.
        """
        i, j = self._pairs(s.shape[1])
        parts = [f(s[:, i], s[:, j])[..., None] for f in functions]
        return self.constant(self.xp.concatenate(parts, axis=-1).astype(self.real_dtype))

    def _pairs(self, n: int) -> Handle:
        return pair_arrays(self.xp, n)

    def fixed(self, array: Array) -> Handle:
        """A fixed matrix or vector in the place of a parameter: W or b of `affine`; the reverse
        pass computes no adjoint for it. Cast to the precision of the coordinates.
        """
        return self.unvaried(_sent(self.xp, np.dtype(self.real_dtype), _Frozen(array)))

    def unvaried(self, array: Array) -> Handle:
        """An array of this namespace as a parameter without adjoint."""
        return self.parameter(array)

    @staticmethod
    def _fits_weight(name: str, x: Handle, weight: Handle) -> None:
        found = weight.shape if isinstance(weight, Handle) else None
        if found is None or not weight.is_parameter or len(found) != 2 or x.shape[-1] != found[0]:
            raise ValueError(
                f"{name} needs a parameter W of shape ({x.shape[-1]}, h); got shape {found}"
            )

    def sum(self, x: Handle, axis: int, keepdims: bool = False) -> Handle:
        """Sum over one axis; axis is negative, or at least 1 (axis 0 is the walker)."""
        return self.apply(linear.SUM, (x,), axis=self._axis(x, axis), keepdims=keepdims)

    def total(self, x: Handle) -> Handle:
        """Sum over all axes but the walkers': (w, ...) -> (w,)."""
        return self.sum(self.flatten(x) if len(x.shape) > 2 else x, axis=-1)

    def mean(self, x: Handle, axis: int, keepdims: bool = False) -> Handle:
        """Mean over one axis: the sum over its length."""
        return self.sum(x, axis, keepdims) * (1.0 / x.shape[self._axis(x, axis)])

    def expand(self, x: Handle, axis: int) -> Handle:
        """Insert an axis of length 1 in front of the last |axis| - 1 ones (axis = -1: at the
        end).
        """
        if axis >= 0:
            raise ValueError(f"expand needs a negative axis, got {axis}")
        return self.apply(linear.EXPAND, (x,), axis=axis)

    def flatten(self, x: Handle) -> Handle:
        """(w, n, f) -> (w, n f)."""
        return self.apply(linear.FLATTEN, (x,))

    def concatenate(self, handles: Sequence[Handle]) -> Handle:
        """Join along the last axis."""
        return self.apply(linear.CONCATENATE, tuple(handles))

    def pairs(self, x: Handle) -> tuple[Handle, Handle]:
        """(w, n, f) -> the two (w, n(n-1)/2, f) holding x_i and x_j of every pair i < j."""
        if len(x.shape) != 3 or x.shape[1] < 2:
            raise ValueError(
                f"pairs needs shape (walkers, at least 2 particles, features), got {x.shape}"
            )
        return self.apply(pairs.GATHER, (x,), side=0), self.apply(pairs.GATHER, (x,), side=1)

    def collect(self, first: Handle, second: Handle) -> Handle:
        """Messages of pairs summed onto particles: first, second (w, n(n-1)/2, f) -> (w, n, f); i
        gets first of (i, j), j gets second.
        """
        if len(first.shape) != 3 or first.shape != second.shape:
            raise ValueError(
                "collect needs two quantities of one shape (walkers, pairs, features), got "
                f"{first.shape} and {second.shape}"
            )
        return self.apply(pairs.COLLECT, (first, second))

    def displacements(self, x: Handle) -> Handle:
        """(w, n, f) -> (w, n(n-1)/2, f): x_i - x_j of every pair i < j. Of the coordinates, in any
        unit, its jet keeps half the slots of a pair.
        """
        if len(x.shape) != 3 or x.shape[1] < 2:
            raise ValueError(
                "displacements needs shape (walkers, at least 2 particles, features), got "
                f"{x.shape}"
            )
        return self.apply(pairs.DISPLACEMENTS, (x,))

    def messages(self, e: Handle, g: Handle, v: Handle) -> Handle:
        """m_i = sum_j e_ij v_j, (w, n, f): v (w, n, f) of the particles j; e, g (w, n(n-1)/2, f),
        e for the receiver i of a pair (i, j), g for the receiver j.
        """
        shapes = e.shape, g.shape, v.shape
        n = v.shape[1] if len(v.shape) == 3 else 0
        if e.shape[1:] != g.shape[1:] or e.shape[1:] != (n * (n - 1) // 2, *v.shape[2:]) or n < 2:
            raise ValueError(
                "messages needs e and g (walkers, n(n-1)/2 pairs, features) and v (walkers, n, "
                f"features), got {shapes}"
            )
        return self.apply(pairs.MESSAGES, (e, g, v))

    def maximum(self, a: Any, b: Any) -> Handle:
        """The larger of two real quantities, or of a quantity and a number."""
        self._real("maximum", a, b)
        return self._binary(arithmetic.MAXIMUM, elementwise.AT_LEAST, a, b)

    def abs(self, x: Handle) -> Handle:
        """|x| of a real quantity, elementwise; its derivative at 0 is 0."""
        self._real("abs", x)
        return self.apply(elementwise.ABS, (x,))

    @staticmethod
    def _real(name: str, *args: Any) -> None:
        if any(isinstance(x, Handle) and x.dtype.kind == "c" for x in args):
            raise TypeError(f"{name} of a complex quantity has no complex derivative")

    def phase(self, phase: Any) -> Any:
        """A phase as a quantity without derivative: what determinants give as it is, arrays (w,
        ...) as constants, None as None.
        """
        return phase if phase is None or isinstance(phase, Handle) else self.constant(phase)

    def peek(self, x: Handle) -> Array:
        """The numbers of x, without derivatives."""
        return x.data

    def norm(self, x: Handle) -> Handle:
        """Euclidean length over the last axis; it has no derivative at 0."""
        return self.apply(norm.NORM, (x,))

    @staticmethod
    def _axis(x: Handle, axis: int) -> int:
        positive = axis + len(x.shape) if axis < 0 else axis
        if not 1 <= positive < len(x.shape):
            raise ValueError(
                f"axis {axis} of a quantity of shape {x.shape}: expected an axis after the walker "
                "axis 0"
            )
        return positive


class _Frozen:
    """A small array as the key of a cache: its numbers decide."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.ascontiguousarray(array)
        self._key = self.array.shape, self.array.dtype.str, self.array.tobytes()

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: Any) -> bool:
        return self._key == other._key


@lru_cache(maxsize=256)
def _sent(xp: Any, real_dtype: Any, frozen: _Frozen) -> Array:
    """The array in a namespace and precision, made (and sent to a device) once."""
    kind = np.result_type(real_dtype, 1j) if frozen.array.dtype.kind == "c" else real_dtype
    return xp.asarray(frozen.array.astype(kind))
