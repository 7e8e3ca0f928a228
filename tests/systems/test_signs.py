"""Where psi > 0 cannot be the ground state it is said, and systems choose the basis where it is;
short periods are bonds of weight 2. Right values by exact diagonalisation of matrices written down
here.
"""

import warnings

import numpy as np
import pytest

import vmcnet as vmc
from tests.runs import JOB
from vmcnet import cli
from vmcnet.engine.fitting import notes_of
from vmcnet.exact.diagonalisation import ground_state, matrix
from vmcnet.systems import ClassicalIsing, Heisenberg, Potts, TransverseIsing
from vmcnet.wavefunctions import BinaryRBM, SpinJastrow, SpinNetwork


@pytest.mark.parametrize(
    ("system", "energy"),
    [
        (TransverseIsing([2, 2], field=-0.5, periodic=False), -4.2715584),
        (TransverseIsing([3, 3], field=-0.5), -18.2816206),
        (TransverseIsing([6], field=-1.0), -7.7274066),
        (TransverseIsing([6], field=1.0), -7.7274066),
        (TransverseIsing([6], field=-1.0, longitudinal=0.3), None),
        (Heisenberg([7]), -2.8552),
        (Heisenberg([12], anisotropy=0.5, field=0.8, magnetisation=4), -5.2817871),
    ],
)
def test_energies(system, energy):
    found = ground_state(system)
    if energy is None:
        other = ground_state(TransverseIsing([6], field=1.0, longitudinal=0.3))
        energy = other.energy
    assert found.energy == pytest.approx(energy, abs=6e-5)
    if not isinstance(system, Heisenberg):
        assert found.vector.min() > -1e-9


@pytest.mark.parametrize("field", [-0.5, 0.5])
def test_the_reported_case(field):
    """It gave -3.99999955(0) without a word."""
    system = TransverseIsing([2, 2], field=field, periodic=False)
    psi = BinaryRBM(system, alpha=2.0, spread=0.1)
    options = {"walkers": 256, "iterations": 120, "seed": 3}
    steps = {"optimizer": vmc.optimizers.SGD(0.1), "natural_gradient": vmc.optimizers.SR()}
    result = vmc.train(system, psi, **steps, **options)
    assert vmc.evaluate(result, steps=50).energy == pytest.approx(-4.2715584, abs=2e-3)


def complex_rbm(system):
    return BinaryRBM(system, weights="complex")


CASES = [  # system, factor, whether it is said
    (Heisenberg([7]), BinaryRBM, True),
    (Heisenberg([7]), complex_rbm, False),
    (Heisenberg([8]), BinaryRBM, False),
    (Heisenberg([8], marshall=False), SpinJastrow, True),
    (Heisenberg([8], coupling=-1.0), SpinJastrow, False),
    (Heisenberg([8], coupling=-1.0, marshall=True), SpinJastrow, True),
    (Heisenberg([8], second=0.5), SpinNetwork, True),
    (Heisenberg([8], second=-0.5), SpinNetwork, False),
    (Heisenberg([8], coupling=-1.0, second=-0.5), BinaryRBM, False),
    (Heisenberg([8], coupling=-1.0, second=0.5), BinaryRBM, True),
    (Heisenberg([4, 4], coupling=0.0, second=1.0), BinaryRBM, False),
    (Heisenberg(sites=3, edges=[[0, 1], [1, 2], [0, 2]]), BinaryRBM, True),
    (Heisenberg(sites=3, edges=[[0, 1], [1, 2]]), BinaryRBM, False),
    (TransverseIsing([6], field=-1.0), BinaryRBM, False),
    (TransverseIsing([6], coupling=-1.0), BinaryRBM, False),
]


@pytest.mark.parametrize(("system", "make", "said"), CASES)
def test_what_is_said(system, make, said):
    notes = [n for n in notes_of(system, make(system)) if n.startswith("psi is positive")]
    assert len(notes) == said
    # said exactly where the ground state of the matrix in this basis has both signs
    if system.particles <= 9:
        vector = ground_state(system).vector
        h = matrix(system).toarray()
        off = h - np.diag(np.diag(h))
        assert (off.max() > 1e-12) == said or make is complex_rbm
        assert said or vector.min() > -1e-9 or make is complex_rbm


