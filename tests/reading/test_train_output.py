"""vmc.train(output=...): the run of a job, to the bit; killed, resumed, stopped; what no file can
name is refused.
"""

import os
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

import vmcnet as vmc
from tests.faults.cases import wait_until_free
from tests.reading.test_own_classes import MODULE
from tests.runs import BIN, ROOT, complaints, same, vmcnet
from vmcnet.config import JobError, job_text, load_job
from vmcnet.engine.trend import DivergedError
from vmcnet.runs.building import build
from vmcnet.runs.job_of import job_of
from vmcnet.storage.atomic import FileProblem

SIZES = {"iterations": 12, "walkers": 64, "block": 8, "steps": 3, "warmup": 4, "seed": 3}
SETTINGS = {"run.checkpoint_every": 5, "evaluation.steps": 20, "evaluation.warmup": 4}
SCRIPT = """
import vmcnet as vmc
dot = vmc.systems.QuantumDot(particles=2)
psi = vmc.wavefunctions.GaussianRBM(dot, hidden=2) * vmc.wavefunctions.PadeJastrow(dot)
result = vmc.train(dot, psi, iterations={}, walkers=64, block=8, steps=3, warmup=4, seed=3,
                   output="run.h5", settings={{"run.checkpoint_every": 5, "evaluation.steps": 20,
                                               "evaluation.warmup": 4}})
"""


def parts(hidden=2):
    dot = vmc.systems.QuantumDot()
    psi = vmc.wavefunctions.GaussianRBM(dot, hidden=hidden) * vmc.wavefunctions.PadeJastrow(dot)
    return dot, psi


def train(path, **more):
    settings = SETTINGS | more.pop("settings", {})
    given = {**SIZES, "quiet": True, **more}
    return vmc.train(*parts(), output=path, settings=settings, **given)


@pytest.mark.processes
def test_as_the_command(run, tmp_path):
    """The file of the same job, which `run --continue` takes as its own; its result goes on."""
    result = train(tmp_path / "a.h5")
    same(run, tmp_path / "a.h5")
    assert result.flag == 0 and len(result.series["energy"]) == 12 and "a.h5" in repr(result)
    kept = vmc.open_run(tmp_path / "a.h5")
    assert kept.state == "done"
    assert vmc.evaluate(result, steps=30).energy == kept.evaluate(steps=30, warmup=50).energy
    name = f"name={kept.job.name}"
    job = ("run", run.with_name("job.toml"), "--output", tmp_path / "a.h5", "--set", name)
    vmcnet(*job, "--continue", "--set", "training.iterations=12")
    same(run, tmp_path / "a.h5")


@pytest.mark.processes
def test_on_two_ranks_and_killed(run, tmp_path):
    """The script on two ranks, its processes killed while it trains; the command ends it alone."""
    (tmp_path / "own.py").write_text(SCRIPT.format(400))
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [BIN / "mpiexec", "-n", "2", sys.executable, "own.py"],
        cwd=tmp_path,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    while "training" not in process.stderr.readline():
        assert process.poll() is None, process.communicate()
    while vmc.open_run(tmp_path / "run.h5").file.rows < 10:
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()
    wait_until_free(tmp_path / "run.h5")
    assert vmc.open_run(tmp_path / "run.h5").file.rows < 400
    vmcnet("resume", tmp_path / "run.h5")
    more = ("--set", "training.iterations=400")
    vmcnet("run", run.with_name("job.toml"), "--output", tmp_path / "one.h5", *more)
    same(tmp_path / "one.h5", tmp_path / "run.h5")


