"""Frames of pandas and xarray; what objects say of themselves, in a line or a small table."""

import sys

import numpy as np
import pytest

import vmcnet as vmc


@pytest.fixture(scope="module")
def results():
    dot = vmc.systems.QuantumDot()
    psi = vmc.wavefunctions.GaussianEnvelope(dot) * vmc.wavefunctions.PadeJastrow(dot)
    trained = vmc.train(dot, psi, iterations=3, walkers=64, block=32, warmup=5)
    more = [vmc.observables.Density(dot, bins=4)]
    return trained, [vmc.evaluate(trained, steps=8, observables=more) for _ in range(2)]


def test_frames_of_a_training(results):
    series = results[0].series
    frame, dataset = series.to_pandas(), series.to_xarray()
    assert list(frame.index) == [1, 2, 3] and frame.index.name == "iteration"
    for name, x in series.items():
        np.testing.assert_array_equal(frame[name], x)
        np.testing.assert_array_equal(dataset[name], x)
    assert dataset["energy"].dims == ("iteration",)


@pytest.mark.processes
def test_frames_of_evaluations(run):
    found = vmc.open_run(run).evaluations
    frame, dataset = found.to_pandas(), found.to_xarray()
    for name, estimate in found[0].estimates.items():
        assert frame.loc[0, name] == estimate.mean == dataset[name][0]
        assert frame.loc[0, f"{name}_error"] == estimate.error
    assert frame.loc[0, "steps"] == 20 and len(frame) == 1
    assert vmc.open_run(run).training.to_pandas()["energy"].iloc[-1] == pytest.approx(
        vmc.open_run(run).training["energy"][-1]
    )


def test_frames_of_observables(results):
    from vmcnet.engine.series import EvaluationList

    found = EvaluationList(results[1])
    dataset, frame = found.to_xarray(), found.to_pandas()
    assert dataset["density"].dims == ("evaluation", "density_component")
    for k, one in enumerate(found):
        own = one.observables["density"]
        np.testing.assert_array_equal(dataset["density"][k], own.mean)
        np.testing.assert_array_equal(dataset["density_error"][k], own.error)
        assert frame.loc[k, f"density {own.labels[2]}"] == own.mean[2]
    assert EvaluationList().to_pandas().empty


@pytest.mark.parametrize("name", ["pandas", "xarray"])
def test_without_the_library(results, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=f"frames of {name} need it: pip install {name}"):
        getattr(results[0].series, f"to_{name}")()


def test_one_glance(results):
    """Every public object tells what it is in at most three lines."""
    trained, (first, _) = results
    system, psi = trained.population.system, trained.population.wavefunction
    chain = vmc.systems.Heisenberg(extent=[4])
    optimizers = vmc.optimizers
    for one, words in (
        (optimizers.Adam(0.01, schedule=optimizers.Cosine(10, floor=0.1)),
         "Adam(0.01, schedule=Cosine(10, floor=0.1))"),
        (optimizers.SR(shift=0.1), "SR(shift=0.1)"),
        (vmc.wavefunctions.MessagePassing(width=4), "MessagePassing(width=4)"),
        (vmc.sampling.Exchange(chain), "<sampler exchange: random scan, metropolis>"),
        (vmc.observables.Density(system, bins=4), "<observable density: 4 components, 1/length^d>"),
        (system, "<quantum dot: 1 electron up"),
        (psi, "<envelope(1 parameters) x jastrow(1 parameters): 2 parameters>"),
        (psi.bind(trained.state.theta), "<bound to parameters: envelope"),
        (psi.layout, "<Layout of 2 numbers: envelope.alpha, jastrow.beta_unlike>"),
        (trained, "TrainingResult: "),
        (trained.series, "Series of 3 iterations: energy, error"),
        (trained.population, "<Population: 64 walkers in 2 blocks of 32>"),
        (trained.state, "<TrainingState: iteration 3"),
        (trained.population.members[0], "<Walkers: r (32, 2, 2), s (32, 2)>"),
        (first, "EvaluationResult: energy 3.0"),
        (first.observables["density"], "Observed density, 4 components: "),
        (vmc.connect(), "<rank 0 of 1>"),
    ):  # fmt: skip
        assert repr(one).startswith(words) and len(repr(one).splitlines()) <= 3, repr(one)
        assert " object at 0x" not in repr(one)


@pytest.mark.processes
def test_tables_of_notebooks(run, results):
    opened = vmc.open_run(run)
    for one in (opened, opened.training, opened.evaluations, results[0], results[1][0]):
        text = one._repr_html_()
        assert text.startswith("<table>") and text.count("<tr>") == text.count("</tr>") < 20
    assert str(opened.evaluations[0].estimates["energy"]) in opened.evaluations._repr_html_()
    assert repr(opened.job).startswith("<job small: quantum_dot, gaussian_rbm x pade_jastrow>")
