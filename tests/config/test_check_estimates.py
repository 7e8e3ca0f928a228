"""What `check` foretells: sizes of checkpoints, and costs, from a small block where it is large."""

import re
import subprocess
import sys

import pytest

from tests.runs import JOB
from vmcnet import cli
from vmcnet.config import load_job
from vmcnet.runs import cost
from vmcnet.runs.building import build

LATTICE = [
    "system={type='transverse_ising', extent=[10, 10]}",
    "wavefunction=[{type='binary_rbm', alpha=0.1}]",
    "sampling={walkers=4000, block=1000, warmup=0, steps=1}",
]
TRAP = ["sampling={walkers=4000, block=1000, warmup=0, steps=1}"]


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert end.value.code == 0, err
    return out


@pytest.mark.processes
@pytest.mark.parametrize("settings", [LATTICE, TRAP])
def test_size_of_a_checkpoint(tmp_path, capsys, settings):
    job, output = tmp_path / "job.toml", tmp_path / "run.h5"
    job.write_text(JOB)
    settings = [*settings, "training.iterations=1", "evaluation.steps=0"]
    options = [x for s in settings for x in ("--set", s)]
    foretold = re.search(r"checkpoint (\S+) MB", call(capsys, "check", job, *options))
    call(capsys, "run", job, "--output", output, *options)
    files = [
        p for p in tmp_path.rglob("*.h5") if "checkpoint" in p.name and "previous" not in p.name
    ]
    assert files, list(tmp_path.rglob("*"))
    size = max(p.stat().st_size for p in files) / 1e6
    assert float(foretold[1]) == pytest.approx(size, rel=0.2)


LARGE = ["sampling={walkers=640000, block=64000, warmup=0, steps=2}"]
RUN = """
import resource, sys
from vmcnet import cli
try:
    cli.main(sys.argv[1:])
finally:
    print("peak", 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.verify
@pytest.mark.processes
def test_peak_of_memory(tmp_path):
    """Of a job whose arrays are larger than the libraries: what a run takes at most, against what
    check says, each in a process of its own.
    """
    job = tmp_path / "job.toml"
    job.write_text(JOB)
    settings = [*LARGE, "training.iterations=1", "evaluation={steps=2, warmup=0, interval=1}"]
    options = [x for s in settings for x in ("--set", s)]

    def lines(*arguments):
        done = subprocess.run(
            [sys.executable, "-c", RUN, *map(str, arguments), *options],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    said = re.search(r"one rank about (\S+) MB, of it (\S+) MB", lines("check", job))
    peak = re.search(r"peak (\d+)", lines("run", job, "--output", tmp_path / "run.h5", "--quiet"))
    found = int(peak[1]) / 1e6
    print(f"{said[1]} MB foretold ({said[2]} beside libraries), {found:.0f} MB taken")
    assert float(said[2]) > 200.0 and float(said[1]) == pytest.approx(found, rel=0.2)


def test_large_blocks_are_not_measured_whole(tmp_path, monkeypatch):
    """Where patience is short the figures of the small block are multiplied."""
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    system, psi, _, _, sampler = build(load_job(path))
    looked, timed = [], cost._timed

    def watched(*arguments):
        looked.append(arguments[4])
        return timed(*arguments)

    monkeypatch.setattr(cost, "_timed", watched)
    monkeypatch.setattr(cost, "PATIENCE", 0.0)
    found = cost.measure(system, psi, sampler, 1, 4096, 1.0)
    assert looked == [cost.FIRST, cost.SMALL]
    monkeypatch.setattr(cost, "PATIENCE", 1e9)
    whole = cost.measure(system, psi, sampler, 1, 4096, 1.0)
    assert looked[-1] == 4096 and 0.2 < found.memory / whole.memory < 5.0
