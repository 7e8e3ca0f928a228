"""Local updates against psi evaluated whole: ratios, moves taken, decisions of samplers, sums over
connected configurations; a determinant and a one-particle factor of this file's own.
"""

import numpy as np
import pytest

from tests.device import fakecupy
from tests.spins import evaluated_whole, walkers_of
from vmcnet.backend.stream import Stream
from vmcnet.geometry.moves import ParticleMove, SpinMove, SpinMoves
from vmcnet.parameters import Layout
from vmcnet.sampling import Exchange, OneParticle, SpinFlip
from vmcnet.systems import Heisenberg, TransverseIsing, TrappedBosons
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import BinaryRBM, SpinJastrow, SpinNetwork, Wavefunction, spin_network
from vmcnet.wavefunctions.local_update import LocalUpdate, ProductUpdate, UpdateRule
from vmcnet.wavefunctions.machines.machine import MachineTables
from vmcnet.wavefunctions.spin_jastrow import CompiledFields, Fields

SYSTEMS = {"flips": TransverseIsing([3, 4]), "exchanges": Heisenberg([3, 4], marshall=False)}
SPINS = {
    "jastrow": lambda s: SpinJastrow(s, spread=0.3),
    "jastrow symmetric": lambda s: SpinJastrow(s, symmetric=True, spread=0.3),
    "machine": lambda s: BinaryRBM(s, spread=0.2),
    "complex machine": lambda s: BinaryRBM(s, weights="complex", spread=0.2),
    "network": lambda s: SpinNetwork(s, [5, 3], spread=0.4),
    "network that adds": lambda s: SpinNetwork(
        s, [12, 4], "tanh", skip=True, weights="complex", spread=0.4
    ),
    "network symmetric": lambda s: SpinNetwork(s, [3], symmetric=True, spread=0.1),
    "network symmetric that adds": lambda s: SpinNetwork(
        s, [12], skip=True, symmetric=True, weights="complex", spread=0.02
    ),
    "product": lambda s: (
        SpinJastrow(s, spread=0.2) * BinaryRBM(s, weights="complex", spread=0.2) * SpinJastrow(s)
    ),
}


@pytest.fixture(autouse=True)
def networks_of_any_size(monkeypatch):
    """They have an update from where it costs less; here always."""
    monkeypatch.setattr(spin_network, "LEAST", 1)
    monkeypatch.setattr(spin_network, "LEAST_SYMMETRIC", 1)


def sampler_of(system):
    return (SpinFlip if system.magnetisation is None else Exchange)(system)


def started(name, system, walkers=48):
    psi = SPINS[name](system)
    theta = psi.start(Stream(1, 0, 0, 0))
    return (
        psi.bind(theta),
        evaluated_whole(psi, theta),
        system.start(Stream(2, 0, 0, 0), walkers),
    )


@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize("name", SPINS)
def test_ratios_and_moves_taken(name, kind):
    """To 1e-12, at the start, after moves that some walkers took, and after a renewal."""
    system = SYSTEMS[kind]
    bound, whole, walkers = started(name, system)
    moves, update, s = sampler_of(system).moves, bound.update(walkers), walkers.s
    rng = np.random.default_rng(3)
    for m in rng.integers(len(moves), size=12).tolist():
        move = SpinMove(moves, m)
        acts = move.acts(s)
        turned = moves.connected(s, slice(m, m + 1))[:, 0]
        phase, log = update.ratio(move)
        expected = np.exp(whole.log(walkers.r, turned) - whole.log(walkers.r, s))
        assert acts.any() and phase is None
        np.testing.assert_allclose(np.exp(log)[acts], expected[acts], rtol=1e-12)
        take = acts & (rng.uniform(size=len(s)) < 0.5)
        update.accept(move, take)
        s = np.where(take[:, None], turned, s)
        np.testing.assert_array_equal(update.configuration()[1], s)
        if m % 3 == 0:
            update.renew()


@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize("name", SPINS)
def test_the_same_decisions_as_by_log_psi(name, kind):
    system = SYSTEMS[kind]
    bound, whole, one = started(name, system)
    sampler, other = sampler_of(system), one
    for step in range(3):
        one, a = sampler.sample(bound.renew(one), bound, 1.0, 4, Stream(3, 2, step, 0))
        other, b = sampler.sample(whole.renew(other), whole, 1.0, 4, Stream(3, 2, step, 0))
        assert one.update is not None and other.update is None
        np.testing.assert_array_equal(one.s, other.s)
        np.testing.assert_array_equal(a.walkers, b.walkers)
        assert 0 < a.accepted == b.accepted and a.nonfinite == b.nonfinite == 0
        for term in system.terms.values():
            np.testing.assert_allclose(
                term.local(one, bound), term.local(other, whole), rtol=1e-11, atol=1e-12
            )


