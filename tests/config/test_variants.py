"""Bad values in jobs of every kind of system, wavefunction and run: one line that names the key,
status 2, nothing written, at the command line itself.
"""

import io
import os
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from vmcnet import cli
from vmcnet.engine import memory

TAIL = """
[sampling]
walkers = 32
block = 16
warmup = 2
steps = 2
[training]
iterations = 2
[evaluation]
steps = 4
warmup = 1
"""


def job(system, *factors):
    text = f'name = "a"\nseed = 1\n[system]\n{system}\n'
    return text + "".join(f"[[wavefunction]]\n{f}\n" for f in factors) + TAIL


NETWORK = 'type = "slater"\n[wavefunction.network]\ntype = "message_passing"\nwidth = 4\npasses = 1'
JOBS = {
    "dot": job('type = "quantum_dot"', 'type = "gaussian_rbm"', 'type = "pade_jastrow"'),
    "slater": job('type = "quantum_dot"\nparticles = 6', 'type = "slater"'),
    "network": job('type = "quantum_dot"\nparticles = 6', NETWORK),
    "gas": job('type = "electron_gas"', 'type = "slater"', 'type = "pade_jastrow"'),
    "neutrons": job('type = "neutron_matter"', 'type = "slater"'),
    "unitary": job('type = "unitary_gas"', 'type = "slater"'),
    "line": job('type = "fermions_1d"\nparticles = 3', 'type = "slater"'),
    "spheres": job(
        'type = "trapped_bosons"\nparticles = 60\ndiameter = 0.1',
        'type = "elliptical_gaussian"',
        'type = "hard_core_jastrow"',
    ),
    "ising": job('type = "transverse_ising"\nextent = [4]', 'type = "binary_rbm"'),
    "nucleus": job('type = "nucleus"', 'type = "s_shell"'),
    "pairs": job('type = "neutron_matter"', 'type = "pfaffian"'),
    "heisenberg": job('type = "heisenberg"\nextent = [6]', 'type = "binary_rbm"'),
    "potts": job('type = "potts"\nextent = [4, 4]', 'type = "boltzmann"'),
}
LARGE = {  # what would take all memory, or for ever
    "dot": [
        ("system.particles=1000000000", "system.particles: .* at most|less than or equal to 1000"),
        ("wavefunction.0.hidden=1000000000000", "wavefunction.0.hidden"),
        ("sampling.walkers=100000000000", "sampling.walkers"),
        ("observable=[{type='density_map', bins=100000}]", "observable.0.bins"),
    ],
    "slater": [
        ("wavefunction.0.excitations=20", "excitations of .* pairs.* take fewer shells"),
        ("wavefunction.0.determinants=10000", "determinants = 10000 of the same orbitals are one"),
        ("wavefunction.0.mixing=10000", "wavefunction.0.mixing"),
    ],
    "network": [("wavefunction.0.network.width=10000000000", "wavefunction.0.network.width")],
    "gas": [
        ("system.particles=10000", "system.particles"),
        ("twists.grid=[1000, 1000, 1000]", "twists: grid has 1000000000 points.*at most 100000"),
        ("twists.random=1000000000", "twists.random"),
        ("observable=[{type='static_structure_factor', shells=10000}]", "observable.0.shells"),
    ],
    "line": [("system.particles=10000", "system.particles")],
    "spheres": [
        ("system.diameter=1.0", "no place for particle.*of diameter 1 in this trap"),
        ("system.particles=10000", "at most 1000 as hard spheres, got 10000"),
    ],
    "ising": [
        ("wavefunction.0.alpha=1e300", "parameters: expected at most"),
        ("wavefunction=[{type='spin_network', layers=[100000, 100000]}]", "1e.10 parameters"),
        ("system.extent=[100000, 100000]", "2 to 100000 sites"),
    ],
}
IMPOSSIBLE = {
    "dot": [
        ("system.spin_projection=5.0", "spin_projection 5.0 of 2 electrons"),
        ("system.spin_projection=1e300", "spin_projection"),
        ("system.omega=1e300", "omega must be between"),
        ("system.omega=[1, 2]", "system.omega: .*found a list"),
        ("training.growth=[{iteration=1, walkers=33}]", "growth.0.walkers = 33: .* multiple"),
        ("training.growth=[{iteration=0, walkers=64}]", "training.growth.0.iteration"),
        ("training.start_from='none.h5'", "none.h5: no such run file"),
        ("training.start_from='dot.toml'", "dot.toml: .*no run file"),
        ("data.file='none.npy'", "none.npy: no such file"),
        ("observable=[{type='density', bins=0}]", "observable.0.bins"),
        ("observable=[{type='radius', extent=1.0}]", "observable.0.extent: unknown key"),
        ("observable=[{type='correlations'}]", "function of spins"),
        ("twists.random=3", "quantum_dot has no twist"),
        ("optimizer={type='adam', schedule={type='cosine'}}", "optimizer.schedule.iterations"),
        ("run.wall_time=inf", "run.wall_time: expected a finite number"),
        ("run.device='gpu'", "run.device: "),
    ],
    "slater": [
        ("system.spin_projection=0.5", "spin_projection 0.5 of 6"),
        ("wavefunction.0.occupied_up=[[0, 0]]", "names 1 different orbitals"),
        ("wavefunction.0.occupied_up=[[0, 0], [1, 0], [500, 0]]", r"no orbital \(500,0\)"),
        ("wavefunction.0.occupied_up=[[0], [1], [2]]", r"no orbital \(0\)"),
        ("wavefunction.0.occupied_up=3", "wavefunction.0.occupied_up: .* list"),
        ("wavefunction.0.heads=['jastrow']", "no network for them"),
    ],
    "network": [
        ("wavefunction.0.heads=['backflow', 'backflow']", "each once at most"),
        ("wavefunction.0.network='message_passing'", "wavefunction.0.network"),
        ("wavefunction.0.network.spread=nan", "network.spread: expected a finite number"),
        ("wavefunction.0.network.widht=3", "wavefunction.0.network.widht: .* mean 'width'"),
    ],
    "gas": [
        ("system.r_s=0", "system.r_s: expected greater than 0"),
        ("system.r_s=-1", "system.r_s"),
        ("system.r_s=inf", "system.r_s"),
        ("system.r_s=1e60", "r_s must be between"),
        ("system.twist=[0.1]", "twist must be 3 numbers"),
        ("system.twist=[nan, 0, 0]", "system.twist.0"),
        ("system.twist=0.1", "system.twist: .* list"),
        ("system.polarisation=0.3", "polarisation 0.3 of 14 particles: expected one of"),
        ("system.particles=999", "polarisation 0 of 999 particles: .* [.]{3}"),
        ("system.lattice='bcc'", "does not fill a cube"),
        ("twists.grid=[2, 2]", "twists.grid: expected 3 numbers"),
        ("twists.gird=[2, 2]", "twists.gird: unknown key; did you mean 'grid'"),
        ("twists={}", "either grid or random"),
    ],
    "neutrons": [
        ("system.density=0", "system.density: expected greater than 0"),
        ("system.density=1e300", "density must be between"),
        ("system.twist=[0.1, 0.1]", "twist must be 3 numbers"),
    ],
    "unitary": [
        ("system.particles=13", "particles = 13: expected an even number"),
        ("system.effective_range=10", "a range of at most 2.75, or more particles"),
    ],
    "line": [
        ("system.range=0", "system.range"),
        ("system.range=1e-300", "range must be between"),
        ("system.strength=nan", "system.strength"),
        ("wavefunction.0.occupied_up=[[0], [0], [1]]", "names 2 different orbitals"),
    ],
    "nucleus": [
        ("system.protons=3", "system.protons"),
        ("system.neutrons=0", "system.neutrons"),
        ("wavefunction.0.kappa=inf", "wavefunction.0.kappa"),
    ],
    "pairs": [
        ("wavefunction.0.triplet=true", "no network to read"),
        ("wavefunction.0.parity='x'", "wavefunction.0.parity: expected 'even' or 'odd'"),
        ("system.polarisation=1.0", "expected as many up as down"),
    ],
    "spheres": [("system.diameter=1e300", "diameter must be between")],
    "heisenberg": [
        ("system.magnetisation=3", "magnetisation = 3"),
        ("system.second=nan", "system.second"),
        ("sampling.proposal='spin_flip'", "sampling.proposal: .* use exchange"),
    ],
    "potts": [
        ("system.states=1", "system.states"),
        ("system.temperature=1e-40", "temperature"),
        ("wavefunction.0.type='binary_rbm'", "wavefunction"),
    ],
}


