"""sweep, watch, --quiet, --continue past the job's iterations, completion, examples in the help."""

import os
import shutil
import subprocess

import h5py
import numpy as np
import pytest

import vmcnet as vmc
from tests.runs import BIN, JOB, LONGEST, ROOT, complaints, same, start, vmcnet
from vmcnet import cli
from vmcnet.runs.watch import ASCII, BARS, sparkline

pytestmark = pytest.mark.processes


def test_sweep(run, tmp_path):
    """Each run is that of the job with the key set; given again, nothing is computed anew."""
    job = run.with_name("job.toml")
    wanted = ("sweep", job, "system.omega", "1.0", "0.5", "--folder", tmp_path, "--quiet")
    said = vmcnet(*wanted).stdout
    paths = [tmp_path / f"small-system.omega={v}.h5" for v in ("1.0", "0.5")]
    same(run, paths[0])
    with h5py.File(paths[1]) as file:
        assert "omega = 0.5" in file.attrs["job"]
    table = said.splitlines()[-4:]
    assert table[0].split()[:2] == ["run", "system.omega"]
    assert table[3].startswith("second - first: ") and "12/12" not in said
    vmcnet(*wanted)
    with h5py.File(paths[1]) as file:
        assert len(file["evaluation"]) == 1
    same(paths[0], run)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_sweep_as_a_slurm_array(run, tmp_path, monkeypatch):
    """The script's task is the sweep's run, to the bit; names with spaces and quotes; refusals."""
    folder = tmp_path / "a folder's"
    folder.mkdir()
    job, script = folder / "small job.toml", folder / "array.sbatch"
    shutil.copy(run.with_name("job.toml"), job)
    more = ("--set", "sampling.walkers=32", "--folder", folder / "runs", "--array", script)
    monkeypatch.chdir(tmp_path)
    said = vmcnet("sweep", job, "system.omega", "1.0", "0.5", *more).stdout
    assert said.startswith(f"{script}: 2 runs; submit: sbatch {script}\n")
    text = script.read_text()
    assert "#SBATCH --array=0-1\n" in text and not (folder / "runs").exists()
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "srun").write_text('#!/bin/sh\nwhile [ ${1#--} != $1 ]; do shift; done\nexec "$@"\n')
    (bin / "srun").chmod(0o755)
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    environ = {**os.environ, "SLURM_ARRAY_TASK_ID": "1", "VMCNET": str(BIN / "vmcnet")}
    environ["PATH"] = f"{bin}:{os.environ['PATH']}"
    done = subprocess.run(["bash", script], capture_output=True, text=True, env=environ, cwd="/")
    assert done.returncode == 0 and "task 1: system.omega = 0.5, start 0" in done.stdout, done
    (made,) = (folder / "runs").glob("*.h5")
    settings = ("--set", "system.omega=0.5", "--set", "sampling.walkers=32")
    vmcnet("run", job, "--output", tmp_path / "hand.h5", *settings)
    same(tmp_path / "hand.h5", made)
    assert made.name == "small-system.omega=0.5.h5"
    environ["SLURM_ARRAY_TASK_ID"] = "2"
    done = subprocess.run(["bash", script], capture_output=True, text=True, env=environ)
    assert done.returncode == 2 and "only 2 values for system.omega" in done.stderr
    for words, arguments in {
        "exists already": ("0.5", *more),
        "give every value once": ("0.5", "0.5", "--array", "other.sbatch"),
        "system.omega": ("-1", "--array", "other.sbatch"),
    }.items():
        done = vmcnet("sweep", job, "system.omega", *arguments, check=False)
        assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1
    assert script.read_text() == text and not (tmp_path / "other.sbatch").exists()


def test_a_sweep_looks_at_all_values_first(run, tmp_path):
    job = run.with_name("job.toml")
    wanted = ("sweep", job, "system.omega", "1.0", "abc", "--folder", tmp_path / "runs")
    done = vmcnet(*wanted, check=False)
    assert done.returncode == 2 and "system.omega: expected a valid number" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_continue_keeps_a_longer_run(run, tmp_path):
    job, path = run.with_name("job.toml"), tmp_path / "run.h5"
    vmcnet("run", job, "--output", path)
    vmcnet("resume", path, "--set", "training.iterations=15")
    done = vmcnet("run", job, "--output", path, "--continue")
    assert f"note: {path} has 15 iterations, more than the job asks for" in done.stderr
    with h5py.File(path) as file:
        assert len(file["training/energy"]) == 15 and "iterations = 15" in file.attrs["job"]
        assert file.attrs["resumed"] >= file.attrs["started"]


def test_results_on_standard_output_progress_on_standard_error(run, tmp_path):
    done = vmcnet("run", run.with_name("job.toml"), "--output", tmp_path / "a.h5")
    assert done.stdout == vmcnet("report", tmp_path / "a.h5").stdout
    assert "training 12/12" in done.stderr and not complaints(done.stderr)


def test_quiet(run, tmp_path):
    done = vmcnet("run", run.with_name("job.toml"), "--output", tmp_path / "a.h5", "--quiet")
    assert done.stdout.startswith(f"{tmp_path / 'a.h5'}\n") and not done.stderr


def test_watching_once(run):
    lines = vmcnet("watch", run, "--once").stdout.splitlines()
    assert lines[0] == str(run) and lines[1] == "  done, 12 iterations"
    assert lines[-1].startswith("  evaluation 0: ")


