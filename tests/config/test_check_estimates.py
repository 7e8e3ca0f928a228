"""What `check` foretells: sizes of checkpoints, and costs, from a small block where it is large."""

import re
import subprocess
import sys

import pytest

import vmcnet as vmc
from tests.runs import JOB, ROOT
from vmcnet import cli
from vmcnet.config import load_job, parse_job
from vmcnet.engine.memory import matrix_memory
from vmcnet.engine.observing import Observing
from vmcnet.runs import cost
from vmcnet.runs.building import build

LATTICE = [
    "system={type='transverse_ising', extent=[10, 10]}",
    "wavefunction=[{type='binary_rbm', alpha=0.1}]",
    "sampling={walkers=4000, block=1000, warmup=0, steps=1}",
]
LATTICE_PSI = """
[[wavefunction]]
type = "binary_rbm"
[sampling]
walkers = 400
block = 100
[training]
iterations = 2
[evaluation]
steps = 20
"""
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


def test_rows_of_the_matrix_of_a_natural_gradient():
    """A Gram matrix has a row a walker, and two where psi is complex; a metric has neither."""
    system = vmc.systems.TransverseIsing([10])
    real, turned = (vmc.wavefunctions.BinaryRBM(system, weights=w) for w in ("real", "complex"))
    gram, metric = vmc.optimizers.MinSR(), vmc.optimizers.SR()
    assert matrix_memory(gram, system, real, 500) == 12.0 * 500**2
    assert matrix_memory(gram, system, turned, 500) == 12.0 * 1000**2
    assert matrix_memory(metric, system, turned, 500) == 12.0 * turned.layout.size**2
    few = vmc.optimizers.SPRING()
    assert matrix_memory(few, system, turned, 100) == 12.0 * 200**2 < 12.0 * turned.layout.size**2


RUN = """
import re, sys
from pathlib import Path
from vmcnet import cli
try:
    cli.main(sys.argv[1:])
finally:  # VmHWM, not ru_maxrss: that one knows the process that started this one
    status = Path("/proc/self/status").read_text()
    print("peak", 1024 * int(re.search("VmHWM:[^0-9]+([0-9]+)", status)[1]))
"""
SHORT = [
    "training.iterations=2",
    "training.growth=[]",
    "sampling.warmup=1",
    "evaluation={steps=2, warmup=0, interval=1}",
]
PEAKS = {  # job, settings
    "dot": (None, ["sampling={walkers=640000, block=64000, warmup=0, steps=2}"]),
    "lattice": (
        None,
        [
            "system={type='transverse_ising', extent=[10, 10]}",
            "wavefunction=[{type='binary_rbm', alpha=0.1}]",
            "sampling={walkers=50000, block=6250, warmup=0, steps=1}",
        ],
    ),
    "network": ("quantum_dot_2_network", ["sampling.walkers=32768"]),
    "gas": ("electron_gas_14", []),
    "neutrons": ("neutron_matter_14", ["sampling.walkers=256"]),
    "spin network": (
        "heisenberg_6x6",
        [
            "wavefunction=[{type='spin_network', layers=[64, 64]}]",
            "natural_gradient={type='minsr'}",
            "sampling.walkers=2048",
        ],
    ),
    "observables": (
        "bosons_10",
        ["sampling.walkers=32768", "observable=[{type='density'}, {type='pair_distribution'}]"],
    ),
}


@pytest.mark.verify
@pytest.mark.processes
@pytest.mark.parametrize("name", PEAKS)
def test_peak_of_memory(tmp_path, name):
    """What a run takes at most, libraries included, against what check says, each in a process of
    its own; of the dot and the lattice, whose arrays are larger than the libraries, too.
    """
    example, settings = PEAKS[name]
    job = ROOT / "jobs" / f"{example}.toml" if example else tmp_path / "job.toml"
    if not example:
        job.write_text(JOB)
    settings = [*SHORT, *settings]
    options = [x for s in settings for x in ("--set", s)]

    def lines(*arguments):
        done = subprocess.run(
            [sys.executable, "-c", RUN, *map(str, arguments), *options],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    lines("check", job)  # compiles
    said = re.search(r"one rank about (\S+) MB, of it (\S+) MB", lines("check", job))
    peak = re.search(r"peak (\d+)", lines("run", job, "--output", tmp_path / "run.h5", "--quiet"))
    found = int(peak[1]) / 1e6
    print(f"{said[1]} MB foretold ({said[2]} beside libraries), {found:.0f} MB taken")
    assert float(said[1]) == pytest.approx(found, rel=0.2)


def test_observables_and_blocks_together_are_counted():
    """A lattice of 400 walkers: what is measured of every walker, its moments in groups, and the
    work of four blocks in one call, by hand.
    """
    text = 'type = "transverse_ising"\nextent = [6]'
    job = parse_job(JOB.replace('type = "quantum_dot"', text).split("[[wave")[0] + LATTICE_PSI)
    system, psi, _, natural, _ = build(job)
    observing = Observing(system, (), 100, 4)
    components = sum(observing.sizes.values())
    moments = 4 * 8 * 400 * (1 + len(system.terms))
    moments += sum(4 * 8 * 4 * observing.groups[k] * n for k, n in observing.sizes.items())
    made = cost.Cost(1.0, 1.0, 1.0, 5000, 1000, 8)
    found = cost.rank_memory(made, job, system, psi, natural, (), 0)
    assert components > 4
    assert found == 4 * 1000 + 8 * 400 * components + max(moments + 4 * 4000, 5.0 * moments)


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
