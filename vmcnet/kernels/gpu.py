"""Device kernels on CuPy arrays, under the names of plain.py, whose array code they must equal to
rounding.
"""

from __future__ import annotations

from functools import lru_cache

import cupy
import numpy as np

from vmcnet.kernels import activations, cuda_source, ewald_cuda, plain

THREADS = 256


@lru_cache(maxsize=8)
def module(source: str, names: tuple):
    """CUDA source, compiled once a process."""
    return cupy.RawModule(code=source, options=("--std=c++17",), name_expressions=list(names))


def launch(kernels, name: str, size: int, *arguments) -> None:
    """One thread for each of `size` elements; nothing where there is none."""
    if size:
        kernels.get_function(name)((-(-size // THREADS),), (THREADS,), arguments)


def _launch(name: str, size: int, *arguments) -> None:
    names = (*cuda_source.NAMES, "philox_words")
    launch(module(cuda_source.SOURCE, names), name, size, *arguments)


def _type(array) -> str:
    return {4: "float", 8: "double"}[array.dtype.itemsize]


def activation(name: str, x):
    """f(x), f'(x), f''(x), each of x's shape."""
    x = cupy.ascontiguousarray(x).reshape(x.shape)
    y, slope, curvature = cupy.empty_like(x), cupy.empty_like(x), cupy.empty_like(x)
    _launch(
        f"activation<{_type(x)}, {activations.NAMES.index(name)}>",
        x.size,
        x,
        y,
        slope,
        curvature,
        np.int64(x.size),
    )
    return y, slope, curvature


def activation_value(name: str, x):
    """f(x)."""
    return activation(name, x)[0]


def activation_slope(name: str, x, y):
    """f'(x), y = f(x)."""
    return activation(name, x)[1]


def layer(name: str, z, bias):
    """f(z + b), z (..., F) contiguous and overwritten, b (F,)."""
    _launch(
        f"layer<{_type(z)}, {activations.NAMES.index(name)}>",
        z.size,
        z,
        bias,
        np.int64(z.size),
        np.int32(z.shape[-1]),
    )
    return z


def layer_slope(name: str, z, bias):
    """The same, and f'(z + b) of z's shape."""
    slope = cupy.empty_like(z)
    _launch(
        f"layer_slope<{_type(z)}, {activations.NAMES.index(name)}>",
        z.size,
        z,
        bias,
        slope,
        np.int64(z.size),
        np.int32(z.shape[-1]),
    )
    return z, slope


def chain(slots, y, slope, curvature) -> None:
    """Overwrite contiguous jet slots (S, ...) by those of f: y, f' j, and f'' sum_c j_c^2 on top in
    the Laplacian.
    """
    y, slope, curvature = (cupy.ascontiguousarray(a) for a in (y, slope, curvature))
    _launch(
        f"chain<{_type(slots)}>",
        y.size,
        slots,
        y,
        slope,
        curvature,
        np.int64(y.size),
        np.int32(len(slots)),
    )


def product(p, q):
    """Slots (S, ...) of the product of two jets: p0 q0, p0 q_c + q0 p_c, and 2 sum_c p_c q_c on top
    in the Laplacian.
    """
    if p.shape != q.shape:
        return plain.product(cupy, p, q)
    p, q = cupy.ascontiguousarray(p), cupy.ascontiguousarray(q)
    out = cupy.empty_like(p)
    _launch(f"product<{_type(p)}>", p[0].size, p, q, out, np.int64(p[0].size), np.int32(len(p)))
    return out


def chain_linear(jacobian, y, slope, curvature):
    """Slots (C + 2, W, F) of f where every walker has the derivatives jacobian (C, 1, F) and the
    Laplacian 0.
    """
    if y.ndim != 2:
        return plain.chain_linear(cupy, jacobian, y, slope, curvature)
    jacobian, y, slope, curvature = (
        cupy.ascontiguousarray(a) for a in (jacobian, y, slope, curvature)
    )
    out = cupy.empty((len(jacobian) + 2, *y.shape), y.dtype)
    _launch(
        f"chain_linear<{_type(y)}>",
        y.size,
        jacobian,
        y,
        slope,
        curvature,
        out,
        np.int64(y.size),
        np.int32(y.shape[1]),
        np.int32(len(jacobian)),
    )
    return out


def moved(thresholds, log, trial_log, ratio, r, trial, accepted, bad):
    """Decide a Metropolis step: log (W,) and r (W, ...) become those of the trial where that is
    accepted, (W,) bool; counts are added.
    """
    several = not np.isscalar(ratio) and ratio.ndim == 1
    types = {x.dtype for x in (thresholds, log, trial_log, r, trial, *([ratio] * several))}
    whole = all(x.flags.c_contiguous for x in (log, r, accepted, bad))
    if len(types) > 1 or not whole or not (several or np.isscalar(ratio)):
        return plain.moved(cupy, thresholds, log, trial_log, ratio, r, trial, accepted, bad)
    thresholds, trial_log, trial = map(cupy.ascontiguousarray, (thresholds, trial_log, trial))
    accept, kind = cupy.empty(len(log), np.bool_), log.dtype.type
    _launch(
        f"moved<{_type(log)}>",
        len(log),
        thresholds,
        log,
        trial_log,
        cupy.ascontiguousarray(ratio) if several else np.uintp(0),
        kind(0 if several else ratio),
        r,
        trial,
        accepted,
        bad,
        accept,
        np.int64(len(log)),
        np.int64(r[0].size),
    )
    return accept


def philox_words(key, counter, first: int, count: int):
    """Words first .. first + count - 1 of numpy.random.Philox(key=key, counter=counter); (B, count)
    of counters (B, 4), an array of the device.
    """
    if isinstance(counter, tuple):
        counter = cupy.asarray(np.array(counter, np.uint64))
    lead, start = counter.shape[:-1], first // 4
    groups = -(-(first + count) // 4) - start
    out = cupy.empty((*lead, 4 * groups), cupy.uint64)
    _launch(
        "philox_words",
        out.size // 4,
        out,
        *(np.uint64(k) for k in key),
        counter,
        np.uint64(start),
        np.int64(groups),
        np.int64(out.size // 4),
    )
    return out[..., first - 4 * start : first - 4 * start + count]


def ewald(r, lengths, charges, kappa: float, top: int, integers, weight):
    """Short-range sum and half the sum over wave vectors (W,) float64, of ewald_cuda.py; r (W, n,
    d), integers (G, d), everything else on the host.
    """
    kernels = module(ewald_cuda.SOURCE, ewald_cuda.NAMES)
    r = cupy.ascontiguousarray(r)
    (walkers, n, d), waves, kind = r.shape, len(weight), _type(r)
    lengths, charges, weight, integers, squares = _ewald_constants(
        *(x.tobytes() for x in (lengths, charges, weight)), integers.tobytes(), d
    )
    sizes = np.int64(walkers), np.int32(n), np.int32(d)
    c, s = cupy.empty((d, top + 1, n, walkers)), cupy.empty((d, top + 1, n, walkers))
    near, far, out = cupy.empty((n, walkers)), cupy.empty((waves, walkers)), cupy.empty(walkers)
    launch(kernels, f"ewald_powers<{kind}>", walkers * n, r, lengths, c, s, *sizes, np.int32(top))
    launch(
        kernels,
        "ewald_waves",
        waves * walkers,
        c,
        s,
        charges,
        integers,
        weight,
        far,
        np.float64(squares),
        np.int64(walkers),
        np.int64(waves),
        *sizes[1:],
        np.int32(top),
    )
    launch(
        kernels,
        f"ewald_short<{kind}>",
        walkers * n,
        r,
        lengths,
        charges,
        near,
        np.float64(kappa),
        *sizes,
    )
    launch(
        kernels,
        "ewald_total",
        walkers,
        near,
        far,
        out,
        np.int64(walkers),
        np.int64(waves),
        np.int32(n),
    )
    return out


@lru_cache(maxsize=8)
def _ewald_constants(lengths: bytes, charges: bytes, weight: bytes, integers: bytes, d: int):
    """The constant arrays, sent to the device once; the sum of the squared charges."""
    charge = np.frombuffer(charges)
    return (
        *(cupy.asarray(np.frombuffer(x)) for x in (lengths, charges, weight)),
        cupy.asarray(np.frombuffer(integers, np.int64).reshape(-1, d)),
        float((charge * charge).sum()),
    )
