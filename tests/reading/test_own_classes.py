"""Classes of a user in a job: run on ranks, stopped, resumed; a changed source; reading without."""

import json
import re
import shutil

import pytest

import vmcnet as vmc
from tests.faults.cases import broken
from tests.runs import JOB as SMALL
from tests.runs import same, vmcnet
from vmcnet.config import parse_job
from vmcnet.runs.building import build
from vmcnet.runs.job_of import job_of
from vmcnet.runs.own_classes import sources
from vmcnet.sampling import SpinFlip
from vmcnet.storage.paths import checkpoint_path

pytestmark = pytest.mark.processes
MODULE = '''
import numpy as np
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.sampling import Metropolis, SpinFlip
from vmcnet.wavefunctions import Wavefunction


class TwoElectrons(Wavefunction):
    """psi = (1 + slope r12) exp(-alpha (r1^2 + r2^2))."""

    name, decays = "two_electrons", True

    def __init__(self, system, slope=0.5):
        self.particles, self.dimensions = system.particles, system.dimensions
        self.slope = slope
        self.layout = Layout().add("slope", (), POSITIVE).add("alpha", (), POSITIVE)

    def initial(self, stream):
        return {"slope": self.slope, "alpha": 0.6}

    def log_psi(self, ops, theta, walkers):
        first, second = ops.pairs(walkers.r)
        r12 = ops.norm(first - second)
        log = ops.sum(ops.log(1 + r12 * theta["slope"]), axis=-1)
        return None, log - ops.total(walkers.r**2) * theta["alpha"]


class Stretched(Metropolis):
    """r' = r + step (xi, factor xi', ...): longer along all axes but the first."""

    name = "stretched"

    def __init__(self, factor=1.5):
        self.factor = factor

    def propose(self, r, guide, step, noise):
        return r + step * noise * np.r_[1.0, self.factor * np.ones(r.shape[2] - 1)]


class Flips(SpinFlip):
    name = "flips"


class Crooked(Metropolis):
    name = "crooked"

    def propose(self, r, guide, step, noise):
        return r + noise[0, 0, 7]
'''
JOB = """
name = "own"
seed = 3
[system]
type = "quantum_dot"
[[wavefunction]]
type = "own:TwoElectrons"
slope = 0.7
[sampling]
walkers = 64
block = 8
steps = 3
warmup = 4
[sampling.proposal]
type = "own:Stretched"
factor = 2.0
[training]
iterations = 12
[evaluation]
steps = 20
warmup = 4
[run]
checkpoint_every = 5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.py").write_text(MODULE)
    (folder / "job.toml").write_text(JOB)
    vmcnet("run", folder / "job.toml", "--output", folder / "one.h5", cwd="/")
    return folder


def test_same_bits_on_four_ranks_and_across_a_stop(folder, tmp_path):
    run = tmp_path / "four.h5"
    vmcnet(
        "run",
        folder / "job.toml",
        "--output",
        run,
        "--set",
        "training.iterations=7",
        "--set",
        "evaluation.steps=0",
        ranks=4,
    )
    again = ("--set", "training.iterations=12", "--set", "evaluation.steps=20")
    vmcnet("resume", run, *again, ranks=2, cwd="/")
    same(folder / "one.h5", run)


@pytest.mark.parametrize(("rank", "step"), [(2, 9), (0, 30)])
def test_four_ranks_killed_and_resumed(folder, tmp_path, rank, step):
    """A rank of four is killed in training, behind the checkpoint at 5, or while measuring; what is
    left is read, and goes on to the bits of the undisturbed run.
    """
    run = tmp_path / "killed.h5"
    words = ("run", folder / "job.toml", "--output", run, "--set", "run.checkpoint_every=2")
    done = broken("kill", rank, step, *words, ranks=4)
    assert done.returncode not in (0, 124) and "Traceback" not in done.stderr, done.stderr
    assert checkpoint_path(run).exists()
    assert "stopped without an end" in vmcnet("report", run).stdout
    vmcnet("resume", run, ranks=4 if rank else 3)
    same(folder / "one.h5", run)


def test_an_evaluation_is_made_once_for_the_same_observables(tmp_path):
    """One's own as well as those of vmcnet; with another key it is another evaluation."""
    (tmp_path / "seen.py").write_text(
        "from vmcnet.observables import Observable\n\n\nclass First(Observable):\n"
        "    name, labels = 'first', ('x',)\n\n"
        "    def measure(self, walkers, psi):\n        return walkers.r[:, 0, :1]\n"
    )
    tables = '[[observable]]\ntype = "seen:First"\n[[observable]]\ntype = "density"\nbins = 4\n'
    (tmp_path / "job.toml").write_text(f"{SMALL}{tables}")
    path, counts = tmp_path / "run.h5", []
    vmcnet("run", tmp_path / "job.toml", "--output", path)
    for key in ("evaluation.steps=20", "observable.1.bins=5", "observable.1.bins=5"):
        vmcnet("resume", path, "--set", key)
        counts.append(len(vmc.open_run(path).evaluations))
    assert counts == [1, 2, 2]
    assert len(vmc.open_run(path).evaluations[1].observables["density"].labels) == 5


