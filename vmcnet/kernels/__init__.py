"""Hot loops: for one namespace and type one object, a `Kernels`, whose functions are compiled
passes where there are any (cpu: numba, gpu: CUDA), and otherwise the array code of plain.py.

A new function is written in plain.py, named in its __all__, and compiled in cpu.py or gpu.py under
the same name, with the same arguments but the namespace.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

NEAR = 2**21  # bytes of a second cache


def route(environ: Mapping[str, str] = os.environ) -> str:
    """VMCNET_PRODUCTS: own (loops for matrix products, where the processor has them) or blas;
    raises ValueError for another word.
    """
    word = environ.get("VMCNET_PRODUCTS", "own")
    if word not in ("own", "blas"):
        raise ValueError(f"VMCNET_PRODUCTS={word}: expected own or blas")
    return word


class Kernels:
    """The functions of plain.py for arrays of the namespace xp, by the compiled passes of the same
    names in `modules`, where they have them.

    near: bytes of a call's arrays that stay near the processor; None: the more the better.
    """

    def __init__(self, xp, *modules, near: int | None = None):
        from vmcnet.kernels import plain

        passes = {}
        for module in modules:
            passes |= vars(module)
        for name in plain.__all__:
            setattr(self, name, passes.get(name) or partial(vars(plain)[name], xp))
        self.modules, self.near = modules, near

    if TYPE_CHECKING:  # the names of plain.py, set above

        def __getattr__(self, name: str) -> Callable[..., Any]: ...


@lru_cache(maxsize=256)
def of(xp, *dtypes) -> Kernels:
    """The kernels for arrays of this namespace and these types: compiled passes are of float64 or
    float32, on the host those of matrices of complex numbers too, all arrays alike.
    """
    kind = dtypes[0].char if len(set(dtypes)) == 1 else ""
    return _of(xp, "real" if kind in tuple("fd") else "complex" if kind in tuple("FD") else "")


@lru_cache(maxsize=16)
def _of(xp, kind: str) -> Kernels:
    if kind and xp is np:  # the one place that asks
        from vmcnet.kernels import cpu, excitation_passes, linalg

        matrices = linalg, excitation_passes  # of complex numbers too
        passes = (cpu, *matrices) if kind == "real" else matrices
        return Kernels(xp, *passes, near=NEAR)
    if kind == "real" and xp.__name__ == "cupy":
        from vmcnet.kernels import gpu, linalg_gpu

        return Kernels(xp, gpu, linalg_gpu)
    return Kernels(xp)
