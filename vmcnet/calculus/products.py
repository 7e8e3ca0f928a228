"""The matrix products of a layer: x W, adj W^T and the sum over all rows x^T adj."""

from __future__ import annotations

from vmcnet import kernels
from vmcnet.backend.arrays import namespace

ROWS = 1024  # rows of one chain of sums in x^T adj


def _product(a, b, transposed_a=False, transposed_b=False):
    """a b of two matrices, or of their transposes."""
    own = kernels.of(namespace(a), a.dtype, b.dtype)
    return own.matrix_product(a, b, transposed_a, transposed_b)


def matmul(x, weight):
    """x W: (..., f) and (f, h) -> (..., h)."""
    if x.ndim == 2:
        return _product(x, weight)
    return _product(x.reshape(-1, x.shape[-1]), weight).reshape(x.shape[:-1] + (weight.shape[1],))


def matmul_transposed(adjoint, weight):
    """adj W^T: (..., h) and (f, h) -> (..., f)."""
    if adjoint.ndim == 2:
        return _product(adjoint, weight, transposed_b=True)
    return _product(adjoint.reshape(-1, adjoint.shape[-1]), weight, transposed_b=True).reshape(
        adjoint.shape[:-1] + (weight.shape[0],)
    )


def block_contract(x, adjoint, blocks: int):
    """What `contract` gives of every block of rows, (blocks, f, h)."""
    if x.ndim > 2:
        x, adjoint = x.reshape(-1, x.shape[-1]), adjoint.reshape(-1, adjoint.shape[-1])
    rows = len(x) // blocks
    if rows <= ROWS:
        return kernels.of(namespace(x), x.dtype, adjoint.dtype).block_products(x, adjoint, blocks)
    parts = [slice(k * rows, (k + 1) * rows) for k in range(blocks)]
    return namespace(x).stack([contract(x[p], adjoint[p]) for p in parts])


def contract(x, adjoint):
    """x^T adj: the sum over all rows of (..., f) and (..., h) -> (f, h); by ROWS rows, whose sums
    are added.
    """
    if x.ndim > 2:
        x, adjoint = x.reshape(-1, x.shape[-1]), adjoint.reshape(-1, adjoint.shape[-1])
    if len(x) <= ROWS:
        return _product(x, adjoint, transposed_a=True)
    out = _product(x[:ROWS], adjoint[:ROWS], transposed_a=True)
    for first in range(ROWS, len(x), ROWS):
        out += _product(x[first : first + ROWS], adjoint[first : first + ROWS], transposed_a=True)
    return out
