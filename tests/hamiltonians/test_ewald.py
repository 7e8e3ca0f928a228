"""Ewald sums: Madelung constants of crystals, independence of the splitting, the compiled passes
against array code, and a sum over images that shares nothing with them.
"""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tests.kernels.hosted import gpu_module
from vmcnet.backend.arrays import to_host
from vmcnet.geometry.box import Box
from vmcnet.hamiltonians.ewald import Ewald, madelung
from vmcnet.kernels import cpu
from vmcnet.kernels.ewald import ewald, screened
from vmcnet.walkers import Walkers

STANDIN = sys.modules["fakecupy"]


def walkers(box, n, count=40, seed=1, dtype=np.float64):
    r = box.lengths * np.random.default_rng(seed).uniform(-1, 2, (count, n, box.dimensions))
    return Walkers(r.astype(dtype), np.ones((count, n), np.int8))


def test_madelung_of_the_wigner_lattices():
    """The electron at the sites of a simple cubic and of a square lattice."""
    assert madelung(Box.cube(1.0)) == pytest.approx(-2.8372974794806, abs=1e-12)
    assert 3.0 * madelung(Box.cube(3.0)) == pytest.approx(-2.8372974794806, abs=1e-12)
    assert madelung(Box.cube(1.0, 2)) == pytest.approx(-3.9002649200, abs=1e-9)


@pytest.mark.parametrize("cells", [1, 2])
def test_sodium_chloride_and_the_square_lattice_of_ions(cells):
    """E of a pair of ions at distance 1: -1.7475645946 and -1.6155426267."""
    for dimensions, constant in ((3, 1.7475645946331822), (2, 1.6155426267128247)):
        sites = np.array(list(np.ndindex(*(2 * cells,) * dimensions)))
        charges = 1.0 - 2.0 * (sites.sum(axis=1) % 2)
        term = Ewald(Box.cube(2.0 * cells, dimensions), charges)
        r = sites[None] + np.zeros((3, 1, dimensions))
        found = term.local(Walkers(r, None), None)
        np.testing.assert_allclose(found / (len(sites) / 2), -constant, atol=1e-10)


def test_caesium_chloride():
    """Per pair and nearest distance 1.762674773; the cell holds one pair at distance sqrt(3)/2."""
    term = Ewald(Box.cube(1.0), [1.0, -1.0])
    found = term.local(Walkers(np.array([[[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]]), None), None)
    assert found[0] * np.sqrt(0.75) == pytest.approx(-1.76267477, abs=1e-8)


@pytest.mark.parametrize(
    ("n", "lengths"),
    [(14, [7.8] * 3), (10, [11.2] * 2), (5, [3.0, 3.5, 4.5]), (4, [3.0, 4.0])],
)
def test_the_splitting_does_not_matter(n, lengths):
    box = Box(lengths)
    charges = -np.ones(n)
    known = None
    for splitting in (None, 5.6, 6.5):
        term = Ewald(box, charges, splitting=splitting)
        found = term.local(walkers(box, n), None)
        known = found if known is None else known
        np.testing.assert_allclose(found, known, atol=1e-9)
    with pytest.raises(ValueError, match="expected at least"):
        Ewald(box, charges, splitting=3.0)


@pytest.mark.parametrize("lengths", [[2.0, 2.0, 2.0], [2.0, 2.5, 3.0], [2.0, 3.0]])
def test_against_a_sum_over_images(lengths):
    """Neutral charges without a dipole (four on a line, + - - +): 1/r over all images in growing
    cubes of cells, which converges as a quadrupole does; Richardson's rule takes the rest.
    """
    box = Box(lengths)
    charges = np.array([1.0, -1.0, -1.0, 1.0])
    r = np.zeros((1, 4, len(lengths)))
    r[0, :, 0] = [0.2, 0.5, 1.1, 1.4]
    r[0] += 0.1

    def direct(reach):
        m = np.array(list(np.ndindex(*(2 * reach + 1,) * len(lengths)))) - reach
        total = 0.0
        for i in range(4):
            for j in range(4):
                x = r[0, i] - r[0, j] + m * box.lengths
                distance = np.sqrt((x * x).sum(axis=1))
                total += 0.5 * charges[i] * charges[j] * (1.0 / distance[distance > 0]).sum()
        return total

    values, reaches = [direct(k) for k in (8, 16)], (8.5, 16.5)
    power = 3 if len(lengths) == 2 else 2
    a, b = (k**-power for k in reaches)
    known = (values[1] * a - values[0] * b) / (a - b)
    found = Ewald(box, charges).local(Walkers(r, None), None)[0]
    assert found == pytest.approx(known, abs=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "lengths"), [(7, [3.0] * 3), (5, [2.0, 2.5, 3.0]), (6, [2.0, 2.5])])
def test_the_compiled_pass_equals_its_twin(n, lengths, dtype):
    """Any number of walkers gives every walker the same bits; a device's arrays stay there."""
    box = Box(lengths)
    term = Ewald(box, np.linspace(-1.0, 1.5, n))
    group = walkers(box, n, 41, dtype=dtype)
    found = term.local(group, None)
    assert found.dtype == dtype
    plain = (
        ewald(
            np,
            group.r,
            box.lengths,
            term.charges,
            term.kappa,
            int(np.abs(term.integers).max()),
            term.integers,
            term.weight,
        )
        + term.constant
    )
    np.testing.assert_allclose(found, plain, rtol=1e3 * np.finfo(dtype).eps, atol=1e-10)
    for k in (1, 16, 20):
        part = term.local(Walkers(group.r[:k], None), None)
        np.testing.assert_array_equal(part, found[:k])
    there = term.local(Walkers(STANDIN.asarray(group.r), None), None)
    assert there.dtype == dtype
    np.testing.assert_allclose(there.get(), found, rtol=1e3 * np.finfo(dtype).eps, atol=1e-10)


@pytest.fixture(scope="module", params=["hosted", pytest.param("cupy", marks=pytest.mark.gpu)])
def device(request, tmp_path_factory):
    if request.param == "hosted":
        return gpu_module(tmp_path_factory.mktemp("ewald")).gpu, STANDIN
    cupy = pytest.importorskip("cupy")
    from vmcnet.kernels import gpu

    return SimpleNamespace(ewald=gpu.ewald), cupy


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "lengths"), [(7, [3.0] * 3), (6, [2.0, 2.5])])
@pytest.mark.processes
def test_the_device_kernel_equals_the_host(device, n, lengths, dtype):
    gpu, xp = device
    box = Box(lengths)
    term = Ewald(box, np.linspace(-1.0, 1.5, n))
    r = walkers(box, n, 33, dtype=dtype).r
    arguments = (
        box.lengths,
        term.charges,
        term.kappa,
        int(np.abs(term.integers).max()),
        term.integers,
        term.weight,
    )
    known = cpu.ewald(r, *arguments)
    np.testing.assert_allclose(to_host(gpu.ewald(xp.asarray(r), *arguments)), known, rtol=1e-12)


def test_the_error_function_of_the_twin():
    x = np.array([1e-3, 0.01, 0.1, 1.0, 3.0, 6.2, 6.4])
    known = np.array([math.erfc(2.0 * t) / t for t in x])
    np.testing.assert_allclose(screened(np, 2.0, x), known, rtol=1e-12, atol=1e-12)


def test_refusal_of_other_dimensions():
    with pytest.raises(ValueError, match="expected 2 or 3"):
        Ewald(Box([2.0]), [1.0])
