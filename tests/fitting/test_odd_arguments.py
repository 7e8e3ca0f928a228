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


def test_evaluate_refuses():
    result = vmc.train(DOT, PSI, **SIZES)
    for odd in ({"steps": 10**9}, {"interval": 10**7}, {"warmup": 10**8}):
        with pytest.raises(ValueError, match="must be at most"):
            vmc.evaluate(result, **odd)
