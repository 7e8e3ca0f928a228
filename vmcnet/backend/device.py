"""Where blocks live: host or GPU, and in which precision."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array
from vmcnet.backend.stream import Stream

KINDS, PRECISIONS = ("cpu", "gpu", "auto"), ("float64", "float32")


class Device:
    """Array namespace and floating type of the walkers; theta, optimizers and reductions are
    float64 on the host.
    """

    def __init__(self, xp: Any = np, precision: str = "float64") -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"precision {precision!r}: expected one of {PRECISIONS}")
        self.xp, self.dtype = xp, np.dtype(precision)

    def stream(self, seed: int, stage: int, iteration: int, block: int) -> Stream:
        return Stream(seed, stage, iteration, block, self.dtype, self.xp)

    def place(self, r: Array, s: Array) -> tuple[Array, Array]:
        """Coordinates and spin labels, from the host, as the device keeps them."""
        return self.xp.asarray(r, dtype=self.dtype), self.xp.asarray(s)

    def __reduce__(self) -> tuple:
        return _restored, (self.xp.__name__, self.dtype.name)

    def describe(self) -> str:
        return f"{'cpu' if self.xp is np else self.xp.__name__}, {self.dtype}"


def _restored(module: str, precision: str) -> Device:
    """What pickle made of a Device."""
    return Device(import_module(module), precision)


def choose(kind: str, precision: str = "float64", local_rank: int = 0) -> Device:
    """The device of this rank: cpu, gpu (number local_rank modulo the GPUs of this machine), or
    auto: a GPU where there is one.

    Raises ValueError for gpu where CuPy or a GPU is missing.
    """
    if kind not in KINDS:
        raise ValueError(f"device {kind!r}: expected one of {KINDS}")
    if kind == "cpu":
        return Device(np, precision)
    try:
        import cupy
    except ImportError:
        problem, count = "CuPy is not installed: pip install 'vmcnet[cuda12]'", 0
    else:
        count = cupy.cuda.runtime.getDeviceCount() if cupy.cuda.is_available() else 0
        problem = f"CuPy {cupy.__version__} finds no CUDA device"
    if count:
        cupy.cuda.Device(local_rank % count).use()
        return Device(cupy, precision)
    if kind == "gpu":
        raise ValueError(
            f'device = "gpu", but {problem}; device = "auto" takes the CPU where there is no GPU'
        )
    return Device(np, precision)
