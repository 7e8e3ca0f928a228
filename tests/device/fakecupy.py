"""A strict stand-in for CuPy on the host: arrays that never mix with NumPy's without an explicit,
counted transfer.

As in CuPy, arithmetic with a host array, indexing by one, np.asarray(device array), and NumPy
functions of host and device arrays together raise TypeError; asarray, asnumpy and get are the
bridges, and everything that waits for the device (float, int, bool, item, get) counts as a transfer
to the host: `transfers`, its bytes in `sizes`. Reductions give arrays without axes. `launches`
counts what would be a kernel: every array that is made or filled, views not among them. Not
modelled: streams, compiled kernels, and which NumPy functions CuPy lacks beyond MISSING.
"""

import sys
import types

import numpy as np
from scipy import linalg as scipy_linalg

transfers = {"to_device": 0, "to_host": 0}
sizes = {"to_host": 0}
launches = {"arrays": 0}
MISSING = {
    "fromiter",
    "frompyfunc",
    "vectorize",
    "array2string",
    "apply_over_axes",
    "save",
    "savez",
    "load",
}
PLAIN = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    slice,
    type,
    types.NoneType,
    types.EllipsisType,
    np.generic,
    np.dtype,
    np.ufunc,
)
__name__ = "fakecupy"
sys.modules["fakecupy"] = sys.modules["tests.device.fakecupy"]


class DeviceMixingError(TypeError):
    """A host array met the device without a transfer."""


def lower(x):
    """Device arrays in any nesting -> NumPy arrays; a host array is refused."""
    if isinstance(x, ndarray):
        return x._host
    if isinstance(x, np.ndarray):
        raise DeviceMixingError(f"a host array of shape {x.shape} where a device array is expected")
    if isinstance(x, dict):
        return {k: lower(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return type(x)(lower(v) for v in x)
    if isinstance(x, PLAIN) or callable(x):
        return x
    raise DeviceMixingError(f"unsupported type {type(x).__name__}")


def lift(x):
    """NumPy results in any nesting -> device arrays."""
    if isinstance(x, np.ndarray | np.generic):
        return ndarray(np.asarray(x))
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(lift(v) for v in x))
    return type(x)(lift(v) for v in x) if isinstance(x, list | tuple) else x


def launched(result, *seen):
    """The result; counted where it has memory of its own."""
    if isinstance(result, list | tuple):
        for x in result:
            launched(x, *seen)
    elif isinstance(result, np.generic) or (
        isinstance(result, np.ndarray) and not any(np.may_share_memory(result, x) for x in seen)
    ):
        launches["arrays"] += 1
    return result


def called(function, args, options):
    out = options.get("out")
    seen = [x._host for x in args if isinstance(x, ndarray)]
    result = launched(function(*lower(args), **lower(options)), *(seen if out is None else ()))
    return lift(result) if out is None else out[0] if isinstance(out, tuple) else out


def shaped(function, args, options, called=called):
    """What `called` gives, of products with last bits that depend on how many rows the call has, as
    a library's may.
    """
    out = called(function, args, options)
    if np.matmul in (function, getattr(function, "__self__", None)):
        out._host *= 1 + 8 * (len(out) % 101) * np.finfo(out.dtype).eps
    return out


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):
    __slots__ = ("_host",)
    __hash__ = None

    def __init__(self, host):
        self._host = host

    def __array__(self, *args, **options):
        raise DeviceMixingError(
            "implicit conversion of a device array to a NumPy array: use get() or asnumpy"
        )

    def __array_ufunc__(self, ufunc, method, *args, **options):
        return called(getattr(ufunc, method), args, options)

    def __array_function__(self, function, types, args, options):
        if function.__name__ in MISSING:
            raise AttributeError(f"module 'cupy' has no attribute {function.__name__!r}")
        return called(function, args, options)

    def __getitem__(self, index):
        return lift(launched(self._host[lower(index)], self._host))

    def __setitem__(self, index, value):
        launches["arrays"] += 1
        self._host[lower(index)] = lower(value)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        attribute = getattr(self._host, name)
        if callable(attribute):
            return lambda *args, **options: lift(
                launched(attribute(*lower(args), **lower(options)), self._host)
            )
        return lift(attribute) if isinstance(attribute, np.ndarray) else attribute

    def _waited(self):
        transfers["to_host"] += 1
        sizes["to_host"] += self._host.nbytes
        return self._host

    def get(self):
        return self._waited().copy()

    def item(self, *args):
        return self._waited().item(*args)

    def __float__(self):
        return float(self._waited())

    def __int__(self):
        return int(self._waited())

    def __bool__(self):
        return bool(self._waited())

    def __complex__(self):
        return complex(self._waited())

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def __repr__(self):
        return f"device {self._host!r}"


ndarray.__module__ = "fakecupy"


def asarray(x, dtype=None, order=None):
    if isinstance(x, ndarray):
        return x if dtype is None or x.dtype == dtype else x.astype(dtype)
    transfers["to_device"] += 1
    return ndarray(np.array(x, dtype=dtype, order=order))


def array(x, dtype=None, order="K"):
    return (
        ndarray(np.array(x._host, dtype=dtype, order=order))
        if isinstance(x, ndarray)
        else asarray(x, dtype, order)
    )


def asnumpy(x):
    return x.get()


class Module:
    """linalg, fft: the functions of a NumPy module for device arrays."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        return cholesky if name == "cholesky" else of(self._module, name)


def of(module, name):
    if name in MISSING or name.startswith("__"):
        raise AttributeError(f"module 'cupy' has no attribute {name!r}")
    thing = getattr(module, name)
    if isinstance(thing, types.ModuleType):
        return Module(thing)
    if isinstance(thing, type) or not callable(thing):
        return thing
    return lambda *args, **options: called(thing, args, options)


def cholesky(a):
    """As in CuPy nothing is said of a matrix that is not positive definite: what was made up to
    there, and the rest as it was.
    """

    def factorised(x):
        if x.ndim != 2 or x.dtype != np.float64:
            raise NotImplementedError(f"{x.ndim} axes of {x.dtype}")
        return scipy_linalg.lapack.dpotrf(x, lower=True, clean=True)[0]

    return called(factorised, (a,), {})


def solve_triangular(
    a, b, trans=0, lower=False, unit_diagonal=False, overwrite_b=False, check_finite=False
):
    """That of cupyx.scipy.linalg, whose arguments have other defaults than SciPy's."""
    for x in (a, b):
        if not isinstance(x, ndarray):
            raise TypeError(f"{type(x).__name__} where an array of the device is expected")
    options = {"lower": lower, "unit_diagonal": unit_diagonal, "check_finite": check_finite}
    return called(scipy_linalg.solve_triangular, (a, b, trans), options)


def __getattr__(name):
    return of(np, name)


beside = types.ModuleType("fakecupyx.scipy.linalg")  # cupyx beside cupy
beside.solve_triangular = solve_triangular
sys.modules[beside.__name__] = beside
