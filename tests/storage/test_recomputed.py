"""Every figure that run, evaluate and report print, and all numbers of JSON, CSV, table and page,
are recomputed from the file by an independent program, to the last digit.
"""

import csv
import html
import io
import json
import math
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
TEXT = TEXT.replace("iterations = 12", "iterations = 120").replace("walkers = 64", "walkers = 256")
TEXT = TEXT.replace(
    "[sampling]", 'beta = 2.0\n[optimizer]\ntype = "adam"\nlearning_rate = 0.01\n[sampling]'
)


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """A run and what run, evaluate and report printed of it."""
    folder = tmp_path_factory.mktemp("printed")
    (folder / "job.toml").write_text(TEXT)
    run = folder / "run.h5"
    done = vmcnet("run", folder / "job.toml", "--output", run)
    first = done.stderr + done.stdout
    more = ("--steps", 700, "--interval", 2, "--observable", "radius")
    second = vmcnet("evaluate", run, *more).stdout
    return run, first, second, vmcnet("report", run).stdout


def program(*arguments):
    words = [sys.executable, "-I", str(PROGRAM), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def recomputed(run):
    return dict(line.split("\t") for line in program(run).splitlines())


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
        r"3\.0000000|evaluation \d+:|radius r\^2|bohr\^2",
        "",
        left,
    )
    assert numbers(left) == [], f"printed, but not recomputed: {left}"


def check_json(run, found):
    """Every recomputed number stands in the JSON under its name, with its digits."""
    (told,) = json.loads(vmcnet("report", run, "--json").stdout)
    line = found["training"].pop("zero_variance")
    contained(found["training"], told["training"])
    contained({k: line[k] for k in ("energy", "error")}, told["zero_variance"])
    for mine, theirs in zip(found["evaluations"], told["evaluations"], strict=True):
        contained({k: v for k, v in mine.items() if k not in ("observables", "derived")}, theirs)
        for name, found_of in mine["derived"].items():
            contained(found_of, theirs["observables"]["radius"]["derived"][name])
        for name, components in mine["observables"].items():
            contained(components, theirs["observables"][name]["components"])
    assert len(found["evaluations"]) == 2 and found["evaluations"][1]["observables"]["radius"]


def contained(mine, theirs, where=""):
    if isinstance(mine, dict):
        for name, value in mine.items():
            contained(value, theirs[name], f"{where}/{name}")
    elif isinstance(mine, list):
        for value, other in zip(mine, theirs, strict=True):
            contained(value, other, where)
    elif mine is None or math.isnan(mine):
        assert theirs is None, where
    else:
        assert theirs == pytest.approx(mine, rel=1e-9, abs=1e-11), where


def check_csv(run, found):
    (row,) = csv.DictReader(io.StringIO(vmcnet("report", run, "--csv").stdout))
    last, training = found["evaluations"][-1], found["training"]
    energy = last["estimates"]["energy"]
    wanted = {"energy": energy["mean"], "error": energy["error"], "blocking": energy["blocking"]}
    names = ("variance", "autocorrelation", "rhat", "acceptance", "difference", "sigmas")
    wanted |= {k: last[k] for k in names}
    wanted |= {k: training[k] for k in ("iterations", "seconds")}
    for name, value in wanted.items():
        assert float(row[name]) == pytest.approx(value, rel=1e-9, abs=1e-11), name
    assert set(row) - set(wanted) == {
        "run", "state", "warnings", "from_first", "from_first_error", "from_first_sigmas",
        "units", "particles",
    }  # fmt: skip


def check_table(run, found):
    head, row = (x.split() for x in vmcnet("report", run, "--table").stdout.splitlines())
    assert head == ["run", "energy", "variance", "R-hat", "difference", "state", "warnings"]
    last, texts = found["evaluations"][-1], recomputed(run)
    wanted = [texts["evaluation 1 energy"], f"{last['variance']:.3g}", f"{last['rhat']:.4f}"]
    assert row[1:5] == [*wanted, f"{last['difference']:+.2e}"]


def check_html(run, found):
    """Rows of all tables, pairs, and the sentences above them; earlier evaluations too."""
    page = run.with_name("page.html")
    vmcnet("report", run, "--html", page)
    text = html.unescape(page.read_text())
    rows = [
        re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", text) if row
    ]
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text)
    texts = recomputed(run)
    for number, e in enumerate(found["evaluations"]):
        key = f"evaluation {number}"
        quantities = {name: (f"{key} {name}", x) for name, x in e["estimates"].items()}
        for name, components in e["observables"].items():
            for label, x in components.items():
                shown = f"{name} {label}".replace("^2", "\u00b2")
                quantities[shown] = f"{key} {name} {label}", x
        for name, (figure, x) in quantities.items():
            value = texts[figure].split("  ")[-1]
            row = next(r for r in rows if r and r[0] == name and r[1].split()[0] == value)
            for cell, exact in zip(row[2:4], (x["error"], x["blocking"]), strict=True):
                assert alike(cell, exact), (name, cell, exact)
            assert row[4:] in ([], [f"{x['rhat']:.4f}"] if "rhat" in x else [])
        for name in e["derived"]:
            value = texts[f"{key} {name}"].split("  ")[1]
            assert any(row[:2] == [name, value] for row in rows), (name, value)
        low, high = e["walker_acceptance"]
        for pair in (
            ("evaluation", texts[key]),
            ("variance of the local energy", f"{e['variance']:.3g}"),
            ("autocorrelation time", f"{e['autocorrelation']:.1f} measurements"),
            ("split R-hat", f"{e['rhat']:.4f}"),
            ("acceptance", f"{e['acceptance']:.2f} (walkers {low:.2f} to {high:.2f})"),
            ("stuck walkers", str(e["stuck"])),
            ("tail of the local energy", "Pareto shape " + texts[f"{key} tail"].split()[1]),
        ):
            assert pair in pairs, pair
        assert texts[f"{key} difference from 3"] in text
    training = found["training"]
    assert ("iterations", "120 of 120") in pairs and training["iterations"] == 120
    assert ("time of training", f"{training['seconds']:.1f} s") in pairs
    last = f"{texts['last energy'].removeprefix('last ')}, {texts['training acceptance']}"
    assert ("last iteration", last) in pairs
    assert texts["variance 0"].removeprefix("e") in text  # the sentence begins with E


def alike(cell, exact):
    """Two digits of a number, or that there is no plateau."""
    return cell == "no plateau" if math.isnan(exact) else f"{float(cell):.1e}" == f"{exact:.1e}"


FORMS = {"json": check_json, "csv": check_csv, "table": check_table, "html": check_html}


@pytest.mark.parametrize("form", FORMS)
def test_every_number_of_the_other_forms(printed, form):
    found = json.loads(program(printed[0], "values"))
    assert "energy" in found["training"]["zero_variance"], "a line that says something"
    FORMS[form](printed[0], found)


def test_progress_lines_come_from_the_series(printed):
    run, first, _, _ = printed
    with h5py.File(run) as file:
        energies, errors, acceptance = (
            file[f"training/{k}"][:] for k in ("energy", "error", "acceptance")
        )
        measured = file["evaluation/0/energy"][:]
    for done, value, error, accepted in re.findall(
        r"^training (\d+)/120  energy (-?[\d.]+)\((\d+)\)  acceptance ([\d.]+)", first, re.M
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
