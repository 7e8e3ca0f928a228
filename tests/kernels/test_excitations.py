"""Compiled pair excitations against their twins in array code."""

import numpy as np
import pytest

from vmcnet.kernels import excitation_passes, plain_excitations

TYPES = [np.float64, np.float32, np.complex128, np.complex64]


def inputs(dtype, walkers=9):
    rng = np.random.default_rng(3)

    def numbers(*shape):
        x = rng.normal(size=shape) + 1j * rng.normal(size=shape)
        return (x if np.dtype(dtype).kind == "c" else x.real).astype(dtype)

    real = np.float32 if np.dtype(dtype).itemsize in (4, 8) and dtype != np.float64 else np.float64
    ms, v, slots = (3, 2), 4, 7
    sizes = [(m, v) for m in ms]
    indices, parts = [], []
    for s, t in excitation_passes.PARTS:
        i, j = (rng.integers(0, ms[k] * v, 11) for k in (s, t))
        indices.append((i, j))
        parts.append((rng.integers(0, 5, 11), i, j, rng.normal(size=11).astype(real)))
    return {
        "u": numbers(walkers, ms[0] * v),
        "v": numbers(walkers, ms[1] * v),
        "indices": indices,
        "numbers": [p[3] for p in parts],
        "entries": parts,
        "backs": [numbers(walkers, m, m) for m in ms],
        "ratios": [numbers(walkers, *s) for s in sizes],
        "fields": [numbers(walkers, *s) for s in sizes],
        "slots": [numbers(slots, walkers, *s) for m in ms for s in ((m, m), (m, v))],
        "total": numbers(walkers) + 3,
    }


def calls(x):
    forms = x["u"], x["v"]
    yield "pair_sum", (*forms, x["indices"], x["numbers"])
    yield "pair_fields", (*forms, x["indices"], x["numbers"])
    yield "pair_classes", (*forms, x["entries"], 5)
    shared = x["backs"], x["ratios"], x["fields"], x["slots"], x["indices"], x["numbers"]
    yield "excited_jet", (*shared, x["total"])


@pytest.mark.parametrize("dtype", TYPES)
def test_twins(dtype):
    for name, arguments in calls(inputs(dtype)):
        fast = getattr(excitation_passes, name)(*arguments)
        plain = getattr(plain_excitations, name)(np, *arguments)
        for a, b in zip(fast, plain, strict=True):
            rtol = 3e3 * np.finfo(dtype).eps
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * abs(b).max(), err_msg=name)
            assert a.dtype == dtype


def test_bits_do_not_depend_on_the_number_of_walkers():
    x = inputs(np.float64)
    some = {
        k: [a[:, 4:5] if k == "slots" else a[4:5] for a in v] if isinstance(v, list) else v[4:5]
        for k, v in x.items()
        if k not in ("indices", "numbers", "entries")
    } | {k: x[k] for k in ("indices", "numbers", "entries")}
    for (name, whole), (_, part) in zip(calls(x), calls(some), strict=True):
        a, b = getattr(excitation_passes, name)(*whole), getattr(excitation_passes, name)(*part)
        if name == "pair_fields":
            for p, q in zip(a, b, strict=True):
                np.testing.assert_array_equal(p[4:5], q)
        else:
            a = a[:, 4:5] if name == "excited_jet" else a[4:5]
            np.testing.assert_array_equal(a, b)
