"""The code of docs/extending.md runs as it stands there, is short, and is right."""

import re
import runpy
from itertools import combinations

import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.stats import chi2, norm

from tests.calculus.differences import check_direction, check_jet
from tests.runs import ROOT
from tests.spins import dense, made, states
from vmcnet.backend.stream import Stream
from vmcnet.geometry.moves import SpinMove, SpinMoves
from vmcnet.optimizers import SGD
from vmcnet.systems import TransverseIsing, TrappedBosons
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import GaussianEnvelope, Wavefunction

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "extending.md").read_text(), re.S)


@pytest.fixture(scope="module")
def page():
    names = {}
    for block in BLOCKS:
        exec(compile(block, "docs/extending.md", "exec"), names)
    return names


def test_classes_are_short():
    for block in BLOCKS:
        for text in re.findall(r"^class .*?(?=^\S|\Z)", block, re.S | re.M):
            assert 5 <= len(text.strip().splitlines()) <= 20, text


def lowest(points=30, extent=4.2):
    """The ground state of the page's two particles on a line, in a sinc basis (Colbert and Miller,
    J. Chem. Phys. 96, 1982 (1992)).
    """
    x, h = np.linspace(-extent, extent, points, retstep=True)
    difference = np.subtract.outer(np.arange(points), np.arange(points))
    kinetic = (
        np.where(difference == 0, np.pi**2 / 3, 2.0 / np.where(difference == 0, 1, difference) ** 2)
        * (-1.0) ** difference
        / (2 * h * h)
    )
    one, unit = kinetic + np.diag(0.5 * x**2 + 0.1 * x**4), np.eye(points)
    attraction = -0.5 * np.exp(-(np.subtract.outer(x, x) ** 2))
    return eigh(
        np.kron(one, unit) + np.kron(unit, one) + np.diag(attraction.ravel()),
        eigvals_only=True,
        subset_by_index=[0, 0],
    )[0]


def test_own_potential(page):
    found, exact = page["energy"], lowest()
    assert abs(exact - lowest(26, 3.9)) < 1e-5
    assert found.error < 2e-3 and exact - 4 * found.error < found.energy < exact + 5e-3


def ring(length=5.0, top=6, n=3):
    """Lowest energy of n fermions of one spin on the page's ring, in determinants of plane waves of
    total momentum 0.
    """
    x = (np.arange(2000) + 0.5) / 2000 * length - length / 2
    v = {
        q: np.mean(np.exp(-(x**2)) * np.cos(2 * np.pi * q * x / length))
        for q in range(-2 * top, 2 * top + 1)
    }
    waves = range(-top, top + 1)
    states = [s for s in combinations(waves, n) if sum(s) == 0]
    place = {s: k for k, s in enumerate(states)}
    h = np.diag([0.5 * sum((2 * np.pi * k / length) ** 2 for k in s) for s in states])
    for s, column in place.items():
        for a, b in combinations(range(n), 2):
            rest = [k for m, k in enumerate(s) if m not in (a, b)]
            for q in range(-2 * top, 2 * top + 1):  # s_a -> s_a + q, s_b -> s_b - q
                to = list(s)
                to[a], to[b] = s[a] + q, s[b] - q
                if len(set(to)) < n or max(map(abs, to)) > top or {to[a], to[b]} & set(rest):
                    continue
                swaps = sum(x > y for k, x in enumerate(to) for y in to[k + 1 :])
                h[place[tuple(sorted(to))], column] += (-1) ** swaps * v[q]
    return np.linalg.eigvalsh(h)[0]


def test_box(page):
    found, exact = page["in_box"], ring()
    assert abs(exact - ring(top=5)) < 1e-4
    assert found.error < 5e-3 and exact - 4 * found.error < found.energy < exact + 5e-3


def test_own_wavefunction(page):
    values = page["trained"].parameters
    assert values["slope"] == pytest.approx(1.0, abs=0.03) and values["alpha"] == pytest.approx(
        0.5, abs=0.01
    )
    assert abs(page["wide"].energy - 3.0) < 2e-3 and page["wide"].stuck == 0


def test_own_determinant(page):
    assert page["fermions"].parameters["alpha"] == pytest.approx(0.5, abs=0.005)
    assert abs(page["nodes"].energy - 5.0) < 3e-3


def test_the_list_of_operations_is_up_to_date():
    made = runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]()
    for path, text in made.items():
        assert path.read_text() == text, f"{path.name}: make reference"


def test_own_term(page):
    assert page["radial"].error < 0.02 and abs(page["radial"].mean + 2.0) < 4 * page["radial"].error


def test_own_observable(page):
    """At omega = 1 <r_i^2> of two electrons is the energy in the trap; they keep apart; the root
    follows.
    """
    size = page["size"]
    trap = page["vmc"].evaluate(page["trained"], steps=100).estimates["trap"]
    assert abs(size["r^2"].mean - trap.mean) < 4 * np.hypot(size["r^2"].error, trap.error) < 0.1
    assert size["same side"].mean < 0.5 - 4 * size["same side"].error
    root, error = size.derived["rms radius"]
    assert root == pytest.approx(size["r^2"].mean ** 0.5, rel=1e-3)
    assert error == pytest.approx(size["r^2"].error / (2 * root), rel=0.05)


