"""Compiled passes against their plain twins: values, both derivatives, the jet rule, NaN and
infinity, types; the cache and its absence.
"""

import ast
import inspect
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from tests.device import fakecupy  # noqa: F401
from tests.runs import LONGEST
from vmcnet import kernels
from vmcnet.calculus.elementwise import ACTIVATIONS
from vmcnet.calculus.jet import scatter_pairs
from vmcnet.kernels import cpu, linalg, of, plain

KEPT = 0.0, 1.0, 0.0  # f' of a slope that was kept
TYPES = (np.float64, np.float32)
each = pytest.mark.parametrize("function", ACTIVATIONS, ids=lambda f: f.name)
each_type = pytest.mark.parametrize("dtype", TYPES, ids=["float64", "float32"])


def test_every_activation_is_compiled():
    assert {f.name for f in ACTIVATIONS} == set(cpu.ACTIVATIONS)


@each
@each_type
def test_function_and_derivatives(function, dtype):
    """Within a few rounding errors of extended precision, from 1e-6 to where the function
    saturates.
    """
    x = np.concatenate([np.linspace(-30, 30, 4001), [0.0, 1e-6, -1e-6, 1e-3, -1e-3]]).astype(dtype)
    found, known = (
        cpu.activation(function.name, x),
        plain.activation(np, function.name, x.astype(np.longdouble)),
    )
    for a, b, factor in zip(found, known, (1, 2, 4), strict=True):
        assert a.dtype == dtype
        size = np.maximum(np.abs(b), 1.0 if dtype == np.float64 else 0.5)
        size = (
            np.maximum(size, np.abs(x)) if function.name in ("gelu", "silu") else size
        )  # the derivatives' terms grow with x
        np.testing.assert_array_less(np.abs(a - b) / size, 16 * factor * np.finfo(dtype).eps)
    relative = slice(1900, 2101)  # |x| < 1.5: relative accuracy of tanh, also of the smallest x
    if function.name == "tanh":
        for part in (relative, slice(4002, None)):
            np.testing.assert_allclose(
                found[0][part], known[0][part].astype(dtype), rtol=8 * np.finfo(dtype).eps
            )


