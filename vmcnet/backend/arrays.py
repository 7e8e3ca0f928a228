"""The array namespace of the data, host and device."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np

Array = Any  # numpy.ndarray, or an array of a device


def namespace(array: Array) -> Any:
    """numpy or cupy (or a stand-in): the module that owns `array`."""
    if isinstance(array, np.ndarray) or np.isscalar(array):
        return np
    return sys.modules[type(array).__module__.split(".")[0]]


def on_host(array: Array) -> bool:
    """Whether compiled loops can work on the array, and looking at its numbers means no waiting."""
    return isinstance(array, np.ndarray)


def read_only(array: Array) -> Array:
    """The array as one that cannot be written to: a view on the host, itself on a device."""
    if isinstance(array, np.ndarray) and array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def writable(array: Array) -> Array:
    """What `read_only` was made from: compiled passes know one kind of array."""
    if isinstance(array, np.ndarray) and not array.flags.writeable and array.base is not None:
        base = array.base
        if (base.shape, base.strides, base.dtype) == (array.shape, array.strides, array.dtype):
            return base
    return array


def to_host(array: Array) -> np.ndarray:
    """A NumPy array with the same values; the only way from a device to the host."""
    return array if isinstance(array, np.ndarray) else array.get()


def seen(arrays: list[Array]) -> list[np.ndarray]:
    """The arrays, all of one type and of one namespace, on the host: those of a device by one copy
    for all, which waits for them.
    """
    if all(isinstance(array, np.ndarray) for array in arrays):
        return arrays
    flat = to_host(namespace(arrays[0]).concatenate([array.reshape(-1) for array in arrays]))
    parts = np.split(flat, np.cumsum([array.size for array in arrays])[:-1])
    return [x.reshape(array.shape) for x, array in zip(parts, arrays, strict=True)]


def keep_memory() -> bool:
    """Tell glibc to keep freed memory for the next array instead of giving it back to the system;
    whether it was told so.

    Arrays of 1 to 30 MB would otherwise be page-faulted at every operation. Other C libraries have
    no mallopt: nothing is changed.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    trim, mmap = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
    return bool(mallopt(trim, 1 << 30) and mallopt(mmap, 1 << 30))
