"""300 faults over training and evaluation on 1 to 4 ranks: whatever happens, it ends soon, with one
line where it does not go on, and goes on afterwards, on another number of ranks, to the same bits.

30 of the cases run in `make test` (those of one rank), all in `make verify`.
"""

import errno
import os
import re

import numpy as np
import pytest

from tests.faults.cases import broken
from tests.runs import JOB, same
from tests.runs import vmcnet as command
from vmcnet.storage.paths import checkpoint_path, folder_of, lock_path
from vmcnet.storage.run_file import RunFile

SMALL = JOB.replace("walkers = 64", "walkers = 16").replace("block = 8", "block = 4")
FERMIONS = SMALL.replace(
    'type = "quantum_dot"', 'type = "quantum_dot"\nparticles = 3\nspin_projection = 0.5'
).replace(
    'type = "gaussian_rbm"\nhidden = 2',
    'type = "slater"\n[wavefunction.network]\ntype = "message_passing"\nwidth = 3\npasses = 1',
) + (
    '[optimizer]\ntype = "sgd"\nlearning_rate = 0.05\n'
    '[natural_gradient]\ntype = "spring"\nmomentum = 0.9\n'
)
NEUTRONS = (
    FERMIONS.replace("particles = 3\nspin_projection = 0.5", "particles = 2\ndensity = 0.02")
    .replace('"quantum_dot"', '"neutron_matter"')
    .replace('type = "slater"', 'type = "slater"\nexcitations = 1')
    .replace('[[wavefunction]]\ntype = "pade_jastrow"\n', "")
)
GAS = (
    NEUTRONS.replace('"neutron_matter"', '"electron_gas"')
    .replace("density = 0.02", "dimensions = 2\nr_s = 2.0")
    .replace("passes = 1", "passes = 1\nrange = 1.0")
)
JOBS = {"machine": SMALL, "fermions": FERMIONS, "neutrons": NEUTRONS, "gas": GAS}
PLAN = ("--steps", "14", "--warmup", "6")
ALL, QUICK = 300, 30
ENDS = ("SIGTERM", "SIGHUP", "SIGXCPU", "SIGUSR1", "SIGUSR2")  # with a checkpoint, 85
GOES_ON = ("pause", "remove:checkpoint", "remove:folder", "remove:lock", "remove:run", "nolock")
DISK = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.ESTALE)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory, server):
    """Runs that nothing happens to, before and after a further evaluation: job -> folder."""
    folders = {name: tmp_path_factory.mktemp(name) for name in JOBS}
    for job, folder in folders.items():
        (folder / "job.toml").write_text(JOBS[job])
        for name in ("trained", "evaluated"):
            run, log = folder / f"{name}.h5", folder / "log"
            code, said = server.run("run", folder / "job.toml", "--output", run, log=log)
            assert code == 0, said
        code, said = server.run("evaluate", run, *PLAN, log=log)
        assert code == 0, said
    return folders


def job_of(case):
    """Of seven cases one trains a determinant with a network by SPRING, one another with pair
    excitations and spins that are exchanged, one electrons in a box with pair excitations of moved
    plane waves, the others a machine.
    """
    return {1: "gas", 3: "fermions", 5: "neutrons"}.get(case % 7, "machine")


