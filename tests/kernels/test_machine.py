"""The compiled kernels, their plain NumPy twin and the generic path through log psi: the same on
every step.
"""

import os

import numpy as np
import pytest

from tests.spins import evaluated_whole, lattice_cases, walkers_of
from vmcnet.backend.stream import Stream
from vmcnet.calculus.tape import built
from vmcnet.geometry.moves import SpinMoves
from vmcnet.sampling.spin_metropolis import Exchange, SpinFlip
from vmcnet.systems import Heisenberg, TransverseIsing
from vmcnet.wavefunctions import BinaryRBM
from vmcnet.wavefunctions.machines.machine import CompiledTables, Machine, MachineTables

SYSTEMS = {"flips": TransverseIsing([3, 4]), "exchanges": Heisenberg([3, 4], periodic=False)}
VARIANTS = {
    "real": {},
    "complex": {"weights": "complex"},
    "symmetric": {"symmetric": True, "alpha": 2},
    "point group": {"symmetric": True, "point_group": True},
    "binary": {"units": "binary"},
}


def fitting(systems):
    """(system, variant) by name; a translation-symmetric machine needs a lattice with
    translations.
    """
    return [
        (name, variant)
        for name, system in systems.items()
        for variant, options in VARIANTS.items()
        if not options.get("symmetric") or len(system.lattice.translations) > 1
    ]


def machine_of(psi, theta):
    return psi.update_rule(psi.layout.values(theta))


def random_machine(n, hidden, width, is_complex, seed=0):
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.normal(0, width, shape) + (1j * rng.normal(0, width, shape) if is_complex else 0)

    return Machine(draw(n), draw(hidden), draw(n, hidden))


