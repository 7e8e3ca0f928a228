"""Arguments of train and evaluate that are of another kind altogether: one line each."""

import numpy as np
import pytest

import vmcnet as vmc

DOT = vmc.systems.QuantumDot(2)
PSI = vmc.wavefunctions.GaussianEnvelope(DOT)
SIZES = {"iterations": 1, "walkers": 4, "block": 2, "warmup": 0, "steps": 1}
NAME = next(iter(PSI.layout.entries))
ODD = [
    ({"start": 3}, "start must be a result of train, a run of open_run or a dictionary"),
    ({"start": PSI}, "start must be a result of train"),
    ({"start": np.zeros(3)}, "start must be a result of train"),
    ({"start": {3: 1.0}}, "no parameter of the other run fits: it has 3"),
    ({"start": {NAME: 1j}}, "expected real numbers"),
    ({"start": {NAME: "x"}}, "expected real numbers"),
    ({"start": {NAME: None}}, "expected real numbers"),
    ({"start": {NAME: np.nan}}, "not finite|above 0"),
    ({"comm": 3}, r"comm must be a communicator of vmcnet\.connect\(\)"),
    ({"comm": object()}, "leave it out"),
    ({"output": 3}, "output: expected the path of a run file"),
    ({"output": b"x.h5"}, "output: expected the path of a run file"),
    ({"iterations": 2**70}, "iterations must be at most 100000000"),
    ({"steps": 10**9}, "steps must be at most 1000000"),
    ({"warmup": 10**9}, "warmup must be at most 10000000"),
]


@pytest.mark.parametrize(("odd", "words"), ODD)
def test_train_refuses(odd, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words) as found:
        vmc.train(DOT, PSI, **{**SIZES, **odd})
    assert "\n" not in str(found.value) and not list(tmp_path.iterdir())


W, SIX = vmc.wavefunctions, vmc.systems.QuantumDot(6)
NET = W.MessagePassing(width=2, passes=1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: W.Slater(SIX, orbitals="x"), "Slater orbitals must be an Orbitals object"),
        (lambda: W.Slater(SIX, network="x"), "Slater network must be a MessagePassing network"),
        (lambda: W.Slater(SIX, network=NET, heads="backflow"), "must be a list of texts"),
        (lambda: W.Slater(SIX, network=NET, heads=3), "Slater heads must be a list of texts"),
        (lambda: W.Slater(SIX, occupied_up=3), "occupied_up must be a list of labels, got 3"),
        (lambda: W.Pfaffian(SIX, network=NET, heads="x"), "Pfaffian heads must be a list"),
        (lambda: W.Pfaffian(SIX, network=3), "Pfaffian network must be"),
        (lambda: W.HiddenFermions(SIX, network=3), "HiddenFermions network must be"),
        (lambda: W.HiddenFermions(SIX, heads=3), "HiddenFermions heads must be"),
        (lambda: W.NetworkJastrow(SIX, network=3), "NetworkJastrow network must be"),
    ],
)
def test_wavefunctions_refuse(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_evaluate_refuses():
    result = vmc.train(DOT, PSI, **SIZES)
    for odd in ({"steps": 10**9}, {"interval": 10**7}, {"warmup": 10**8}):
        with pytest.raises(ValueError, match="must be at most"):
            vmc.evaluate(result, **odd)