def test_a_changed_source_is_refused(folder, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(folder, own)
    vmcnet("run", own / "job.toml", "--output", own / "run.h5")
    (own / "own.py").write_text(MODULE + "\n# changed\n")
    done = vmcnet("resume", own / "run.h5", check=False)
    assert done.returncode == 2 and "not what it was when this run began" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_reading_needs_no_module(folder, tmp_path):
    shutil.copy(folder / "one.h5", tmp_path / "alone.h5")
    with_it = vmcnet("report", folder / "one.h5").stdout
    hidden = folder / "own.py"
    hidden.rename(tmp_path / "hidden.py")
    try:
        without = vmcnet("report", tmp_path / "alone.h5", cwd=tmp_path).stdout
        told = json.loads(vmcnet("report", "--json", tmp_path / "alone.h5", cwd=tmp_path).stdout)
        refused = vmcnet("evaluate", folder / "one.h5", check=False)
    finally:
        (tmp_path / "hidden.py").rename(hidden)
    assert without.splitlines()[1:] == with_it.splitlines()[1:]
    assert "two_electrons" in json.dumps(told)
    assert refused.returncode == 2 and "not there any more" in refused.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ('"own:TwoElectrons"', '"own:Three"'),
            "has no class 'Three'; it has Crooked, Flips, Stretched, Two",
        ),
        (('"own:TwoElectrons"', '"nowhere:Class"'), "'nowhere' cannot be imported"),
        (("slope = 0.7", "slop = 0.7"), "unexpected keyword argument 'slop'; its keys are slope"),
        (('"own:TwoElectrons"', '"own:"'), "expected one of gaussian_rbm"),
        (("factor = 2.0", "fact = 2.0"), "proposal: Stretched: .* 'fact'; its keys are factor"),
        (
            ('"own:Stretched"\nfactor = 2.0', '"own:TwoElectrons"'),
            "proposal: expected one of vmcnet",
        ),
        (('"own:Stretched"\nfactor = 2.0', '"own:Flips"'), "flips moves spins"),
        (('"own:Stretched"\nfactor = 2.0', '"own:Crooked"'), "own.py, line .* in Crooked.propose"),
    ],
)
def test_mistakes_are_one_line(folder, tmp_path, change, words):
    job = folder / "wrong.toml"
    job.write_text(JOB.replace(*change))
    done = vmcnet("run", job, "--output", tmp_path / "x.h5", check=False)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert re.search(words, done.stderr), done.stderr
    assert not (tmp_path / "x.h5").exists()


def test_a_proposal_by_name_alone_that_takes_the_system(folder, tmp_path):
    """A subclass of SpinFlip is made with the system; the job of the objects names it again."""
    text = '[system]\ntype = "transverse_ising"\nextent = [6]\n[[wavefunction]]\n'
    text += 'type = "binary_rbm"\n[sampling]\nproposal = "own:Flips"\n'
    job = parse_job(f'name = "a"\nseed = 3\n{text}', folder=folder)
    system, psi, optimizer, _, sampler = build(job)
    assert type(sampler).__name__ == "Flips" and sampler.moves == SpinFlip(system).moves
    tables = {"sampling": {"walkers": job.sampling.walkers, "block": job.sampling.block}}

    def named(sampler):
        parts = system, psi, optimizer, None, sampler
        return job_of(tmp_path / "a.h5", *parts, tables, {"seed": 3})

    again = named(sampler)
    assert again.sampling.proposal == job.sampling.proposal
    assert json.loads(sources(again)) == json.loads(sources(job)) and sources(job)
    other = named(type(sampler)(system, acceptance="heat_bath"))
    assert other.sampling.proposal.arguments == {"acceptance": "heat_bath"}
