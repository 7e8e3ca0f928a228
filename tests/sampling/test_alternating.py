"""Exchanges of labels in turn with moves of coordinates."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import chi2

import vmcnet as vmc
from tests.device import fakecupy
from tests.runs import JOB, datasets, vmcnet
from vmcnet.backend.stream import Stream
from vmcnet.sampling import Alternating, Gaussian, LabelExchange
from vmcnet.storage.layout import entry_of
from vmcnet.systems import Fermions1D, NeutronMatter
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import MessagePassing, NetworkJastrow, Slater


def test_exchanges_follow_psi_squared():
    """Labels of five particles at fixed coordinates: ten configurations, chi-square over many
    walkers; psi is a network's factor, which has no node.
    """
    system = vmc.systems.Particles(
        5, 2, {"none": lambda r: 0 * r[:, 0, 0]}, spins=[1, 1, -1, -1, -1]
    )
    psi = NetworkJastrow(system, MessagePassing(width=3, passes=1, spread=0.7))
    bound = psi.bind(psi.start(Stream(2, 0, 0, 0)))
    r = np.repeat(system.start(Stream(1, 0, 0, 0), 1).r, 4096, axis=0)
    walkers = bound.renew(Walkers(r, system.labels(4096)))
    moved, counts = LabelExchange().sample(walkers, bound, 0.0, 20, Stream(4, 0, 0, 0))
    assert np.array_equal(moved.r, r) and (moved.s.sum(axis=1) == -1).all()
    np.testing.assert_allclose(moved.log_psi, bound.log(moved.r, moved.s), rtol=1e-12)
    states, number = np.unique(moved.s, axis=0, return_counts=True)
    weight = np.exp(2.0 * bound.log(r[: len(states)], states))
    expected = 4096 * weight / weight.sum()
    assert len(states) == 10 and expected.max() > 2.0 * expected.min()
    square = ((number - expected) ** 2 / expected).sum()
    assert chi2.sf(square, 9) > 1e-3
    assert counts.tried == 20 * 4096 and 0 < counts.accepted < counts.tried


def test_proposals_are_symmetric():
    """Of three labels: T(s, s') = T(s', s) over all 30 arrangements of five particles."""
    first, total = np.array([0, 0, 1, 1, 2], np.int8), {}
    grid = (np.arange(60) + 0.5) / 60
    u, v = (x.ravel() for x in np.meshgrid(grid, grid))
    arrangements = {tuple(first[list(p)].tolist()) for p in permutations(range(5))}
    for s in arrangements:
        to = LabelExchange.proposed(
            np.repeat([s], len(u), axis=0).astype(np.int8), np.array([u, v])
        )
        for t, count in zip(*np.unique(to, axis=0, return_counts=True), strict=True):
            total[s, tuple(t.tolist())] = count
    assert len(arrangements) == 30
    assert all(total[t, s] == count for (s, t), count in total.items())
    assert not any(s == t for s, t in total)


def test_counts_of_each_kind_apart():
    system = NeutronMatter(14)
    bound, sampler = Slater(system).bind(np.zeros(0)), Alternating(exchanges=2)
    walkers = bound.renew(system.start(Stream(1, 0, 0, 0), 16))
    moved, counts = sampler.sample(walkers, bound, 0.3, 5, Stream(3, 0, 0, 0))
    (others,) = counts.others
    assert counts.tried == 5 * 16 and others.tried == 10 * 16 and counts.nonfinite == 0
    assert counts.accepted == counts.walkers.sum() and others.accepted == others.walkers.sum()
    assert 0 < others.accepted < others.tried and 0 < counts.accepted < counts.tried
    assert (moved.s != walkers.s).any() and (moved.r != walkers.r).any()
    assert sampler.target == Gaussian.target
    there = bound.renew(Walkers(*(fakecupy.asarray(x) for x in (walkers.r, walkers.s))))
    stream = Stream(3, 0, 0, 0, xp=fakecupy)
    again, _ = sampler.sample(there, bound, 0.3, 5, stream)
    assert np.array_equal(again.s.get(), moved.s)


@pytest.mark.processes
def test_both_acceptances_are_recorded(tmp_path):
    """In training and evaluation, across a resume; and only where both kinds of moves are made."""
    job = JOB.replace("steps = 3", 'steps = 3\nproposal = "alternating"')
    job = job.replace('type = "gaussian_rbm"\nhidden = 2', 'type = "slater"')
    (tmp_path / "job.toml").write_text(job)
    vmcnet("run", tmp_path / "job.toml", "--output", tmp_path / "a.h5")
    vmcnet("resume", tmp_path / "a.h5", "--set", "training.iterations=14")
    found = datasets(tmp_path / "a.h5")
    names = [k for k in found if k.endswith("/exchange_acceptance")]
    assert names == ["evaluation/0/exchange_acceptance", *names[1:]] and len(names) == 3
    for name in names:
        assert entry_of(name) is not None
        shares, moves = found[name], found[name.replace("exchange_", "")]
        assert shares.shape == moves.shape and (shares != moves).any()
        assert ((shares >= 0) & (shares <= 1)).all() and shares.mean() > 0.1
    assert found["training/exchange_acceptance"].shape == (14,)
    plain = vmc.train(NeutronMatter(2), Slater(NeutronMatter(2)), iterations=1, walkers=128)
    assert "exchange_acceptance" not in plain.series


def test_one_label_alone_is_refused():
    with pytest.raises(ValueError, match="different labels"):
        vmc.train(
            system := Fermions1D(3),
            Slater(system),
            sampler=Alternating(),
            iterations=1,
            walkers=128,
        )


@pytest.mark.verify
def test_moving_labels_give_the_energy_of_fixed_ones():
    """Plane waves, MeV a neutron: 6.9802, by moves in turn."""
    system = NeutronMatter(14)
    result = vmc.train(
        system,
        Slater(system),
        optimizer=vmc.optimizers.SGD(0.1),
        iterations=0,
        walkers=1024,
        step_size=0.15,
        warmup=40,
        sampler=Alternating(),
    )
    found = vmc.evaluate(result, steps=60, interval=10)
    error = found.error / 14
    assert error < 0.015 and abs(found.energy / 14 - 6.9802) < 3 * error
    for name, known in {"kinetic": 14.1183, "three_body": 0.1826}.items():
        term = found.estimates[name]
        assert abs(term.mean / 14 - known) < max(4 * term.error / 14, 1e-4)