@pytest.mark.parametrize("walkers", [96, 300])
@pytest.mark.parametrize("kind", SYSTEMS)
def test_compiled_sweep_of_pairs_equals_its_plain_twin(kind, walkers):
    """300 walkers: tiles of different width. 70 sweeps: renewed on the way."""
    system = SYSTEMS[kind]
    sampler = sampler_of(system)
    bound, _, start = started("jastrow", system, walkers)
    coupling = bound.rule.coupling
    plain, fast = Fields(coupling, start), CompiledFields(coupling, start)
    for steps in (1, 70):
        plan = sampler.plan(Stream(3, 2, steps, 0), steps, walkers)
        for a, b in zip(
            plain.sweep(sampler.moves, *plan), fast.sweep(sampler.moves, *plan), strict=True
        ):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(plain.configuration()[1], fast.configuration()[1])
        np.testing.assert_allclose(
            fast.fields, coupling @ fast.configuration()[1].T, rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize("name", ["network", "network symmetric that adds"])
def test_networks_on_the_stand_in_and_in_single_precision(name, kind):
    system = SYSTEMS[kind]
    bound, _, walkers = started(name, system)
    plan = sampler_of(system).plan(Stream(3, 2, 0, 0), 3, 48)
    moves = sampler_of(system).moves
    elements = np.linspace(-1.0, 1.0, len(moves))
    update = bound.update(walkers)
    device = Walkers(fakecupy.asarray(walkers.r), fakecupy.asarray(walkers.s))
    single = Walkers(walkers.r.astype(np.float32), walkers.s)
    there, half = bound.update(device), bound.update(single)
    connected = update.connected(moves, elements)
    np.testing.assert_allclose(
        there.connected(moves, elements).get(), connected, rtol=1e-10, atol=1e-12
    )
    found = half.connected(moves, elements)
    assert found.dtype.itemsize * 2 == connected.dtype.itemsize
    np.testing.assert_allclose(found, connected, rtol=1e-4, atol=1e-4)
    for a, b in zip(update.sweep(moves, *plan), there.sweep(moves, *plan), strict=True):
        np.testing.assert_array_equal(a, b.get())
    np.testing.assert_array_equal(update.configuration()[1], there.configuration()[1].get())


def test_large_networks_have_an_update_and_small_ones_none(monkeypatch):
    monkeypatch.undo()
    for sites, symmetric, wanted in ((8, False, False), (64, False, True), (8, True, False)):
        psi = SpinNetwork(TransverseIsing([sites]), [2], symmetric=symmetric)
        assert (psi.bind(psi.start(Stream(1, 0, 0, 0))).rule is not None) == wanted


def test_not_a_number_is_counted_and_never_taken():
    system = SYSTEMS["flips"]
    psi = SpinJastrow(system, spread=0.1)
    theta = psi.start(Stream(1, 0, 0, 0))
    walkers, sampler = system.start(Stream(2, 0, 0, 0), 16), SpinFlip(system)
    for kind in (Fields, CompiledFields):
        update = kind(psi.bind(theta).rule.coupling, walkers)
        update.fields[:] = np.nan
        plan = sampler.plan(Stream(3, 2, 0, 0), 1, 16)
        accepted, bad = update.sweep(sampler.moves, *plan)
        assert not accepted.any() and (bad == len(plan[0])).all()
    theta[0] = np.nan
    bound = psi.bind(theta)
    moved, counts = sampler.sample(bound.renew(walkers), bound, 1.0, 2, Stream(3, 2, 0, 0))
    assert counts.nonfinite == counts.tried and counts.accepted == 0
    np.testing.assert_array_equal(moved.s, walkers.s)


def test_connected_moves_in_tiles():
    """More moves than a tile holds, some of which do not act; each must enter once."""
    system = Heisenberg([3, 4], periodic=False)
    i, j = np.triu_indices(12, 1)
    moves = SpinMoves(np.stack([i, j], axis=1))  # 66 exchanges, a tile is 64
    elements = np.random.default_rng(5).normal(size=len(moves))
    bound, whole, walkers = started("jastrow", system)
    assert not moves.acts(walkers.s).all()
    np.testing.assert_allclose(
        bound.connected(walkers, moves, elements),
        whole.connected(walkers, moves, elements),
        rtol=1e-11,
    )


def test_a_factor_without_a_rule_leaves_the_product_whole():
    system = SYSTEMS["flips"]
    psi = SpinJastrow(system) * BinaryRBM(system, spread=40.0)  # beyond the range of tables
    bound = psi.bind(psi.start(Stream(1, 0, 0, 0)))
    walkers = bound.renew(system.start(Stream(2, 0, 0, 0), 8))
    assert bound.rule is not None and walkers.update is None
    assert np.isfinite(walkers.log_psi).all()


def test_two_machines_are_one_and_other_products_are_of_updates():
    system = SYSTEMS["flips"]
    machine, pairs = BinaryRBM(system, spread=0.1), SpinJastrow(system)
    for psi, kind in ((machine * machine, MachineTables), (machine * pairs, ProductUpdate)):
        bound = psi.bind(psi.start(Stream(1, 0, 0, 0)))
        assert isinstance(bound.update(system.start(Stream(2, 0, 0, 0), 8)), kind)


class Polynomials(Wavefunction):
    """det_ik phi_k(r_i), phi = 1, x, y: three particles of one spin, with the determinant lemma."""

    name = "polynomials"

    def __init__(self, system):
        self.particles, self.dimensions = 3, 2
        self.layout = Layout().add("slope", (2, 3)).add("constant", (3,))

    def initial(self, stream):
        slope, constant = np.array([[0.1, 1, 0.2], [-0.3, 0.1, 1]]), np.array([1, 0.2, -0.1])
        return {"slope": slope, "constant": constant}

    def log_psi(self, ops, theta, walkers):
        return ops.slogdet(ops.affine(walkers.r, theta["slope"], theta["constant"]))

    def update_rule(self, values):
        return Rule(lambda w: Inverse(w, values["slope"], values["constant"]))


class Well(Wavefunction):
    """exp(-sum_i r_i^2 / 2)."""

    name, decays = "well", True

    def __init__(self, system):
        self.particles, self.dimensions, self.layout = 3, 2, Layout()

    def initial(self, stream):
        return {}

    def log_psi(self, ops, theta, walkers):
        return None, -0.5 * ops.total(walkers.r**2)

    def update_rule(self, values):
        return Rule(OneBody)


class Rule(UpdateRule):
    kinds = (ParticleMove,)

    def __init__(self, of):
        self.of = of


class OneBody(LocalUpdate):
    def __init__(self, walkers):
        self.r, self.s = walkers.r.copy(), walkers.s

    def configuration(self):
        return self.r, self.s

    def ratio(self, move):
        old = self.r[np.arange(len(self.r)), move.particle]
        return None, 0.5 * ((old**2).sum(axis=1) - (move.to**2).sum(axis=1))

    def accept(self, move, mask):
        rows = np.arange(len(self.r))[mask]
        self.r[rows, move.particle[mask]] = move.to[mask]

    def renew(self):
        pass


class Inverse(OneBody):
    """phi(r') . A^-1[:, i], and Sherman and Morrison's change of A^-1."""

    def __init__(self, walkers, slope, constant):
        super().__init__(walkers)
        self.slope, self.constant = slope, constant
        self.renew()

    def renew(self):
        self.inverse = np.linalg.inv(self.r @ self.slope + self.constant)

    def _row(self, move):
        return np.einsum("wk,wki->wi", move.to @ self.slope + self.constant, self.inverse)

    def ratio(self, move):
        ratio = self._row(move)[np.arange(len(self.r)), move.particle]
        return np.sign(ratio), np.log(abs(ratio))

    def accept(self, move, mask):
        rows = np.arange(len(self.r))
        change, column = self._row(move), self.inverse[rows, :, move.particle]
        column = column / change[rows, move.particle, None]
        change[rows, move.particle] -= 1.0
        new = self.inverse - column[:, :, None] * change[:, None, :]
        self.inverse = np.where(mask[:, None, None], new, self.inverse)
        super().accept(move, mask)


@pytest.mark.parametrize("make", [Well, lambda s: Polynomials(s) * Well(s)])
def test_moves_of_one_particle(make):
    """Ratios of magnitude and sign; the sampler decides as it does by log psi, to the bit."""
    system = TrappedBosons(3, dimensions=2)
    psi = make(system)
    theta = psi.start(Stream(1, 0, 0, 0))
    bound, whole = psi.bind(theta), evaluated_whole(psi, theta)
    one = other = system.start(Stream(2, 0, 0, 0), 64)
    rng = np.random.default_rng(1)
    move = ParticleMove(rng.integers(3, size=64), rng.normal(size=(64, 2)))
    phase, log = bound.update(one, ParticleMove).ratio(move)
    moved = one.r.copy()
    moved[np.arange(64), move.particle] = move.to
    np.testing.assert_allclose(log, whole.log(moved, one.s) - whole.log(one.r, one.s), rtol=1e-11)
    if phase is not None:
        a = [np.linalg.det(r @ theta[:6].reshape(2, 3) + theta[6:]) for r in (moved, one.r)]
        np.testing.assert_array_equal(phase, np.sign(a[0] * a[1]))
        assert abs(phase.sum()) < 64
    sampler = OneParticle()
    for step in range(2):
        one, a = sampler.sample(
            bound.renew(one, sampler.move), bound, 0.7, 70, Stream(3, 2, step, 0)
        )
        other, b = sampler.sample(
            whole.renew(other, sampler.move), whole, 0.7, 70, Stream(3, 2, step, 0)
        )
        assert one.update is not None and other.update is None
        np.testing.assert_array_equal(one.r, other.r)
        np.testing.assert_array_equal(a.walkers, b.walkers)
        assert 0.3 < a.accepted / a.tried < 0.9


def test_a_rule_of_particles_serves_no_move_of_spins_nor_of_all():
    system = TrappedBosons(3, dimensions=2)
    psi = Well(system)
    walkers = system.start(Stream(2, 0, 0, 0), 4)
    bound = psi.bind(psi.start(Stream(1, 0, 0, 0)))
    for kind in (SpinMove, None):
        assert bound.renew(walkers, kind).update is None
    assert bound.renew(walkers, ParticleMove).log_psi is None


def test_off_diagonal_terms_find_the_update_of_walkers_without_one():
    """After a sampler that moves everything at once, or before any move."""
    system = SYSTEMS["flips"]
    bound, whole, walkers = started("jastrow", system)
    asked = []
    bound.update = lambda w, update=bound.update: asked.append(1) or update(w)
    np.testing.assert_allclose(
        system.terms["field"].local(walkers_of(walkers.s), bound),
        system.terms["field"].local(walkers, whole),
        rtol=1e-12,
    )
    assert asked


class Marked(Wavefunction):
    """sign(s) exp(sum_i i s_i / 10): the sign of spin 0 (times i with `turned`), without a phase
    where that is + for all walkers.
    """

    name, reads = "marked", "spins"

    def __init__(self, system, turned):
        self.place(system)
        self.layout, self.turned = Layout(), turned

    def log_psi(self, ops, theta, walkers):
        down, k = walkers.s[:, 0] < 0, np.arange(self.particles) / 10.0
        sign = np.where(down, 1j if self.turned else -1.0, 1.0) if down.any() else None
        return sign, ops.constant(walkers.s @ k)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("first", [1, -1])
def test_a_phase_may_be_absent_on_either_side_of_a_move(first, turned):
    system = SYSTEMS["flips"]
    s = system.start(Stream(1, 0, 0, 0), 5).s
    s[:, 0], s[:, 1], n = first, -first, 12
    psi, walkers = Marked(system, turned).bind(np.zeros(0)), Walkers(np.zeros((5, n, 0)), s)

    def value(s):
        unit = 1j if turned else -1.0
        return np.where(s[:, 0] < 0, unit, 1.0) * np.exp(s @ (np.arange(n) / 10.0))

    for moves in (SpinMoves([[0], [3]]), SpinMoves([[3]]), SpinMoves([[0, 1], [2, 4]])):
        known = sum(
            np.where(moves.acts(s)[:, m], (m + 1.0) * value(moves.connected(s)[:, m]), 0.0)
            for m in range(len(moves))
        )
        found = psi.connected(walkers, moves, np.arange(1.0, len(moves) + 1.0))
        np.testing.assert_allclose(found, known / value(s), rtol=1e-12)
    i, j = np.triu_indices(n, 1)
    elements, known = np.linspace(-1.0, 1.0, 5 * len(i)).reshape(5, -1), 0.0
    for k, pair in enumerate(zip(i, j, strict=True)):
        to = s.copy()
        to[:, pair] = s[:, pair[::-1]]
        known += np.where(s[:, pair[0]] != s[:, pair[1]], elements[:, k] * value(to), 0.0)
    np.testing.assert_allclose(psi.spin_exchanges(walkers, elements), known / value(s), rtol=1e-12)
