"""Jobs that start from another run's parameters: recorded, the same bits, resumed without the other
file.
"""

import hashlib
import json

import h5py
import numpy as np
import pytest

from tests.runs import JOB, same, vmcnet

pytestmark = pytest.mark.processes
WEAK = JOB.replace("hidden = 2", "hidden = 2\n").replace(
    'type = "quantum_dot"', 'type = "quantum_dot"\nomega = 0.5'
)
STARTING = WEAK.replace("iterations = 12", 'iterations = 12\nstart_from = "first.h5"')


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    (folder / "first.toml").write_text(JOB)
    (folder / "second.toml").write_text(STARTING)
    vmcnet("run", folder / "first.toml", "--output", folder / "first.h5")
    return folder


def test_parameters_are_taken_and_said(folder, tmp_path):
    done = vmcnet(
        "run",
        folder / "second.toml",
        "--output",
        tmp_path / "a.h5",
        "--set",
        "training.iterations=0",
        cwd=tmp_path,
    )
    assert "arrays of parameters taken from the other run" in done.stderr
    with h5py.File(folder / "first.h5") as first, h5py.File(tmp_path / "a.h5") as second:
        here, there = (json.loads(x.attrs["parameter_units"]) for x in (second, first))
        assert here["rbm.width"] == pytest.approx(there["rbm.width"] * 2**0.5)
        for name in here:
            expected = first["parameters"][name][()] * (here[name] / there[name])
            np.testing.assert_allclose(second["parameters"][name][()], expected, rtol=1e-14)
        digest = hashlib.sha256((folder / "first.h5").read_bytes()).hexdigest()
        assert second.attrs["start_digest"] == digest and "rbm.a" in second.attrs["start_taken"]


def test_same_bits_and_resume_without_the_other_file(folder, tmp_path):
    vmcnet("run", folder / "second.toml", "--output", tmp_path / "one.h5")
    vmcnet(
        "run",
        folder / "second.toml",
        "--output",
        tmp_path / "two.h5",
        "--set",
        "training.iterations=6",
        "--set",
        "evaluation.steps=0",
        ranks=2,
    )
    moved = folder / "first.h5"
    moved.rename(tmp_path / "elsewhere.h5")
    try:
        again = ("--set", "training.iterations=12", "--set", "evaluation.steps=20")
        vmcnet("resume", tmp_path / "two.h5", *again)
        refused = vmcnet("run", folder / "second.toml", "--output", tmp_path / "x.h5", check=False)
        assert refused.returncode == 2 and "no such run file" in refused.stderr
        assert not (tmp_path / "x.h5").exists()
    finally:
        (tmp_path / "elsewhere.h5").rename(moved)
    same(tmp_path / "one.h5", tmp_path / "two.h5")


def test_nothing_fits(folder, tmp_path):
    job = tmp_path / "other.toml"
    job.write_text(
        STARTING.replace("first.h5", str(folder / "first.h5"))
        .replace('type = "gaussian_rbm"\nhidden = 2', 'type = "gaussian_envelope"')
        .replace('[[wavefunction]]\ntype = "pade_jastrow"', "")
    )
    done = vmcnet("run", job, "--output", tmp_path / "y.h5", check=False)
    assert done.returncode == 2 and "no parameter of the other run fits" in done.stderr
