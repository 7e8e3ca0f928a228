"""Damaged and mistaken files, and two launches of one run: refused by name, the way out named."""

import shutil

import numpy as np
import pytest

from tests.faults.cases import Held, one_line
from tests.runs import complaints, same, vmcnet
from vmcnet.storage.atomic import FileProblem
from vmcnet.storage.checkpoint import read_checkpoint
from vmcnet.storage.paths import checkpoint_path, folder_of, previous_path, previous_run
from vmcnet.storage.run_file import RunFile


def test_damaged_run_files_and_checkpoints(whole, tmp_path):
    """500 single-bit flips of the run file, 200 truncations of both: each is refused by name, and
    the previous one offered.
    """
    shutil.copy(whole / "small.h5", tmp_path)
    shutil.copytree(folder_of(whole / "small.h5"), folder_of(tmp_path / "small.h5"))
    rng = np.random.default_rng(5)
    run = tmp_path / "small.h5"
    checkpoint = checkpoint_path(run)
    before = {run: previous_run(run), checkpoint: previous_path(checkpoint)}
    for path, read, flips in ((run, RunFile.open, 500), (checkpoint, read_checkpoint, 0)):
        good = path.read_bytes()
        damaged = []
        for place in {
            *range(40),
            *range(504, 520),
            len(good) - 1,
            *rng.integers(len(good), size=3 * flips),
        }:
            bad = bytearray(good)
            bad[place] ^= 1 << int(rng.integers(8))
            damaged.append(bytes(bad))
        damaged = (
            damaged[:flips]
            + [
                good[:n]
                for n in {0, 1, 511, 512, 513, len(good) - 1, *rng.integers(len(good), size=600)}
            ][:200]
        )
        assert len(damaged) == flips + 200
        for bad in damaged:
            path.write_bytes(bad)
            with pytest.raises(FileProblem) as refused:
                read(path)
            assert str(path) in str(
                refused.value
            ) and f"{before[path]} can be used with: vmcnet resume --previous" in str(refused.value)
        path.write_bytes(good)
        read(path)


@pytest.mark.parametrize("which", [("run",), ("checkpoint",), ("run", "checkpoint")])
def test_a_damaged_pair_goes_on_from_the_previous_one(whole, server, tmp_path, which):
    run = tmp_path / "folder" / "run.h5"
    server.run(
        "run",
        whole / "small.toml",
        "--output",
        run,
        log=tmp_path / "log",
        SHIM_MATCH=run.parent,
        SHIM_LOG=tmp_path / "operations",
    )
    at = 1 + (tmp_path / "operations").read_text().splitlines().index(
        f"write {checkpoint_path(run, 'evaluation')}.partial"
    )
    code, said = server.run(
        "run",
        whole / "small.toml",
        "--output",
        run,
        "--overwrite",
        log=tmp_path / "log",
        SHIM_MATCH=run.parent,
        SHIM_AT=at,
        SHIM_MODE="before",
    )
    assert code == -9, said
    for name in which:
        path = run if name == "run" else checkpoint_path(run)
        path.write_bytes(path.read_bytes()[:-1])
    for arguments in (
        ("resume", run),
        ("run", whole / "small.toml", "--output", run, "--continue"),
    ):
        code, said = server.run(*arguments, log=tmp_path / "log")
        one_line(
            code, said, run if "run" in which else checkpoint_path(run), "damaged", "--previous"
        )
    code, said = server.run("resume", run, "--previous", log=tmp_path / "log")
    assert code == 0, said
    same(whole / "small.h5", run)


def test_files_of_another_run_and_of_another_version(whole, server, tmp_path):
    runs = [tmp_path / name for name in ("a.h5", "b.h5")]
    for run in runs:
        server.run("run", whole / "small.toml", "--output", run, log=tmp_path / "log")
    shutil.copy(runs[0], runs[1])
    code, said = server.run("resume", runs[1], log=tmp_path / "log")
    one_line(code, said, checkpoint_path(runs[1]), "belongs to another run")
    file = RunFile.open(runs[0])
    file.attributes["schema"] = 7
    file.write()
    for command in ("resume", "evaluate", "report"):
        code, said = server.run(command, runs[0], log=tmp_path / "log")
        one_line(code, said, runs[0], "run file schema 7, this version reads 1")


def test_two_launches_of_one_run(whole, tmp_path):
    run = tmp_path / "run.h5"
    arguments = ("run", whole / "small.toml", "--output", run)
    with Held(tmp_path / "held", 10, *arguments, ranks=2) as first:
        done = vmcnet(*arguments, "--continue", ranks=2, check=False)
        one_line(done.returncode, done.stderr, run, "another run is writing it")
        code, _, err = first.go_on()
    assert code == 0 and not complaints(err), err
    same(whole / "small.h5", run)