def called(*arguments):
    """Status, standard output and standard error of a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        cli.main(list(map(str, arguments)))
    return end.value.code, out.getvalue(), err.getvalue()


def refused(*arguments, words):
    code, out, err = called(*arguments)
    assert code == 2 and out == "" and err.count("\n") == 1, (code, out, err)
    assert err.startswith("vmcnet: ") and len(err) < 500, err
    assert re.search(words, err), err


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in JOBS.items():
        (tmp_path / f"{name}.toml").write_text(text)


@pytest.mark.processes  # runs ask git for the revision
@pytest.mark.parametrize("name", JOBS)
def test_bad_values(name):
    folder, kept = Path(), {f"{name}.toml": text for name, text in JOBS.items()}
    for setting, words in LARGE.get(name, []) + IMPOSSIBLE.get(name, []):
        for command in (["check"], ["run", "--output", "x.h5", "--overwrite"]):
            refused(command[0], f"{name}.toml", *command[1:], "--set", setting, words=words)
    assert {p.name: p.read_text() for p in folder.iterdir()} == kept


@pytest.mark.processes
def test_what_cannot_fit_is_said_before_it_starts(monkeypatch):
    monkeypatch.setattr(memory, "free", lambda: 6e9)
    growth = "training.growth=[{iteration=1, walkers=99999984}]"
    words = "99999984 walkers in blocks of 16, 2 particles .* need at least .* are free"
    refused("run", "dot.toml", "--output", "x.h5", "--set", growth, words=words)
    code, out, _ = called("check", "dot.toml", "--set", growth)
    assert code == 0 and "warning: not on this machine, on one rank: 99999984 walkers" in out
    assert not Path("x.h5").exists()


@pytest.mark.processes
def test_paths_that_are_no_run_files():
    assert called("run", "dot.toml", "--output", "a.h5", "--quiet")[0] == 0
    kept = Path("a.h5").read_bytes()
    os.mkfifo("pipe.h5")
    Path("empty.h5").touch()
    Path("cut.h5").write_bytes(kept[: len(kept) // 2])
    long = "x" * 300
    for command in (["report"], ["resume"], ["evaluate"], ["limits"], ["watch", "--once"]):
        for path, words in {
            ".": "is a folder",
            "..": "is a folder",
            "a.h5.run": "is a folder",
            "a.h5.run/checkpoint.h5": "is a checkpoint of the run",
            "none.h5": "no such run file",
            "dot.toml": "no run file",
            "empty.h5": "no run file",
            "cut.h5": "damaged or no run file",
            "pipe.h5": "no regular file",
            "/dev/zero": "no regular file",
            long: "File name too long",
        }.items():
            refused(*command, path, words=words)
    for arguments, words in (
        (["run", "a.h5"], "not UTF-8 text"),
        (["run", "dot.toml", "--output", long], "File name too long"),
        (["run", "dot.toml", "--output", long, "--continue"], "File name too long"),
        (["run", "dot.toml", "--output", "a.h5/b.h5"], "cannot be created"),
        (["run", "dot.toml", "--output", "pipe.h5", "--overwrite"], "is no run file"),
        (["run", "dot.toml", "--output", "a.h5.run/checkpoint.h5", "--overwrite"], "belongs to"),
        (["report", "a.h5", "--html", "."], "--html .: is a folder"),
        (["report", "a.h5", "--html", "dot.toml"], "is no page"),
        (["report", "a.h5", "--plot", "dot.toml"], "--plot dot.toml: is a file"),
        (["evaluate", "a.h5", "--observable", "density, bin=3"], "did you mean 'bins'"),
        (["evaluate", "a.h5", "--observable", "density", "--observable", "density"], "twice"),
        (["evaluate", "a.h5", "--steps", "1"], "--steps.* at least 2"),
        (["evaluate", "a.h5", "--steps", "9" * 20], "--steps: .* 100000000"),
        (["evaluate", "a.h5", "--interval", "0"], "--interval"),
    ):
        refused(*arguments, words=words)
    assert Path("a.h5").read_bytes() == kept and Path("dot.toml").read_text() == JOBS["dot"]
    assert called("evaluate", "a.h5", "--steps", "4", "--quiet")[0] == 0  # no lock is left