def drawn(case):
    """(what happens, at which step or write, command, ranks, rank) of a case."""
    rng = np.random.default_rng([29, case])
    evaluating = case % 2 == 1
    ranks = 1 if case < QUICK else 1 + case % 4
    kind = case // 2 % 5
    at = int(rng.integers(1, 22 if evaluating else 36))
    rank = int(rng.integers(ranks))
    if kind < 2 and ranks == 1:
        at = int(rng.integers(4, 40 if evaluating else 120))
        mode = ("before", "torn", "after")[case // 10 % 3] if kind == 0 else DISK[case // 10 % 4]
        return f"write {mode}", at, evaluating, ranks, rank
    if (kind == 2 and ranks == 1) or kind < 2:
        return "kill", at, evaluating, ranks, rank
    if kind == 3:
        return ENDS[case // 10 % len(ENDS)], at, evaluating, ranks, rank
    how = GOES_ON[case // 10 % len(GOES_ON)]
    return how, at, evaluating, ranks, 0 if how != "pause" else rank


def happened(whole, server, folder, case):
    """The fault; (status, what was said)."""
    how, at, evaluating, ranks, rank = drawn(case)
    run, log = folder / "run.h5", folder.parent / "log"
    arguments = ["run", whole / "job.toml", "--output", run]
    if evaluating:
        code, said = server.run(*arguments, log=log)
        assert code == 0, said
        arguments = ["evaluate", run, *PLAN]
    paths = {
        "remove:checkpoint": checkpoint_path(run, "evaluation" if evaluating else "checkpoint"),
        "remove:folder": folder_of(run),
        "remove:lock": lock_path(run),
        "remove:run": run,
    }
    fault = f"remove:{paths[how]}" if how in paths else how
    if how.startswith("write"):
        where = {"SHIM_MATCH": folder, "SHIM_AT": at, "SHIM_MODE": how.split()[1]}
        return server.run(*arguments, log=log, **where)
    if ranks == 1:
        return server.run(*arguments, log=log, FAULT=f"{fault} {at}")
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = broken(fault, rank, at, *arguments, ranks=ranks, env=environ)
    return done.returncode, done.stdout + done.stderr


def go_on(whole, server, folder, evaluating, ranks):
    """What a user does then: resume, or begin anew where nothing was begun."""
    run, log = folder / "run.h5", folder.parent / "log"
    arguments = ["resume", run] if run.exists() else ["run", whole / "job.toml", "--output", run]
    arguments += [] if run.exists() else ["--continue"]
    for _ in range(2):
        if ranks == 1:
            code, said = server.run(*arguments, log=log)
            assert code == 0, said
        else:
            command(*arguments, ranks=ranks)
        if not evaluating or len(RunFile.open(run).evaluations) == 2:
            break
        arguments = ["evaluate", run, *PLAN]


@pytest.mark.parametrize(
    "case", [pytest.param(k, marks=() if k < QUICK else pytest.mark.verify) for k in range(ALL)]
)
def test_fault(case, wholes, server, tmp_path):
    how, at, evaluating, ranks, _ = drawn(case)
    folder, whole = tmp_path / "folder", wholes[job_of(case)]
    folder.mkdir()
    code, said = happened(whole, server, folder, case)
    lines = re.findall("vmcnet: .*", said)
    shown = (how, at, evaluating, ranks, code, said)
    assert code != 124 and "Traceback" not in said, shown
    if how in ENDS:
        assert code in (0, 85) and not lines, shown  # 0: it came with the last step
    elif how in GOES_ON:
        assert code == 0 and not lines, shown
    elif re.match(r"write \d", how):
        assert code == 0 or (code == 2 and len(lines) == 1), shown
    else:
        assert (code and not lines) or code == 0, shown
    go_on(whole, server, folder, evaluating, 1 if case < QUICK else 1 + (case + 1) % 4)
    same(whole / ("evaluated.h5" if evaluating else "trained.h5"), folder / "run.h5")
    kept = {p.name for p in folder.iterdir()}
    assert kept <= {"run.h5", "run.h5.run"} and not lock_path(folder / "run.h5").exists(), kept


def test_every_kind_is_drawn():
    """Each fault meets training and evaluation, 1 to 4 ranks where it can, and most of them
    fermions in a trap, neutrons and electrons in a box.
    """
    found, met = {}, {job: set() for job in JOBS}
    for case in range(ALL):
        how, _, evaluating, ranks, _ = drawn(case)
        found.setdefault(how.split()[0], set()).add((evaluating, ranks))
        met[job_of(case)].add((how.split()[0], evaluating))
    assert set(found) == {"write", "kill", *ENDS, *GOES_ON}
    for job in ("fermions", "neutrons", "gas"):
        assert {how for how, _ in met[job]} == set(found) and len(met[job]) >= len(found) + 5, job
    assert all({evaluating for evaluating, _ in seen} == {True, False} for seen in found.values())
    assert {ranks for _, ranks in found["kill"]} == {1, 2, 3, 4}