@pytest.mark.parametrize(("name", "variant"), fitting(SYSTEMS))
def test_machine_is_psi(name, variant):
    """log psi and the machine's differ by a constant."""
    system = SYSTEMS[name]
    psi = BinaryRBM(system, **VARIANTS[variant], spread=0.3)
    theta = psi.start(Stream(1, 0, 0, 0))
    s = system.start(Stream(2, 0, 0, 0), 50).s
    m = machine_of(psi, theta)
    log = s @ m.a + np.log(2 * np.cosh(m.b + s @ m.weights)).sum(axis=1)
    ratio = np.exp(psi.bind(theta).log(walkers_of(s).r, s) - log)
    np.testing.assert_allclose(ratio / ratio[0], 1, rtol=1e-11)


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize(("width", "walkers"), [(0.02, 96), (0.4, 96), (0.4, 131), (0.4, 256)])
@pytest.mark.parametrize("name", SYSTEMS)
def test_kernels_equal_their_numpy_twin(name, width, walkers, is_complex):
    """131 walkers: one tile; 256: two."""
    system = SYSTEMS[name]
    sampler = (SpinFlip if name == "flips" else Exchange)(system)
    machine, s = (
        random_machine(12, 29, width, is_complex),
        system.start(Stream(2, 0, 0, 0), walkers).s,
    )
    plain, fast = MachineTables(machine, walkers_of(s)), CompiledTables(machine, walkers_of(s))
    for steps in (1, 3):
        sequence, limits = sampler.plan(Stream(3, 2, steps, 0), steps, walkers)
        for a, b in zip(
            plain.sweep(sampler.moves, sequence, limits),
            fast.sweep(sampler.moves, sequence, limits),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(plain.spins(), fast.spins())
        np.testing.assert_allclose(fast.tanh(), plain.tanh(), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(
            fast.tanh(), np.tanh(machine.b + plain.spins() @ machine.weights), rtol=1e-9, atol=1e-11
        )
    elements = np.random.default_rng(1).normal(size=len(sampler.moves))
    np.testing.assert_allclose(
        fast.connected(sampler.moves, elements),
        plain.connected(sampler.moves, elements),
        rtol=1e-10,
    )


@pytest.mark.parametrize(("name", "variant"), fitting(lattice_cases()))
def test_fast_and_generic_path_agree_on_every_step(name, variant):
    system = lattice_cases()[name]
    psi = BinaryRBM(system, **VARIANTS[variant], spread=0.25)
    theta = psi.start(Stream(1, 0, 0, 0))
    bound, whole = psi.bind(theta), evaluated_whole(psi, theta)
    sampler = (
        SpinFlip(system, "systematic", "heat_bath")
        if system.magnetisation is None
        else Exchange(system)
    )
    generic = system.start(Stream(2, 0, 0, 0), 32)
    fast = generic
    for step in range(4):
        generic, a = sampler.sample(whole.renew(generic), whole, 1.0, 1, Stream(3, 2, step, 0))
        fast, b = sampler.sample(bound.renew(fast), bound, 1.0, 1, Stream(3, 2, step, 0))
        assert fast.update is not None and fast.log_psi is None
        np.testing.assert_array_equal(fast.s, generic.s)
        np.testing.assert_array_equal(a.walkers, b.walkers)
        assert a.accepted == b.accepted > 0 and a.tried == b.tried
        for term in system.terms.values():
            np.testing.assert_allclose(
                term.local(fast, bound), term.local(generic, whole), rtol=1e-10, atol=1e-11
            )


@pytest.mark.parametrize(("name", "sampler"), [("flips", SpinFlip), ("exchanges", Exchange)])
def test_sampler_and_hamiltonian_share_the_tables_of_their_moves(name, sampler):
    system = SYSTEMS[name]
    psi = BinaryRBM(system)
    bound = psi.bind(psi.start(Stream(1, 0, 0, 0)))
    walkers, _ = sampler(system).sample(
        bound.renew(system.start(Stream(2, 0, 0, 0), 16)), bound, 1.0, 1, Stream(3, 2, 0, 0)
    )
    for term in system.terms.values():
        term.local(walkers, bound)
    assert len(bound.rule.prepared) == 1
    assert SpinMoves([[0], [1]]) != SpinMoves([[1], [0]]) and SpinMoves([[0, 1]]) != SpinMoves(
        [[0], [1]]
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_log_derivatives_from_the_tables(variant):
    """Per walker, contracted and in pieces: those of the reverse pass."""
    system = SYSTEMS["flips"]
    psi = BinaryRBM(system, **VARIANTS[variant], spread=0.3)
    bound = psi.bind(psi.start(Stream(1, 0, 0, 0)))
    generic = system.start(Stream(2, 0, 0, 0), 32)
    fast = bound.renew(generic)
    weights = np.random.default_rng(3).normal(size=32) + (
        1j * np.random.default_rng(4).normal(size=32) if psi.complex else 0
    )
    np.testing.assert_allclose(
        bound.log_derivatives(fast), bound.log_derivatives(generic), rtol=1e-11, atol=1e-13
    )
    np.testing.assert_allclose(
        bound.contracted(fast, weights), bound.contracted(generic, weights), rtol=1e-10, atol=1e-11
    )
    for a, b in zip(
        bound.log_derivative_pieces(fast), bound.log_derivative_pieces(generic), strict=True
    ):
        assert a.shape == b.shape
        np.testing.assert_allclose(built(a), built(b), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("is_complex", [False, True])
def test_many_sweeps_do_not_drift(is_complex):
    """300 sweeps in one call: tables are renewed on the way."""
    system = TransverseIsing([12])
    machine, moves = random_machine(12, 12, 0.2, is_complex), SpinMoves.flips(12)
    tables = CompiledTables(machine, system.start(Stream(2, 0, 0, 0), 64))
    tables.sweep(moves, *SpinFlip(system).plan(Stream(3, 2, 0, 0), 300, 64))
    np.testing.assert_allclose(
        tables.tanh(), np.tanh(machine.b + tables.spins() @ machine.weights), rtol=1e-11, atol=1e-13
    )


@pytest.mark.parametrize("is_complex", [False, True])
def test_large_weights_neither_overflow_nor_lose_digits(is_complex):
    """theta up to 100, where tanh theta is 1 to all digits."""
    system = TransverseIsing([10])
    machine, moves = random_machine(10, 40, 3.0, is_complex), SpinMoves.flips(10)
    assert machine.fits and machine.reach > 20 and machine.group_size < 40
    s = system.start(Stream(2, 0, 0, 0), 64).s
    tables = CompiledTables(machine, walkers_of(s))
    elements = np.zeros(10)
    for i in range(10):
        elements[:] = np.eye(10)[i]
        turned = np.where(np.arange(10) == i, -s, s)

        def log(s):
            x = (machine.b + s @ machine.weights).astype(complex)
            x = np.where(x.real < 0, -x, x)
            return s @ machine.a + (x + np.log1p(np.exp(-2 * x))).sum(axis=1)

        np.testing.assert_allclose(
            tables.connected(moves, elements), np.exp(log(turned) - log(s)), rtol=1e-9
        )


def test_machines_beyond_the_range_are_left_to_the_generic_path():
    system = TransverseIsing([6])
    psi = BinaryRBM(system, spread=40.0)
    bound = psi.bind(psi.start(Stream(1, 0, 0, 0)))
    assert not machine_of(psi, psi.start(Stream(1, 0, 0, 0))).fits
    walkers = bound.renew(system.start(Stream(2, 0, 0, 0), 16))
    assert walkers.update is None and np.isfinite(walkers.log_psi).all()


def test_product_of_machines_is_a_machine():
    system = TransverseIsing([6])
    psi = BinaryRBM(system, spread=0.3) * BinaryRBM(system, symmetric=True, spread=0.3)
    theta = psi.start(Stream(1, 0, 0, 0))
    bound, walkers = psi.bind(theta), system.start(Stream(2, 0, 0, 0), 32)
    fast = bound.renew(walkers)
    assert machine_of(psi, theta).weights.shape == (6, 12)
    np.testing.assert_allclose(
        system.terms["field"].local(fast, bound),
        system.terms["field"].local(walkers, evaluated_whole(psi, theta)),
        rtol=1e-12,
    )


@pytest.mark.processes
def test_ranks_start_on_an_empty_cache(tmp_path):
    """Both compile, and write the same files."""
    from tests.exact.test_spins import JOB
    from tests.runs import same, vmcnet

    (tmp_path / "job.toml").write_text(
        JOB.replace("iterations = 250", "iterations = 5").replace("steps = 100", "steps = 5")
    )
    environ = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    vmcnet("run", tmp_path / "job.toml", "--output", tmp_path / "many.h5", ranks=2, env=environ)
    vmcnet("run", tmp_path / "job.toml", "--output", tmp_path / "one.h5", env=environ)
    same(tmp_path / "one.h5", tmp_path / "many.h5")