@each
@each_type
def test_limits(function, dtype):
    """NaN passes; far out the function is what its limit says, without overflow."""
    x = np.array([np.nan, 200.0, -200.0, 0.0], dtype)
    y, slope, curvature = cpu.activation(function.name, x)
    assert np.isnan([y[0], slope[0], curvature[0]]).all()
    far = {
        "tanh": (1, -1),
        "logistic": (1, 0),
        "softplus": (200, 0),
        "logcosh": (200 - np.log(2), 200 - np.log(2)),
        "gelu": (200, 0),
        "silu": (200, 0),
    }
    np.testing.assert_allclose(y[1:3], far[function.name], rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(
        slope[1:3],
        {"tanh": (0, 0), "logistic": (0, 0), "logcosh": (1, -1)}.get(function.name, (1, 0)),
        atol=1e-30,
    )
    np.testing.assert_allclose(curvature[1:3], 0, atol=1e-30)
    np.testing.assert_allclose(
        (y[3:], slope[3:], curvature[3:]),
        plain.activation(np, function.name, np.zeros(1, dtype)),
        atol=1e-7,
    )


@each
@each_type
def test_layer(function, dtype):
    """f(z + b) in place, its slope and the reverse rule; the bits are those of the pass over single
    elements, wherever the element stands.
    """
    rng = np.random.default_rng(1)
    z, adjoint = rng.normal(size=(2, 7, 3, 21)).astype(dtype)
    bias = rng.normal(size=21).astype(dtype)
    y, slope, _ = cpu.activation(function.name, z + bias)
    for k in (0, 1, 5, 20):
        assert np.array_equal(cpu.activation(function.name, (z + bias)[..., k:])[0], y[..., k:])
    first, second = z.copy(), z.copy()
    first = cpu.layer(function.name, first, bias)
    second, kept = function.layer_kept(np, second, bias)
    assert np.array_equal(first, y) and np.array_equal(second, y)
    assert np.array_equal(kept, y if function.keeps_value else slope)
    given = cpu.layer_reverse(np.ones_like(z), None, kept, function.form, False, 1)[0]
    np.testing.assert_allclose(given, slope, rtol=1e-5 if dtype == np.float32 else 1e-13)
    back, total = cpu.layer_reverse(
        adjoint[..., ::-1], None, slope.copy(), KEPT, True, 1
    )  # not contiguous
    total = total[0]
    for part, alone in zip(
        cpu.layer_reverse(adjoint[:6], None, slope[:6], KEPT, False, 2)[1],
        (
            cpu.layer_reverse(adjoint[k : k + 3], None, slope[k : k + 3], KEPT, False, 1)[1][0]
            for k in (0, 3)
        ),
        strict=True,
    ):
        np.testing.assert_array_equal(part, alone)
    assert back.dtype == total.dtype == dtype
    known = adjoint[..., ::-1] * slope
    assert np.array_equal(back, known)
    np.testing.assert_allclose(
        total,
        known.astype(np.longdouble).sum(axis=(0, 1)).astype(dtype),
        rtol=0,
        atol=40 * np.finfo(dtype).eps,
    )


@each_type
def test_tanh_to_the_last_digits(dtype):
    """Within 2.5 (float64) and 5 (float32) units in the last place of its size, odd, and never
    beyond 1.
    """
    x = np.concatenate(
        [
            np.linspace(0, 22, 60001),
            10.0 ** np.linspace(-30, 0, 5001),
            np.random.default_rng(3).exponential(size=20001),
        ]
    ).astype(dtype)
    y, known = cpu.activation("tanh", x)[0], np.tanh(x.astype(np.longdouble))
    assert (np.abs(y - known) / np.spacing(known.astype(dtype))).max() < (
        2.5 if dtype == np.float64 else 5
    )
    assert y.max() == 1 and np.array_equal(cpu.activation("tanh", -x)[0], -y)


@each_type
@pytest.mark.parametrize("slots", [2, 3, 4, 8, 14])
def test_chain(slots, dtype):
    """Any number of slots, more entries than a tile holds and not a multiple of it."""
    rng = np.random.default_rng(2)
    jet = rng.normal(size=(slots, 7, 190)).astype(dtype)
    y, slope, curvature = rng.normal(size=(3, 7, 190)).astype(dtype)
    twin = jet.copy()
    plain.chain(np, twin, y, slope, curvature)
    cpu.chain(jet, y, slope, curvature)
    np.testing.assert_allclose(
        jet, twin, rtol=100 * np.finfo(dtype).eps, atol=100 * np.finfo(dtype).eps
    )
    other = rng.normal(size=(slots, 7, 190)).astype(dtype)
    for left in (jet, jet[..., ::-1]):  # contiguous or not
        np.testing.assert_allclose(
            cpu.product(left, other),
            plain.product(np, left, other),
            rtol=100 * np.finfo(dtype).eps,
            atol=100 * np.finfo(dtype).eps,
        )
    if slots > 2:
        jacobian = rng.normal(size=(slots - 2, 1, 190)).astype(dtype)
        np.testing.assert_allclose(
            cpu.chain_linear(jacobian, y, slope, curvature),
            plain.chain_linear(np, jacobian, y, slope, curvature),
            rtol=100 * np.finfo(dtype).eps,
            atol=100 * np.finfo(dtype).eps,
        )


@each_type
def test_scatter_pairs(dtype):
    for n in (2, 3, 6):
        first, second = (
            np.random.default_rng(n).normal(size=(2, 4, 3, n * (n - 1) // 2, 5)).astype(dtype)
        )
        found = scatter_pairs(np, first[..., ::2], second[..., ::2], n)  # not contiguous
        np.testing.assert_allclose(
            found,
            plain.scatter_pairs(np, first[..., ::2], second[..., ::2], None, None, n),
            rtol=20 * np.finfo(dtype).eps,
            atol=20 * np.finfo(dtype).eps,
        )
        assert found.dtype == dtype and found.shape == (n, 4, 3, 3)


def test_nan_in_a_derivative_stays():
    jet = np.ones((4, 1, 3))
    jet[1, 0, 1] = np.nan
    cpu.chain(jet, *np.ones((3, 1, 3)))
    assert (
        np.isnan(jet[[1, 3], 0, 1]).all()
        and np.isfinite(jet[:, 0, [0, 2]]).all()
        and np.isfinite(jet[[0, 2], 0, 1]).all()
    )


def test_one_interface_on_every_namespace():
    """Compiled passes for NumPy's float64 and float32, all arrays alike; array code otherwise."""
    one, other, wide, whole = (
        np.dtype(x) for x in (np.float64, np.float32, np.longdouble, np.complex128)
    )
    for dtypes in ((one,), (other, other)):
        assert of(np, *dtypes).product is cpu.product
    assert cpu not in of(np, whole).modules and of(np, whole).slogdet is linalg.slogdet
    for found in (of(np, one, other), of(np, wide), of(sys.modules["fakecupy"], one)):
        assert found.modules == ()
        assert all(callable(vars(found)[name]) for name in plain.__all__)


def test_every_compiled_pass_has_a_twin_with_its_arguments():
    """The functions that the modules of passes add, and nothing that plain.py lacks."""
    helpers = {"fits", "module", "launch"}
    for name in ("cpu", "excitation_passes", "gpu", "linalg", "linalg_gpu"):
        tree = ast.parse(Path(cpu.__file__).with_name(f"{name}.py").read_text())
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            if node.name in helpers:
                continue
            assert node.name in plain.__all__, f"{name}.{node.name} has no twin in plain.py"
            twin = list(inspect.signature(vars(plain)[node.name]).parameters)
            assert [a.arg for a in node.args.args] == twin[1:], f"{name}.{node.name}"


def test_a_function_without_a_pass_is_the_array_code():
    own = types.SimpleNamespace(product=lambda p, q: "compiled")
    found = kernels.Kernels(np, own)
    x = np.arange(6.0).reshape(3, 2)
    assert found.product(x, x) == "compiled"
    np.testing.assert_array_equal(found.matrix_product(x, x, True, False), x.T @ x)


@pytest.mark.processes
def test_without_a_writable_cache(tmp_path):
    """Where nothing can be cached the kernels still work, and one line says so."""
    program = (
        "from numba.core import caching\n"
        "caching._CacheLocator.from_function = classmethod(lambda cls, *a: None)\n"
        "for c in caching.CacheImpl.__subclasses__() + [caching.CacheImpl]: c._locator_classes = "
        "[]\n"
        "import numpy as np\nfrom vmcnet.kernels import cpu\nprint(cpu.activation('gelu', "
        "np.ones(3))[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
        timeout=LONGEST,
    )
    assert done.returncode == 0, done.stderr
    assert (
        "0.841" in done.stdout
        and done.stderr.count("compiled anew") == 1
        and "NUMBA_CACHE_DIR" in done.stderr
    )