def test_watching_through_a_kill(run, tmp_path):
    """What is shown follows the file: running, killed, resumed, done; then it ends by itself."""
    path, job = tmp_path / "run.h5", tmp_path / "job.toml"
    job.write_text(JOB.replace("iterations = 12", "iterations = 1000000"))
    process = start("run", job, "--output", path)
    while "training" not in process.stderr.readline():
        assert process.poll() is None, process.communicate()
    watcher = start("watch", path, "--interval", "0.05")
    try:
        assert follows(watcher, "running")
        process.kill()
        process.communicate()
        assert follows(watcher, "vmcnet resume goes on")
        iteration = int(vmcnet("report", path).stdout.split(" iterations")[0].rsplit(" ", 1)[1])
        vmcnet("resume", path, "--set", f"training.iterations={iteration + 2}")
        assert follows(watcher, "done")
        assert watcher.wait(LONGEST) == 0
    finally:
        for one in (process, watcher):
            one.kill()
            one.communicate()


def follows(watcher, word):
    return any(word in line for line in watcher.stdout)


def test_a_file_alone_is_evaluated_into_another(run, tmp_path):
    """Without its checkpoint, on two ranks; the same parameters, the file as it was."""
    shutil.copy(run, tmp_path / "alone.h5")
    before = (tmp_path / "alone.h5").read_bytes()
    refused = vmcnet("evaluate", tmp_path / "alone.h5", check=False)
    assert refused.returncode == 2 and "--output NEW.h5 evaluates the parameters" in refused.stderr
    new = tmp_path / "new.h5"
    vmcnet("evaluate", tmp_path / "alone.h5", "--steps", 200, "--output", new, "--quiet", ranks=2)
    refused = vmcnet("evaluate", tmp_path / "alone.h5", "--output", new, check=False)
    assert refused.returncode == 2 and "exists already: choose another name" in refused.stderr
    assert (tmp_path / "alone.h5").read_bytes() == before
    old, found = vmc.open_run(run), vmc.open_run(new)
    for name, value in old.parameters.items():
        np.testing.assert_allclose(found.parameters[name], value, rtol=1e-13)
    (kept,), (again,) = old.evaluations, found.evaluations
    assert again.steps == 200
    assert abs(again.energy - kept.energy) < 5 * np.hypot(again.error, kept.error)


def test_a_run_that_was_stopped_is_said_to_be(run, tmp_path):
    path = tmp_path / "run.h5"
    settings = ("--set", "training.iterations=100000", "--set", "run.wall_time=0.001", "--quiet")
    stopped = vmcnet("run", run.with_name("job.toml"), "--output", path, *settings, check=False)
    assert stopped.returncode == 85
    last = vmcnet("report", path).stdout.splitlines()[-1]
    assert last == f"  stopped, 0 iterations; go on with: vmcnet resume {path}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rn", "x"), "invalid choice: 'rn'|did you mean 'run'?"),
        (("report",), "arguments are required: file|vmcnet report --help says more"),
        (("report", "a.h5", "--hmtl", "x"), "unrecognized arguments: --hmtl|mean '--html'?"),
        (("report", "a.h5", "--quiet"), "arguments: --quiet; vmcnet report --help says more"),
        (("jobs", "dot_6"), "no job file 'dot_6' comes with|did you mean 'quantum_dot_6'?"),
        (("watch", "jobs/quantum_dot_2.toml"), "is a job file, no run file: vmcnet run jobs"),
        (("check", "jobs/quantum_dot_2.toml", "--set", "system.type=dot"),
         'or "module:Class" of your own, found|did you mean \'quantum_dot\'?'),
        (("check", "jobs/quantum_dot_2.toml", "--set", "eval.steps=5"), "mean 'evaluation'?"),
        (("check", "jobs/quantum_dot_2.toml", "--set", "wavefunction[0].hidden=8"),
         "numbers of a list stand between dots: wavefunction.0.hidden"),
    ],
)  # fmt: skip
def test_mistakes_on_the_command_line_are_one_line(arguments, words, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as end:
        cli.main(list(arguments))
    out, err = capsys.readouterr()
    assert end.value.code == 2 and out == "" and err.startswith("vmcnet: ")
    assert err.count("\n") == 1 and all(w in err for w in words.split("|")), err


def test_a_line_of_bars():
    assert sparkline([0.0, 1.0, 2.0]) == BARS[0] + BARS[3] + BARS[7]
    assert sparkline([3.0, 3.0]) == 2 * BARS[0] and sparkline([]) == ""
    assert len(sparkline(range(1000))) <= 40
    assert sparkline([0.0, 1.0, 2.0], marks=ASCII).isascii()


def test_every_command_has_an_example_that_parses(capsys):
    parser = cli.parser()
    for name, lines in cli.EXAMPLES.items():
        for line in lines:
            words = line.split("#")[0].split(">")[0].split()
            assert parser.parse_args(words).command == name
    (known,) = (a.choices for a in parser._actions if a.dest == "command")
    assert set(known) == set(cli.EXAMPLES)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_completion():
    script = vmcnet("completion", "bash").stdout
    ask = (
        'COMP_WORDS=(vmcnet report --h); COMP_CWORD=2; _vmcnet; echo "${COMPREPLY[*]}"; '
        'COMP_WORDS=(vmcnet re); COMP_CWORD=1; _vmcnet; echo "${COMPREPLY[*]}"'
    )
    done = subprocess.run(["bash", "-c", script + ask], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["--help --html", "resume report"], done.stderr


def test_a_shipped_job_that_was_not_copied_is_named(tmp_path):
    name = tmp_path / "heisenberg_chain_40"
    for path in (name, name.with_suffix(".toml")):
        done = vmcnet("check", path, check=False)
        assert done.returncode == 2
        assert "comes with vmcnet: vmcnet jobs heisenberg_chain_40 copies it here" in done.stderr
    assert "comes with" not in vmcnet("check", tmp_path / "none.toml", check=False).stderr
