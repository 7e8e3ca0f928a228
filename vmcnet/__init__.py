"""vmcnet: a distributed variational Monte Carlo and training engine.

The names below are loaded when first used, so that `import vmcnet` costs little and needs no MPI,
GPU, numba or HDF5.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vmcnet.version import VERSION as __version__

if TYPE_CHECKING:  # what editors and type checkers see
    from vmcnet import observables, optimizers, sampling, systems, wavefunctions
    from vmcnet.engine.evaluation import evaluate
    from vmcnet.engine.limits import limits
    from vmcnet.geometry.box import Box
    from vmcnet.parallel.communicators import connect
    from vmcnet.runs.reading import Run, open_run
    from vmcnet.runs.training import Stopped, train

_HOME = {
    "train": "vmcnet.runs.training",
    "Stopped": "vmcnet.runs.training",
    "Run": "vmcnet.runs.reading",
    "evaluate": "vmcnet.engine.evaluation",
    "limits": "vmcnet.engine.limits",
    "open_run": "vmcnet.runs.reading",
    "connect": "vmcnet.parallel.communicators",
    "Box": "vmcnet.geometry.box",
    "systems": None,
    "wavefunctions": None,
    "optimizers": None,
    "sampling": None,
    "observables": None,
}
__all__ = [
    "Box",
    "Run",
    "Stopped",
    "__version__",
    "connect",
    "evaluate",
    "limits",
    "observables",
    "open_run",
    "optimizers",
    "sampling",
    "systems",
    "train",
    "wavefunctions",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'vmcnet' has no attribute {name!r}")
    home = _HOME[name]
    # the public name of that module, or the module itself
    return getattr(import_module(home), name) if home else import_module(f"vmcnet.{name}")


def __dir__() -> list[str]:
    return sorted(__all__)
