"""Spin Hamiltonians against Pauli matrices, local energies against (H psi)/psi, ground states
against published energies.
"""

import numpy as np
import pytest

from tests.spins import amplitudes, dense, lattice_cases, sector, walkers_of
from vmcnet.backend.stream import Stream
from vmcnet.estimators.energy import local_energies
from vmcnet.exact.diagonalisation import configurations, ground_state, matrix
from vmcnet.systems import Heisenberg, TransverseIsing
from vmcnet.wavefunctions import BinaryRBM

CASES = lattice_cases()


@pytest.mark.parametrize("name", CASES)
def test_sparse_matrix_is_that_of_pauli_matrices(name):
    system = CASES[name]
    s = configurations(system)
    np.testing.assert_allclose(matrix(system).toarray(), dense(system, s), atol=1e-13)
    np.testing.assert_array_equal(
        np.sort(s.view("i1") @ (1 << np.arange(s.shape[1]))),
        np.sort(sector(system) @ (1 << np.arange(s.shape[1]))),
    )


@pytest.mark.parametrize("weights", ["real", "complex"])
@pytest.mark.parametrize("name", CASES)
def test_local_energies(name, weights):
    """sum over connected configurations = (H psi)/psi of the dense matrix, on every
    configuration.
    """
    system = CASES[name]
    psi = BinaryRBM(system, alpha=1, weights=weights, spread=0.3)
    theta, s = psi.start(Stream(1, 0, 0, 0)), sector(system)
    amplitude = amplitudes(psi, theta, s)
    exact = dense(system, s) @ amplitude / amplitude
    local = local_energies(system.terms, walkers_of(s), psi.bind(theta)).total
    np.testing.assert_allclose(local, exact, rtol=1e-10, atol=1e-10)
    assert weights == "real" or np.abs(exact.imag).max() > 0.01


@pytest.mark.parametrize(
    ("system", "energy"),
    [
        (TransverseIsing([10], field=0.5), None),
        (TransverseIsing([12], field=2.0), None),
        (TransverseIsing([4, 4], field=2.0), 16 * -2.511887152354),
        (TransverseIsing([4, 4], field=3.0), 16 * -3.215508070825),
        (Heisenberg([16]), -7.142296360617),
        (Heisenberg([4, 4]), 16 * -0.701780200527),
        (Heisenberg([4, 4], second=0.5, marshall=False), 16 * -0.528620209462),
    ],
)
def test_ground_states(system, energy):
    """Free fermions, Bethe ansatz, published diagonalisations."""
    found = ground_state(system)
    exact = system.reference[0] if energy is None else energy
    assert found.energy == pytest.approx(exact, rel=1e-11)
    if energy is not None and system.reference:
        assert system.reference[0] == pytest.approx(energy, rel=1e-11)
    assert np.vdot(found.vector, found.vector) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("extent", [[16], [4, 4], [2, 5]])
def test_marshall_turn_makes_the_ground_state_positive(extent):
    periodic = min(extent) > 2
    assert ground_state(Heisenberg(extent, periodic=periodic)).vector.min() > -1e-10
    assert ground_state(Heisenberg(extent, periodic=periodic, marshall=False)).vector.min() < -1e-3


def test_start_fills_the_space_or_the_sector():
    free, fixed = (
        TransverseIsing([6]),
        Heisenberg([7], magnetisation=-3, periodic=False, marshall=False),
    )
    s = free.start(Stream(1, 0, 0, 0), 4096).s
    assert (
        s.dtype == np.int8
        and set(np.unique(s)) == {-1, 1}
        and np.abs(s.mean(axis=0)).max() < 5 / 64
    )
    walkers = fixed.start(Stream(1, 0, 0, 0), 4096)
    assert walkers.r.shape == (4096, 7, 0) and (walkers.s.sum(axis=1) == -3).all()
    assert (
        np.abs(walkers.s.mean(axis=0) + 3 / 7).max() < 0.08
        and len(np.unique(walkers.s, axis=0)) == 21
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TransverseIsing(), "either extent"),
        (lambda: TransverseIsing([4], sites=4, edges=[[0, 1]]), "either extent"),
        (lambda: TransverseIsing(edges=[[0, 1]]), "needs sites"),
        (lambda: TransverseIsing([1, 4]), "a site would be its own"),
        (lambda: TransverseIsing(sites=3, edges=[[0, 3]]), "different sites in 0 .. 2"),
        (lambda: TransverseIsing(sites=3, edges=[[0, 1], [1, 0]]), "one twice"),
        (lambda: Heisenberg([4], magnetisation=1), "even"),
        (lambda: Heisenberg([5], marshall=True), "bipartite"),
        (lambda: Heisenberg([3], second=0.5), "two of them"),
        (lambda: Heisenberg([2], second=0.5), "its own"),
        (lambda: Heisenberg([6], full_space=True, magnetisation=2), "leave one of the two out"),
        (lambda: Heisenberg(sites=2, edges=[[0, 1]], second=1.0), "second_edges"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()
