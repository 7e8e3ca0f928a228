"""Compiled matrix products and jets of layers: against plain twins, and the same bits whatever the
shape and the width of vectors.
"""

import os
from fractions import Fraction
from importlib.metadata import version

import h5py
import numpy as np
import pytest
from numba import njit

from tests.runs import JOB, vmcnet
from vmcnet.calculus import products
from vmcnet.calculus.jets import Jets
from vmcnet.kernels import cpu, numba_product, plain
from vmcnet.kernels.activations import FORMULAS

TYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
SHAPES = [(12, 1, 32), (13, 5, 33), (128, 18, 64), (250, 64, 47), (241, 300, 32), (1025, 64, 300)]
compiled_only = pytest.mark.skipif(
    numba_product.REGISTERS is None, reason="this processor has no fused multiply and add"
)


def matrices(m, terms, n, dtype, seed=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, terms)).astype(dtype), rng.normal(size=(terms, n)).astype(dtype)


@compiled_only
@TYPES
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products(shape, dtype):
    """a b from a or a^T and b or b^T: one result to the last bit, within terms eps of extended
    precision.
    """
    a, b = matrices(*shape, dtype)
    found = cpu.matrix_product(a, b, False, False)
    for x, y, flags in (
        (np.ascontiguousarray(a.T), b, (True, False)),
        (a, np.ascontiguousarray(b.T), (False, True)),
        (np.ascontiguousarray(a.T), np.ascontiguousarray(b.T), (True, True)),
    ):
        np.testing.assert_array_equal(cpu.matrix_product(x, y, *flags), found)
    exact, size = a.astype(np.longdouble) @ b, np.abs(a) @ np.abs(b)
    assert found.dtype == dtype
    assert (np.abs(found - exact) <= shape[1] * np.finfo(dtype).eps * size).all()


@compiled_only
@TYPES
@pytest.mark.parametrize("rows", [1, 40, 1100])
@pytest.mark.parametrize("features", [3, 64, 77])
def test_onto_a_row(rows, features, dtype):
    """x^T y of one column y has the bits that a column among others has."""
    x, y = matrices(rows, features, 2, dtype)[0], matrices(rows, 2, 1, dtype, 4)[0]
    both = cpu.matrix_product(x, y, True, False)
    one = np.ascontiguousarray(y[:, :1])
    np.testing.assert_array_equal(cpu.matrix_product(x, one, True, False), both[:, :1])
    np.testing.assert_array_equal(cpu.block_products(x, one, 1)[0], both[:, :1])


@compiled_only
@TYPES
@pytest.mark.parametrize("h", [1, 5, 33, 40, 64])
@pytest.mark.parametrize("rows, blocks", [(5, 1), (20, 3), (300, 2)])
def test_slopes_of_a_layer(h, rows, blocks, dtype):
    """adjoint f' to the bit, and its sums over the rows of every block, row after row."""
    adjoint, slope = np.random.default_rng(6).normal(size=(2, blocks * rows, h)).astype(dtype)
    left, kept = np.linspace(-1, 1, blocks * rows, dtype=dtype)[:, None], (0.0, 1.0, 0.0)
    outer = cpu.layer_reverse(adjoint[:1], left, slope, kept, False, blocks)
    built = cpu.layer_reverse(left * adjoint[:1], None, slope, kept, False, blocks)
    for x, y in zip(outer, built, strict=True):
        np.testing.assert_array_equal(x, y)
    for c in (FORMULAS["tanh"].polynomial, FORMULAS["logistic"].polynomial):
        known = adjoint * (c[0] + slope * (c[1] + c[2] * slope))
        found = cpu.layer_reverse(adjoint, None, slope, c, False, blocks)[0]
        tolerance = 10 * np.finfo(dtype).eps
        np.testing.assert_allclose(found, known, rtol=tolerance, atol=tolerance)
    d, sums = cpu.layer_reverse(adjoint, None, slope.copy(), kept, True, blocks)
    np.testing.assert_array_equal(d, adjoint * slope)
    total = np.zeros((blocks, h), dtype)
    for row in d.reshape(blocks, rows, h).swapaxes(0, 1):
        total += row
    np.testing.assert_allclose(sums, total, rtol=1e-5 if dtype == np.float32 else 1e-13, atol=1e-5)


