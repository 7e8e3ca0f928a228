"""vmcnet: a distributed variational Monte Carlo and training engine.

The names below are loaded when first used, so that `import vmcnet` costs little and needs no MPI,
GPU, numba or HDF5.
"""

from importlib import import_module

from vmcnet.version import VERSION as __version__

_HOME = {
    "train": "vmcnet.engine.training",
    "evaluate": "vmcnet.engine.evaluation",
    "limits": "vmcnet.engine.limits",
    "connect": "vmcnet.parallel.communicators",
    "Box": "vmcnet.geometry.box",
    "systems": None,
    "wavefunctions": None,
    "optimizers": None,
    "sampling": None,
}
__all__ = ["__version__", *_HOME]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'vmcnet' has no attribute {name!r}")
    home = _HOME[name]
    return getattr(import_module(home), name) if home else import_module(f"vmcnet.{name}")


def __dir__():
    return sorted(__all__)