def test_own_optimizer(page):
    assert page["signed"].parameters["slope"] == pytest.approx(1.0, abs=0.05)


def chi_square(proposal):
    system = TrappedBosons(1, 1.0, 1)
    psi = GaussianEnvelope(system).bind(np.array([np.log(0.1)]))
    start = np.random.default_rng(1).uniform(1.0, 2.0, (8192, 1, 1))
    walkers = Walkers(
        start, np.ones((8192, 1), np.int8), psi.log(start, np.ones((8192, 1), np.int8))
    )
    r = proposal.sample(walkers, psi, 0.9, 60, Stream(4, 2, 0, 0))[0].r.ravel()
    counts = np.bincount(np.floor(norm.cdf(r * np.sqrt(0.4)) * 32).astype(int), minlength=32)
    return ((counts - 256) ** 2 / 256).sum(), chi2.ppf(0.999, 31)


def test_own_proposal(page):
    value, limit = chi_square(page["WiderOutside"]())
    assert value < limit

    class WithoutRatio(page["WiderOutside"]):
        def log_ratio(self, *arguments):
            return 0.0

    assert chi_square(WithoutRatio())[0] > 2 * limit


def test_own_local_update(page):
    """Ratios of flips and exchanges are those of log psi; the walkers are those of log psi alone;
    the energy is that of all 256 configurations.
    """
    system, trained, s = page["quantum_ring"], page["neighbours"], states(8)
    psi = trained.population.wavefunction.bind(trained.state.theta)
    walkers = psi.renew(Walkers(np.zeros((256, 8, 0)), s))
    assert type(walkers.update) is page["Ring"] and walkers.log_psi is None
    log = psi.log(walkers.r, s)
    for moves in (SpinMoves.flips(8), SpinMoves(list(combinations(range(8), 2)))):
        for k in range(len(moves)):
            move = SpinMove(moves, k)
            there, acts = moves.connected(s, slice(k, k + 1))[:, 0], move.acts(s)
            change = (psi.log(walkers.r, there) - log)[acts]
            np.testing.assert_allclose(walkers.update.ratio(move)[1][acts], change, atol=1e-13)
            mask = acts & (np.arange(256) % 3 > 0)
            walkers.update.accept(move, mask)
            here = walkers.update.configuration()[1]
            np.testing.assert_array_equal(here, np.where(mask[:, None], there, s))
            walkers.update.accept(move, mask)  # and back

    class Whole(page["Neighbours"]):
        update_rule = Wavefunction.update_rule

    options = {"optimizer": SGD(0.01), "walkers": 256, "iterations": 60, "seed": 2}
    whole = page["vmc"].train(system, Whole(system), **options)
    np.testing.assert_allclose(whole.parameters["J"], trained.parameters["J"], rtol=1e-9)
    amplitude, found = np.exp(log - log.max()), page["spins"]
    h = dense(made(TransverseIsing, extent=[8], field=1.0), s)
    exact = amplitude @ h @ amplitude / (amplitude @ amplitude)
    assert abs(found.energy - exact) < 4 * found.error < 0.2


def test_own_operation(page):
    """The energy is that of exp(-u); value, jet and both ways back agree with differences."""
    assert page["bell"].parameters["a"] == pytest.approx(1.0, abs=0.02)
    assert abs(page["bound"].energy) < 1e-4 and page["bound"].variance < 1e-4
    r, system = np.random.default_rng(1).normal(size=(4, 1, 1)), page["particle"]

    class Everywhere(page["Bell"]):
        """Of a constant, of the first layer's jets, of a parameter."""

        def log_psi(self, ops, theta, walkers):
            x, act = walkers.r, lambda x: ops.apply(page["arctan"], (x,))
            layer = ops.affine(ops.flatten(x), ops.fixed(np.array([[0.7, -1.3]])))
            fixed = act(ops.constant(np.full((1, 1, 1), 0.4)))
            return None, ops.total(act(layer)) * act(theta["a"]) - ops.total(x * x * fixed)

    for kind in (page["Bell"], Everywhere):
        own, theta = kind(system), np.array([0.3])
        psi, labels = own.bind(theta), np.ones((4, 1), np.int8)

        def log(places, psi=psi):
            return psi.log(places, np.ones((len(places), 1), np.int8))

        check_jet(log, r, *psi.jet(Walkers(r, labels)))
        slopes, extended = psi.log_derivatives(Walkers(r, labels)), r.astype(np.longdouble)

        def along(h, own=own, theta=theta, extended=extended, labels=labels):
            return own.bind(theta + h).log(extended, labels)

        check_direction(along, slopes[:, 0], kind.__name__)
        drift, (_, derivatives, _) = psi.drift(r, labels), psi.jet(Walkers(r, labels))
        np.testing.assert_allclose(drift[:, 0, 0], derivatives[0], rtol=1e-12)