@compiled_only
@TYPES
def test_bits_of_a_row_and_column_are_theirs_alone(dtype):
    a, b = matrices(700, 64, 96, dtype)
    whole = cpu.matrix_product(a, b, False, False)
    for rows, columns in (
        (slice(0, 12), slice(0, 96)),
        (slice(3, 131), slice(0, 40)),
        (slice(500, 700), slice(55, 96)),
    ):
        part = cpu.matrix_product(
            np.ascontiguousarray(a[rows]), np.ascontiguousarray(b[:, columns]), False, False
        )
        np.testing.assert_array_equal(part, whole[rows, columns])


@compiled_only
def test_bits_are_those_of_a_chain_of_fused_additions():
    """Correctly rounded a_k b_k + sum, k = 0, 1, ...: found with fractions."""
    a, b = matrices(12, 7, 32, np.float64)
    found = cpu.matrix_product(a, b, False, False)
    for i in range(0, 12, 5):
        for j in range(0, 32, 7):
            total = 0.0
            for k in range(7):
                total = float(Fraction(a[i, k]) * Fraction(b[k, j]) + Fraction(total))
            assert found[i, j] == total


@compiled_only
@TYPES
def test_bits_do_not_depend_on_the_width_of_vectors(dtype):
    """What a processor with vectors of 128, 256 or 512 bits computes; this one emulates the wider
    by several of its own.
    """
    a, b = matrices(12, 64, 64, dtype)
    factors, known = matrices(12, 1, 64, dtype, seed=4)[0] * np.ones(64, dtype), []
    for bits, rows, vectors in ((512, 12, 2), (256, 6, 2), (128, 6, 4)):
        block, summed = (
            numba_product.block_product(bits, rows, vectors),
            numba_product.block_sums(bits, rows, vectors),
        )
        wide = vectors * bits // (8 * a.itemsize)

        @njit
        def product(
            a, b, c, factors, sums, squares, block=block, summed=summed, rows=rows, wide=wide
        ):
            for j in range(0, 64, wide):
                for i in range(0, 12, rows):
                    block(a, i * 64, 64, 1, b, j, 64, 64, c, i * 64 + j, 64)
                    summed(
                        a,
                        i * 64,
                        64,
                        1,
                        b,
                        j,
                        64,
                        64,
                        sums,
                        i * sums.shape[1],
                        sums.shape[1],
                        factors,
                        i * 64 + j,
                        squares,
                        i * 64 + j,
                        64,
                    )

        c, squares = np.zeros((12, 64), dtype), np.zeros((12, 64), dtype)
        sums = np.zeros((12, numba_product.CHAIN // a.itemsize), dtype)
        product(a, b, c, factors, sums, squares)
        known.append((c, sums, squares))
    for other in known[1:]:
        for mine, theirs in zip(known[0], other, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(known[0][0], cpu.matrix_product(a, b, False, False))
    np.testing.assert_array_equal(known[0][2], known[0][0] ** 2)
    np.testing.assert_allclose(
        known[0][1].sum(axis=1),
        (factors * known[0][0]).sum(axis=1),
        rtol=1e3 * np.finfo(dtype).eps,
        atol=1e3 * np.finfo(dtype).eps,
    )


@TYPES
@pytest.mark.parametrize(
    "shape", [(3, 5, 2), (40, 18, 8), (40, 18, 64), (3000, 40, 33), (140, 1000, 140)], ids=str
)
def test_layer_products(shape, dtype):
    """x W, adj W^T and x^T adj as the layers call them, compiled or by BLAS, also of arrays with a
    particle axis and of views.
    """
    rows, f, h = shape
    rng = np.random.default_rng(5)
    w = rng.normal(size=(f, h)).astype(dtype)
    wide = 4 * np.finfo(dtype).eps
    for x, g in (
        (rng.normal(size=(rows, f)), rng.normal(size=(rows, h))),
        (rng.normal(size=(rows, 2, f)), rng.normal(size=(rows, 2, h))),
        (rng.normal(size=(f, rows)).T, rng.normal(size=(h, rows)).T),
    ):
        x, g = x.astype(dtype, order="K"), g.astype(dtype, order="K")
        better = np.longdouble if dtype == np.float64 else np.float64
        exact_x, exact_g = x.astype(better), g.astype(better)
        for found, exact, terms in (
            (products.matmul(x, w), exact_x @ w, f),
            (products.matmul_transposed(g, w), exact_g @ w.T, h),
            (
                products.contract(x, g),
                exact_x.reshape(-1, f).T @ exact_g.reshape(-1, h),
                g.size // h,
            ),
        ):
            assert found.dtype == dtype and found.shape == exact.shape
            np.testing.assert_allclose(
                found.astype(float),
                exact.astype(float),
                rtol=0,
                atol=wide * terms * max(1.0, np.sqrt(terms)),
            )


def layer(rows, coordinates, f, h, dtype):
    rng = np.random.default_rng(6)

    def numbers(*shape):
        return rng.normal(size=shape).astype(dtype)

    return {
        "slope": numbers(rows, f),
        "curvature": numbers(rows, f),
        "jacobian": numbers(coordinates, 1, f),
        "weight": numbers(f, h),
        "y": numbers(rows, h),
        "first": numbers(rows, h),
        "second": numbers(rows, h),
        "column": numbers(h, 1),
    }


@compiled_only
@TYPES
@pytest.mark.parametrize("rows", [12, 13, 128, 420])
@pytest.mark.parametrize("h", [32, 64, 160])
def test_layer_onto_a_column(rows, h, dtype):
    """All slots of f(x W + b) v, from the slots of x or from what all walkers share of them."""
    c = layer(rows, 7, 18, h, dtype)
    slots = plain.chain_linear(np, c["jacobian"], c["slope"], c["slope"], c["curvature"])
    twin = (slots.reshape(-1, 18) @ c["weight"]).reshape(9, rows, h)
    plain.chain(np, twin, c["y"], c["first"], c["second"])
    for x in (slots, (c["slope"], c["curvature"], c["jacobian"])):
        found = cpu.layer_onto(x, c["weight"], c["y"], c["first"], c["second"], c["column"])
        assert found.shape == (9, rows, 1) and found.dtype == dtype
        np.testing.assert_allclose(
            found,
            twin @ c["column"],
            rtol=500 * np.finfo(dtype).eps,
            atol=5000 * h * np.finfo(dtype).eps,
        )


@compiled_only
@TYPES
@pytest.mark.parametrize(
    "kind", ["two layers", "three layers", "skip", "particles", "pairs", "read twice"]
)
def test_networks_with_and_without(kind, dtype, monkeypatch):
    """Jets of networks whose last layer meets one column: unmade slots on the way, or made for a
    skip connection or a second reader.
    """
    rng = np.random.default_rng(7)
    n, pooled = 3, kind in ("particles", "pairs")
    inputs = 3 if pooled else 3 * n
    r, weights = (
        rng.normal(size=(30, n, 3)).astype(dtype),
        [
            (rng.normal(size=s) / 3).astype(dtype)
            for s in ((inputs, 32), (32, 32), (32, 32), (32, 1))
        ],
    )

    def read():
        ops = Jets(np, n, 3)
        w = [ops.parameter(a) for a in weights]
        bias = ops.parameter(np.linspace(-1, 1, 32).astype(dtype))
        x = ops.coordinates(r)
        if kind == "pairs":
            first, second = ops.pairs(x)
            x = first * second
        h = ops.dense(x if pooled else ops.flatten(x), w[0], bias, "tanh")
        if kind == "three layers" or pooled:
            h = ops.dense(h, w[1], bias, "silu")
        if pooled:
            h = ops.mean(h, axis=1)
        last = ops.dense(h, w[2], bias, "tanh")
        if kind == "skip":
            last = last + h
        out = ops.affine(last, w[3])
        if kind == "read twice":
            out = out + ops.affine(last * last, w[3])
        return ops.read(ops.total(out))

    found = read()
    monkeypatch.setattr(cpu, "LEAST", np.inf)
    size = 1e3 * np.finfo(dtype).eps
    for mine, whole in zip(found, read(), strict=True):
        assert mine.dtype == dtype
        np.testing.assert_allclose(mine, whole, rtol=size, atol=size)


@compiled_only
def test_a_column_of_another_type():
    """The layer's slots are made, and the product is that of mixed types: nothing is cast down
    without a word.
    """
    rng = np.random.default_rng(8)
    r, w, v = (
        rng.normal(size=(20, 2, 3)),
        rng.normal(size=(6, 32)),
        rng.normal(size=(32, 1)) + 1j * rng.normal(size=(32, 1)),
    )

    def read(column):
        ops = Jets(np, 2, 3)
        bias, square = ops.parameter(np.zeros(32)), ops.parameter(np.eye(32))
        h = ops.dense(
            ops.dense(ops.flatten(ops.coordinates(r)), ops.parameter(w), bias, "tanh"),
            square,
            bias,
            "tanh",
        )
        return ops.read(ops.total(ops.affine(h, ops.parameter(column))))

    for both, real, imaginary in zip(
        read(v), read(v.real.copy()), read(v.imag.copy()), strict=True
    ):
        np.testing.assert_allclose(both, real + 1j * imaginary, rtol=1e-12, atol=1e-12)


def test_the_target_decides():
    """Vectors and registers by the features that numba compiles for: part of the key of its cache,
    so that no other code is ever loaded.
    """
    assert numba_product.registers("+sse2,+avx,+avx2,+fma,+avx512f") == (512, 12, 2)
    assert numba_product.registers("+avx,+avx2,+fma,-avx512f") == (256, 6, 2)
    assert numba_product.registers("+neon,+fp-armv8") == (128, 6, 4)
    assert numba_product.registers("") is None and numba_product.registers("+avx2") is None
    for _, rows, vectors in map(numba_product.registers, ("+avx512f", "+avx2,+fma", "+neon")):
        assert numba_product.LEAST % rows == 0 and vectors


def test_the_switch():
    assert numba_product.chosen({"VMCNET_PRODUCTS": "blas"}) == numba_product.BLAS
    assert numba_product.chosen({}) == (
        numba_product.OWN if numba_product.REGISTERS else numba_product.BLAS
    )


@pytest.mark.processes
def test_a_word_that_the_switch_does_not_know():
    done = vmcnet("info", check=False, env={**os.environ, "VMCNET_PRODUCTS": "fast"})
    assert done.returncode == 2
    assert done.stderr == "vmcnet: VMCNET_PRODUCTS=fast: expected own or blas\n"


def test_this_numba_is_on_the_list():
    """Another version: run this file, test_cpu.py, test_linalg.py and tests/mpi on it, then add it
    to TRIED.
    """
    assert version("numba").rsplit(".", 1)[0] in numba_product.TRIED


@pytest.mark.processes
def test_a_run_with_blas(tmp_path):
    """The same job by both routes: the energies agree to rounding, the file names the route."""
    text = JOB.replace('"pade_jastrow"', '"feed_forward"\nlayers = [64, 64]')
    text = text.replace("block = 8", "block = 32").replace("iterations = 12", "iterations = 2")
    (tmp_path / "job.toml").write_text(text)
    found = []
    for word in ("own", "blas"):
        environ = {**os.environ, "VMCNET_PRODUCTS": word}
        run = tmp_path / f"{word}.h5"
        vmcnet("run", tmp_path / "job.toml", "--output", run, env=environ)
        with h5py.File(run) as file:
            found.append((file.attrs["condition_products"], file["training/energy"][0]))
    assert found[1][0] == numba_product.BLAS and found[0][0] == numba_product.chosen({})
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-9)


def test_other_processors_use_blas(monkeypatch):
    monkeypatch.setattr(cpu, "LEAST", np.inf)
    a, b = matrices(128, 18, 64, np.float64)
    assert not cpu.fits_layer(18, 64, 8)
    np.testing.assert_array_equal(cpu.matrix_product(a, b, False, False), a @ b)
    np.testing.assert_allclose(products.matmul(a, b), a @ b, rtol=1e-13, atol=1e-13)