def test_a_phase_of_ones_own_is_not_doubted():
    class Signed(SpinJastrow):
        def log_psi(self, ops, theta, walkers):
            return np.where(walkers.s[:, 0] > 0, 1.0, -1.0), super().log_psi(ops, theta, walkers)[1]

    system = Heisenberg([7])
    assert notes_of(system, SpinJastrow(system)) and not notes_of(system, Signed(system))


def test_fields_that_do_nothing_are_said():
    system = Heisenberg([12], anisotropy=0.5, field=0.8)
    assert "only adds -0 " in system.notes[0] or "only adds 0 " in system.notes[0]
    assert "adds -1.6" in Heisenberg([12], field=0.8, magnetisation=4).notes[0]
    assert not Heisenberg([12], field=0.8, full_space=True).notes and not Heisenberg([12]).notes


@pytest.mark.processes
def test_where_it_is_said(tmp_path, capsys):
    settings = [
        "system={type='heisenberg', extent=[7]}",
        "wavefunction=[{type='binary_rbm'}]",
        "sampling.proposal='exchange'",
        "training.iterations=2",
    ]
    job, output = tmp_path / "job.toml", tmp_path / "run.h5"
    job.write_text(JOB)
    options = [x for s in settings for x in ("--set", s)]
    for arguments in (
        ["check", job, *options],
        ["run", job, "--output", output, *options],
        ["report", output],
    ):
        with pytest.raises(SystemExit) as end:
            cli.main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert end.value.code == 0 and "warning: psi is positive, and H has" in out, (
            arguments,
            err,
        )
    system = Heisenberg([7])
    with pytest.warns(UserWarning, match="psi is positive"):
        vmc.train(system, BinaryRBM(system), iterations=1, walkers=8, block=8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vmc.train(Heisenberg([8]), BinaryRBM(Heisenberg([8])), iterations=1, walkers=8, block=8)


# short periods


@pytest.mark.parametrize("temperature", [1.0, 2.5, 10.0])
def test_the_torus_of_two_by_two(temperature):
    """Four bonds of weight 2: the same as an open lattice of twice the coupling."""
    torus = ClassicalIsing([2, 2], temperature=temperature)
    opened = ClassicalIsing([2, 2], temperature=temperature, coupling=2.0, periodic=False)
    s, p = torus.enumerated()
    np.testing.assert_allclose(p, opened.enumerated()[1], rtol=1e-12)
    exact = (p * torus.energy(s)).sum()
    assert torus.reference[0] == pytest.approx(exact, rel=1e-9)
    if temperature == 2.5:
        assert exact == pytest.approx(-6.40867, abs=1e-5)
    psi = vmc.wavefunctions.Boltzmann(torus)
    result = vmc.train(torus, psi, iterations=0, walkers=512, seed=2)
    found = vmc.evaluate(result, steps=100)
    assert abs(found.energy - exact) < 0.05


@pytest.mark.parametrize(
    ("system", "twin"),
    [
        (TransverseIsing([2]), TransverseIsing([2], coupling=2.0, periodic=False)),
        (TransverseIsing([2, 2]), TransverseIsing([2, 2], coupling=2.0, periodic=False)),
        (Heisenberg([2]), Heisenberg([2], coupling=2.0, periodic=False)),
        (Heisenberg([2, 2], full_space=True), Heisenberg([4], coupling=2.0, full_space=True)),
        (
            Heisenberg([4], second=0.5),
            Heisenberg(
                sites=4,
                edges=[[0, 1], [1, 2], [2, 3], [0, 3]],
                second=1.0,
                second_edges=[[0, 2], [1, 3]],
            ),
        ),
    ],
)
def test_bonds_of_weight_two(system, twin):
    np.testing.assert_allclose(
        np.linalg.eigvalsh(matrix(system).toarray()),
        np.linalg.eigvalsh(matrix(twin).toarray()),
        atol=1e-12,
    )


def test_potts_of_weight_two():
    torus, opened = Potts([2, 2]), Potts([2, 2], coupling=2.0, periodic=False)
    np.testing.assert_allclose(torus.enumerated()[1], opened.enumerated()[1], rtol=1e-12)
    assert torus.neighbours.shape == (4, 4)
