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

    @property
    def card(self) -> str:
        """The GPU and its libraries, which last digits depend on; "" on the host."""
        return card(self.xp) if self.xp.__name__ == "cupy" else ""

    def describe(self) -> str:
        return f"{'cpu' if self.xp is np else self.card or self.xp.__name__}, {self.dtype}"


def _restored(module: str, precision: str) -> Device:
    """What pickle made of a Device."""
    return Device(import_module(module), precision)


def found() -> tuple[Any, str]:
    """CuPy, where it is installed and finds a CUDA device; otherwise None, and why."""
    try:
        import cupy
    except ModuleNotFoundError:
        return None, "CuPy is not installed: pip install 'cupy-cuda12x[ctk]', or cupy-cuda13x[ctk]"
    except ImportError as error:  # without the driver's or CUDA's libraries
        return None, f"CuPy cannot be imported: {_line(error)}"
    name = f"CuPy {cupy.__version__}"
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # no driver, or an old one
        return None, f"{name} finds no CUDA device: {_line(error)}"
    if not count:
        return None, f"{name} finds no CUDA device"
    return cupy, ""


def card(cupy: Any) -> str:
    """The present GPU and its libraries, which last digits depend on."""
    runtime = cupy.cuda.runtime
    name = runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    return f"{name}, CuPy {cupy.__version__}, CUDA {runtime.runtimeGetVersion()}"


def memory(xp: Any) -> int:
    """Bytes of memory of the present GPU; what has none, as the tests' stand-in, counts as a small
    one.
    """
    return int(xp.cuda.Device().mem_info[1]) if xp.__name__ == "cupy" else 2**33


def _line(error: Exception) -> str:
    """The last line of an error that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" =-\n")]
    return lines[-1] if lines else type(error).__name__


def choose(kind: str, precision: str = "float64", local_rank: int = 0) -> Device:
    """The device of this rank: cpu, gpu (number local_rank modulo the GPUs of this machine), or
    auto: a GPU where there is one.

    Raises ValueError for gpu where CuPy or a GPU is missing.
    """
    if kind not in KINDS:
        raise ValueError(f"device {kind!r}: expected one of {KINDS}")
    if kind == "cpu":
        return Device(np, precision)
    cupy, problem = found()
    if cupy:
        count = cupy.cuda.runtime.getDeviceCount()
        cupy.cuda.Device(local_rank % count).use()
        return Device(cupy, precision)
    if kind == "gpu":
        raise ValueError(
            f'device = "gpu", but {problem}; device = "auto" takes the CPU where there is no GPU'
        )
    return Device(np, precision)
