"""Compiled elementwise rules on the host, as the calculus calls them. The plain twins are the rules of vmcnet.calculus.elementwise."""

from __future__ import annotations

import numpy as np

from vmcnet.kernels import numba_activations, numba_jets

ACTIVATIONS = {name: getattr(numba_activations, name) for name in ("tanh", "logistic", "softplus", "logcosh", "gelu", "silu")}


def activation(name: str, x):
    """f(x), f'(x), f''(x), each of x's shape."""
    x = np.ascontiguousarray(x)
    y, slope, curvature = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    ACTIVATIONS[name](x.reshape(-1), y.reshape(-1), slope.reshape(-1), curvature.reshape(-1))
    return y, slope, curvature


def value(name: str, x, overwrite: bool):
    """f(x); NumPy's own tanh is as fast as a compiled one."""
    if name == "tanh":
        return np.tanh(x, out=x if overwrite else None)
    return activation(name, x)[0]


def reverse(name: str, adjoint, x, y):
    """adjoint f'(x), with y = f(x)."""
    if name == "tanh":
        out, adjoint, y = np.empty(y.shape, y.dtype), np.ascontiguousarray(adjoint), np.ascontiguousarray(y)
        numba_activations.tanh_reverse(adjoint.reshape(-1), y.reshape(-1), out.reshape(-1))
        return out
    return adjoint * activation(name, x)[1]


def chain(slots, y, slope, curvature) -> None:
    """Overwrite contiguous jet slots (S, ...) by those of f: y, f' j, and f'' sum_c j_c^2 on top in the Laplacian."""
    numba_jets.chain(slots.reshape(len(slots), -1), y.reshape(-1), slope.reshape(-1), curvature.reshape(-1))


def chain_linear(jacobian, y, slope, curvature):
    """Slots (C + 2, W, F) of f where every walker has the derivatives jacobian (C, 1, F) and the Laplacian 0."""
    rows = jacobian[:, 0]
    out = np.empty((len(rows) + 2, *y.shape), y.dtype)
    numba_jets.chain_linear(rows, (rows * rows).sum(axis=0), y, slope, curvature, out)
    return out
