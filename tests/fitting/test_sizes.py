"""Sizes that no machine has room for: one ValueError from Python, before memory is taken."""

import itertools
import tracemalloc

import numpy as np
import pytest

import vmcnet as vmc
from vmcnet.engine import memory
from vmcnet.systems import Heisenberg, QuantumDot, TransverseIsing
from vmcnet.wavefunctions import (
    BinaryRBM,
    FeedForward,
    GaussianEnvelope,
    GaussianRBM,
    MessagePassing,
    Slater,
)

DOT, SIX, CHAIN = QuantumDot(2), QuantumDot(6), TransverseIsing([6])
PSI = GaussianEnvelope(DOT)


def trained(system, psi, **options):
    vmc.train(system, psi, **{"iterations": 1, "walkers": 128, "warmup": 0, **options})


HUGE = {
    "layers": (lambda: FeedForward(DOT, layers=[4] * 10**6), "at most 1000 numbers"),
    "endless layers": (lambda: FeedForward(DOT, layers=itertools.count(1)), "at most 1000"),
    "wide": (lambda: FeedForward(DOT, layers=[10**7]), r"layers\[0\] must be at most 100000"),
    "endless extent": (lambda: Heisenberg(itertools.repeat(2)), "extent must be at most"),
    "hidden": (lambda: trained(DOT, GaussianRBM(DOT, hidden=10**7)), "need at least .* GB"),
    "alpha": (lambda: trained(CHAIN, BinaryRBM(CHAIN, alpha=1e7)), "parameters need at least"),
    "width": (
        lambda: trained(SIX, Slater(SIX, network=MessagePassing(width=4096))),
        "1.34e[+]08 parameters need at least 11 GB, and 4 GB are free",
    ),
    "walkers": (
        lambda: trained(DOT, PSI, walkers=99_999_872),
        "99999872 walkers in blocks of 128, .* fewer walkers",
    ),
    "growth": (
        lambda: trained(DOT, PSI, growth=[(1, 99_999_872)]),
        "99999872 walkers in blocks of 128",
    ),
    "gram matrix": (
        lambda: trained(DOT, PSI, walkers=999_936, natural_gradient=vmc.optimizers.MinSR()),
        "need at least 1.2e[+]04 GB .* another natural gradient",
    ),
    "metric": (
        lambda: trained(
            DOT,
            PSI * FeedForward(DOT, layers=[500, 500]),
            natural_gradient=vmc.optimizers.SR(),
        ),
        "253501 parameters need at least 7.7e[+]02 GB",
    ),
}


@pytest.mark.parametrize("name", HUGE)
def test_what_no_machine_has_room_for(name, monkeypatch):
    monkeypatch.setattr(memory, "free", lambda: 4e9)
    call, words = HUGE[name]
    tracemalloc.start()
    with pytest.raises(ValueError, match=words):
        call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e8  # what is imported on the way


@pytest.mark.parametrize(
    ("growth", "words"),
    [
        (5, "must be .iteration, walkers. pairs"),
        ([{"iteration": 1, "walkers": 256}], "pairs"),
        ([(1,)], "pairs"),
        ([(1, 200)], "expected a multiple of block = 128"),
        ([(1, 128)], r"growth\[0\] walkers must be at least 129"),
        ([(2, 256), (1, 512)], r"growth\[1\] iteration must be at least 3"),
        ([(1.5, 256)], "whole number"),
        ([(1, np.nan)], "whole number"),
    ],
)
def test_growth_is_checked(growth, words, tmp_path):
    for output in ({}, {"output": tmp_path / "run.h5", "quiet": True}):
        with pytest.raises(ValueError, match=words):
            trained(DOT, PSI, growth=growth, **output)
    assert not list(tmp_path.iterdir())


def test_a_determinant_that_is_lost_in_rounding():
    """17 shells where particles start: the determinant is there, and 0 in double precision."""
    dot = QuantumDot(306)
    with pytest.raises(ValueError, match="of 306 particles rounding leaves no digits"):
        trained(dot, Slater(dot))
