"""Every figure that run, evaluate and report print is recomputed from the file by an independent
program, to the last digit.
"""

import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.runs import JOB, vmcnet

PROGRAM = Path(__file__).with_name("recomputed.py")
TEXT = JOB.replace("steps = 20", "steps = 400").replace('name = "small"', 'name = "printed"')
TEXT = TEXT.replace("iterations = 12", "iterations = 80")


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """A run and what run, evaluate and report printed of it."""
    folder = tmp_path_factory.mktemp("printed")
    (folder / "job.toml").write_text(TEXT)
    run = folder / "run.h5"
    done = vmcnet("run", folder / "job.toml", "--output", run)
    first = done.stderr + done.stdout
    second = vmcnet("evaluate", run, "--steps", 700, "--interval", 2).stdout
    return run, first, second, vmcnet("report", run).stdout


def recomputed(run):
    done = subprocess.run(
        [sys.executable, "-I", str(PROGRAM), str(run)], capture_output=True, text=True, check=True
    )
    return dict(line.split("\t") for line in done.stdout.splitlines())


def numbers(text):
    """Every number of a text, with its error in brackets."""
    return re.findall(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?:\(\d+\))?", text)


def test_the_program_imports_nothing_of_ours():
    assert "vmcnet" not in re.sub(r'""".*?"""', "", PROGRAM.read_text(), flags=re.S)


def test_every_printed_figure(printed):
    run, first, second, report = printed
    found = recomputed(run)
    body = report.split("\n", 1)[1]
    missing = {name: text for name, text in found.items() if text not in body}
    assert not missing and len(found) > 25, (missing, report)
    assert second[second.index(str(run)) :] == report, "evaluate ends with the report"
    part = first[first.index(str(run)) :]
    assert part.rstrip() == "\n".join(
        line for line in report.splitlines()[: len(part.splitlines())]
    ), "so does run"
    left = body
    for text in sorted(found.values(), key=len, reverse=True):
        left = left.replace(text, "")
    left = re.sub(
        r"warning: .*|quantum dot: 1 electron up and 1 down in 2 dimensions, omega = 1|"
        r"\(\d+ parameters\)|reference "
        r"3\.0000000|evaluation \d+:",
        "",
        left,
    )
    assert numbers(left) == [], f"printed, but not recomputed: {left}"


def test_progress_lines_come_from_the_series(printed):
    run, first, _, _ = printed
    with h5py.File(run) as file:
        energies, errors, acceptance = (
            file[f"training/{k}"][:] for k in ("energy", "error", "acceptance")
        )
        measured = file["evaluation/0/energy"][:]
    for done, value, error, accepted in re.findall(
        r"^training (\d+)/80  energy (-?[\d.]+)\((\d+)\)  acceptance ([\d.]+)", first, re.M
    ):
        k, unit = int(done) - 1, 10.0 ** -len(value.partition(".")[2])
        assert (
            abs(energies[k] - float(value)) <= 0.5001 * unit
            and abs(errors[k] - int(error) * unit) <= 0.5001 * unit
        )
        assert f"{acceptance[k]:.2f}" == accepted
    last = re.findall(r"^evaluation 400/400  energy (-?[\d.]+)", first, re.M)
    assert len(last) == 1 and abs(np.mean(measured) - float(last[0])) <= 0.5001 * 10.0 ** -len(
        last[0].partition(".")[2]
    )


def test_a_changed_digit_is_noticed(printed, tmp_path):
    run = printed[0]
    copied = tmp_path / "run.h5"
    copied.write_bytes(run.read_bytes())
    with h5py.File(copied, "r+") as file:
        file["evaluation/1/walker_mean"][0, 0, 5] += 5.0
    assert any(text not in printed[3] for text in recomputed(copied).values())
