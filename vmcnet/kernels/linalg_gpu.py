"""Determinants of small matrices on the device: the names of vmcnet.kernels.linalg on CuPy
arrays. Numbers agree with the host's to rounding.
"""

from __future__ import annotations

import cupy
import numpy as np

from vmcnet.kernels import cuda_linalg, gpu, plain_linalg
from vmcnet.kernels.linalg import fits


def _launch(name: str, size: int, dtype, *arguments) -> None:
    kind = {4: "float", 8: "double"}[dtype.itemsize]
    gpu.launch(
        gpu.module(cuda_linalg.SOURCE, tuple(cuda_linalg.NAMES)),
        f"{name}<{kind}>",
        size,
        *arguments,
    )


def _innermost(x, lead: int):
    """(..., m, m) with the matrices innermost, (lead axes, m, m, matrices), a copy."""
    m = x.shape[-1]
    x = x.reshape(*x.shape[:lead], -1, m, m)
    return cupy.array(cupy.moveaxis(x, -3, -1), order="C")


def _run(name: str, x, *scratch):
    lead, m = x.shape[:-2], x.shape[-1]
    a = _innermost(x, 0)
    sign, log = cupy.empty(lead, x.dtype), cupy.empty(lead, x.dtype)
    count = a.shape[-1]
    _launch(name, count, x.dtype, a, sign, log, *scratch, np.int64(count), np.int32(m))
    return a, sign, log


def slogdet(x):
    """sign and log|det| (...) of x (..., m, m); 0 and -inf where it is singular."""
    if not fits(x):
        return plain_linalg.slogdet(cupy, x)
    return _run("eliminate", x)[1:]


def inverse(x):
    """The same, and x^-1 first: NaN where x is singular."""
    if not fits(x):
        return plain_linalg.inverse(cupy, x)
    m = x.shape[-1]
    swapped = cupy.empty((m, x.size // (m * m)), np.int32)
    a, sign, log = _run("invert", x, swapped)
    return cupy.ascontiguousarray(cupy.moveaxis(a, -1, 0)).reshape(x.shape), sign, log


def slogpf(x):
    """sign and log|Pf| (...) of antisymmetric x (..., m, m), m even."""
    if not fits(x):
        return plain_linalg.slogpf(cupy, x)
    return _run("pfaffian", x)[1:]


def traces(back, slots):
    """(S, ...): slot c tr M_c, the last tr M_L - sum_c tr(M_c M_c), M_s = back slots_s; slot 0
    free. back (..., m, m), slots (S, ..., m, m).
    """
    if not fits(slots):
        return plain_linalg.traces(cupy, back, slots)
    a, s = _innermost(back, 0), _innermost(slots, 1)
    m, count = slots.shape[-1], a.shape[-1]
    out, squares = (
        cupy.empty(slots.shape[:-2], slots.dtype),
        cupy.empty(slots.shape[:-2], slots.dtype),
    )
    sizes = np.int64(count), np.int32(m), np.int64(out.size)
    _launch("traces", out.size, slots.dtype, a, s, out, squares, *sizes)
    _launch("fold", count, slots.dtype, out, squares, np.int64(count), np.int32(len(slots)))
    return out
