"""Compiled hot loops: cpu (numba) and gpu (CUDA source), with one interface; `of` finds them, or
says that there are none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache

import numpy as np


def route(environ: Mapping[str, str] = os.environ) -> str:
    """VMCNET_PRODUCTS: own (loops for matrix products, where the processor has them) or blas;
    raises ValueError for another word.
    """
    word = environ.get("VMCNET_PRODUCTS", "own")
    if word not in ("own", "blas"):
        raise ValueError(f"VMCNET_PRODUCTS={word}: expected own or blas")
    return word


@lru_cache(maxsize=64)
def of(xp, dtype):
    """The compiled kernels for arrays of this namespace and type; None where plain array code
    serves (complex, extended precision).
    """
    if dtype not in (np.float32, np.float64):
        return None
    if xp is np:
        from vmcnet.kernels import cpu

        return cpu
    if xp.__name__ == "cupy":
        from vmcnet.kernels import gpu

        return gpu
    return None


@lru_cache(maxsize=64)
def linalg_of(xp, dtype, rows: int):
    """Compiled determinants of (..., rows, rows) matrices of this namespace and type; None where
    LAPACK or plain array code serves.
    """
    from vmcnet.kernels import linalg

    if linalg.fits(xp, dtype, rows):
        return linalg
    if of(xp, dtype) is not None and xp is not np and rows <= linalg.LARGEST:
        from vmcnet.kernels import linalg_gpu

        return linalg_gpu
    return None