@pytest.mark.processes
def test_a_signal_ends_the_program_with_a_checkpoint(tmp_path):
    (tmp_path / "own.py").write_text(SCRIPT.format(1000000) + 'print("not reached")\n')
    process = subprocess.Popen(
        [sys.executable, "own.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while "training" not in process.stderr.readline():
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 85 and out == "", err
    assert complaints(err) == [
        "stopped by a signal with a checkpoint; go on with: vmcnet resume run.h5"
    ]


@pytest.mark.processes
def test_stopped_and_resumed_from_python(run, tmp_path):
    path, before = tmp_path / "a.h5", signal.getsignal(signal.SIGTERM)
    with pytest.raises(vmc.Stopped) as stopped:
        train(path, settings={"run.wall_time": 1e-6})
    assert stopped.value.code == 85 and signal.getsignal(signal.SIGTERM) is before
    assert vmc.open_run(path).state == "stopped"
    with pytest.raises(FileProblem, match="overwrite=True replaces it, resume=True goes on"):
        train(path)
    assert len(train(path, resume=True, iterations=7).series["energy"]) == 7
    whole = vmc.open_run(path).resume(iterations=12, quiet=True)
    assert whole.state == "done" and len(whole.training["energy"]) == 12
    with h5py.File(path) as file:
        assert set(file["evaluation"]) == {"0", "1"}  # at 7 and at 12 iterations
    with pytest.raises(JobError, match=r"system\.omega may not change at resume"):
        whole.resume(settings={"system.omega": 2.0}, quiet=True)
    other = vmc.systems.QuantumDot(omega=2.0)
    with pytest.raises(JobError, match="or made for another system"):
        vmc.train(other, parts()[1], output=path, resume=True, settings=SETTINGS, **SIZES)
    psi = vmc.wavefunctions.GaussianRBM(other, hidden=2) * vmc.wavefunctions.PadeJastrow(other)
    with pytest.raises(JobError, match=r"system\.omega may not change at resume"):
        vmc.train(other, psi, output=path, resume=True, settings=SETTINGS, **SIZES)
    train(path, overwrite=True)
    same(run, path)


@pytest.mark.processes
def test_training_that_diverges(tmp_path):
    """Back to a checkpoint with half the step, then it fails, as a job does."""
    settings = {"training.divergence": 0.05, "training.rollbacks": 1}
    with pytest.raises(DivergedError, match=r"training\.rollbacks = 1 are used up"):
        train(tmp_path / "a.h5", iterations=100, settings=settings)
    with h5py.File(tmp_path / "a.h5") as file:
        assert len(file["rollbacks/reached"]) == 1


@pytest.mark.processes
def test_starting_from_a_run_a_result_and_arrays(tmp_path):
    first = train(tmp_path / "first.h5")
    for name, start in {"run": vmc.open_run(tmp_path / "first.h5"), "result": first}.items():
        train(tmp_path / f"{name}.h5", start=start, iterations=0)
        kept = vmc.open_run(tmp_path / f"{name}.h5")
        for key, value in first.parameters.items():
            np.testing.assert_allclose(kept.parameters[key], value, rtol=1e-14)
        assert "rbm.a" in kept.attributes["start_taken"] and kept.attributes["start_digest"]
    assert vmc.open_run(tmp_path / "run.h5").job.training.start_from == str(tmp_path / "first.h5")
    with pytest.raises(FileProblem, match="start: no parameter of the other run fits"):
        train(tmp_path / "none.h5", start={"x": 1.0})
    assert not (tmp_path / "none.h5").exists()


@pytest.mark.processes
def test_a_class_in_a_module_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "electrons_of_my_own.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    from electrons_of_my_own import Stretched, TwoElectrons

    dot = vmc.systems.QuantumDot()
    psi = TwoElectrons(dot, slope=0.7) * vmc.wavefunctions.GaussianEnvelope(dot, alpha=0.1)
    half = SIZES | {"iterations": 6}
    for name, sizes, steps in (("whole", SIZES, 20), ("half", half, 0)):
        vmc.train(dot, psi, output=tmp_path / f"{name}.h5", quiet=True,
                  settings=SETTINGS | {"evaluation.steps": steps},
                  sampler=Stretched(factor=1.2), **sizes)  # fmt: skip
    more = ("--set", "training.iterations=12", "--set", "evaluation.steps=20")
    vmcnet("resume", tmp_path / "half.h5", *more, ranks=2, cwd="/")
    same(tmp_path / "whole.h5", tmp_path / "half.h5")


def changed(dot, psi):
    dot.terms["trap"] = dot.terms["kinetic"]
    return dot, psi


def inside(dot, psi):
    class Mine(type(psi.factors[0])):
        pass

    return dot, Mine(dot) * psi.factors[1]


def by_hand(dot, psi):
    potentials = {"trap": lambda r: 0.5 * (r**2).sum(axis=(1, 2))}
    trap = vmc.systems.Particles(2, 2, potentials)
    return trap, vmc.wavefunctions.GaussianEnvelope(trap)


@pytest.mark.parametrize(
    ("make", "more", "words"),
    [
        (changed, {}, "system and wavefunction: changed after being made"),
        (inside, {}, "wavefunction.0: Mine is defined in a function or class; a run file names"),
        (by_hand, {}, "system: Particles has no name in job files"),
        (lambda *p: p, {"settings": {"run.chekpoint": 1}}, "run.chekpoint: unknown key"),
        (lambda *p: p, {"settings": {"system.omega": 2.0}}, "give it to the system where"),
        (lambda *p: p, {"settings": {"training.iterations": 3}}, "as the argument iterations= of"),
        (
            lambda *p: p,
            {"settings": {"run.threads": 2}},
            "give it as the argument threads= of train",
        ),
        (lambda *p: p, {"settings": {"seed": 2}}, "give it as the argument seed= of train"),
        (lambda *p: p, {"settings": ["run.threads"]}, "settings must be a dictionary of keys"),
        (lambda *p: p, {"settings": {"run.wall_time": print}}, "no value that a run file can hold"),
        (lambda *p: p, {"precision": "float16"}, "run.precision: expected 'float64' or 'float32'"),
        (lambda *p: p, {"overwrite": True, "resume": True}, "exclude each other"),
    ],
)
def test_what_no_file_can_name_is_refused(tmp_path, make, more, words):
    with pytest.raises(ValueError) as error:
        vmc.train(*make(*parts()), output=tmp_path / "a.h5", **{**SIZES, **more})
    assert words in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_arguments_of_a_run_on_disk_need_an_output():
    with pytest.raises(ValueError, match="settings: belongs to a run on disk: give output="):
        vmc.train(*parts(), settings={"run.threads": 2})


@pytest.mark.parametrize(
    "name",
    ["electron_gas_14", "heisenberg_chain_40", "bosons_10", "ising_classical_16", "j1j2_4x4",
     "neutron_matter_plane_waves", "double_well", "fermions_1d", "quantum_dot_2_network"],
)  # fmt: skip
def test_objects_of_a_job_make_that_job_again(name, tmp_path):
    job = load_job(ROOT / "jobs" / f"{name}.toml")
    own = ("name", "system", "wavefunction", "optimizer", "natural_gradient")
    tables = {k: v for k, v in job.model_dump().items() if k not in own}
    for key in ("proposal", "scan", "acceptance"):
        del tables["sampling"][key]
    again = job_of(tmp_path / f"{job.name}.h5", *build(job), tables, {})
    usual = job.sampling.model_copy(update={"proposal": again.sampling.proposal})
    assert job_text(again) == job_text(job.model_copy(update={"sampling": usual}))


def test_the_same_defaults_in_memory_and_on_disk():
    import inspect

    from vmcnet.engine import training

    both = (inspect.signature(f).parameters for f in (training.train, vmc.train))
    memory, disk = ({k: p.default for k, p in found.items()} for found in both)
    assert {k: disk[k] for k in memory} == memory
