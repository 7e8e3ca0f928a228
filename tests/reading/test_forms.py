"""Terminal, JSON, page, CSV and table say the same: numbers, notes and warnings, for every kind of
run.
"""

import csv
import html
import io
import json
import math
import re

import numpy as np
import pytest

import vmcnet as vmc
from tests.runs import JOB
from vmcnet import cli
from vmcnet.runs import page as pages
from vmcnet.runs.report import report_lines
from vmcnet.runs.state import standing
from vmcnet.statistics.format import with_error
from vmcnet.storage.lock import RunLock
from vmcnet.storage.run_file import RunFile

pytestmark = pytest.mark.processes
SHORT = """
seed = 4
[sampling]
walkers = 64
block = 32
steps = 2
warmup = 5
[optimizer]
type = "sgd"
learning_rate = 0.01
[training]
iterations = 3
[evaluation]
steps = 40
"""
KINDS = {
    "dot": JOB.replace("iterations = 12", "iterations = 70"),
    "lattice": """
[system]
type = "heisenberg"
extent = [7]
[[wavefunction]]
type = "binary_rbm"
""",
    "learnt": """
[system]
type = "classical_ising"
extent = [2, 2]
temperature = 2.5
[[wavefunction]]
type = "binary_rbm"
[data]
file = "samples.npy"
""",
    "classical": """
[system]
type = "classical_ising"
extent = [3, 3]
temperature = 2.5
[[wavefunction]]
type = "boltzmann"
""",
    "gas": """
[system]
type = "electron_gas"
particles = 2
r_s = 2.0
[[wavefunction]]
type = "slater"
[[wavefunction]]
type = "pade_jastrow"
[[observable]]
type = "static_structure_factor"
[[observable]]
type = "pair_distribution"
bins = 6
""",
    "twists": """
[system]
type = "electron_gas"
particles = 4
dimensions = 2
polarisation = 0.5
r_s = 2.0
[[wavefunction]]
type = "slater"
[twists]
grid = [4, 4]
""",
}


def called(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main([str(a) for a in arguments])
    return ended.value.code


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """kind -> its run files; that of the gas holds two evaluations."""
    folder, found = tmp_path_factory.mktemp("forms"), {}
    np.save(folder / "samples.npy", np.random.default_rng(1).integers(0, 2, (128, 4)))
    for kind, text in KINDS.items():
        job, path = folder / f"{kind}.toml", folder / f"{kind}.h5"
        job.write_text(text if kind == "dot" else f'name = "{kind}"{SHORT}{text}')
        assert called("run", job, "--output", path, "--quiet") == 0
        found[kind] = sorted(folder.glob(f"{kind}*.h5"))
    again = ("--steps", 60, "--target-error", 1e-3, "--quiet")
    assert called("evaluate", found["gas"][0], *again) == 0
    return found


@pytest.fixture
def said(capsys, monkeypatch):
    """What `vmcnet report` with these arguments prints; pages without figures, which take long."""
    monkeypatch.setattr(pages, "figures", lambda run: {})

    def report(*arguments):
        capsys.readouterr()
        assert called("report", *arguments) == 0
        return capsys.readouterr().out

    return report


def shown_in(page):
    """A page as plain text."""
    text = re.sub(r"<style.*?</style>", " ", page.read_text(), flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", " ", text))


def numbers(text):
    """Every number of a text with its error, as numbers."""
    text = re.sub(r"bohr\S*|2\^\d+|\^2|\u00b2", "", text)
    pattern = r"(?<![\w.^])([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(\(\d+\)|\(\?\))?(?![\w])"
    return {(float(value), error) for value, error in re.findall(pattern, text)}


def with_nan(value):
    """JSON has null where Python has NaN; of the numbers that reports print."""
    if isinstance(value, dict):
        names = ("mean", "error", "blocking", "rhat", "autocorrelation")
        return {k: math.nan if v is None and k in names else with_nan(v) for k, v in value.items()}
    return [with_nan(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "twists"])
def test_forms(runs, said, tmp_path, kind):
    """The JSON alone gives the terminal's lines; the page has all their numbers and warnings."""
    path, page = runs[kind][0], tmp_path / "page.html"
    terminal = said(path)
    found = with_nan(json.loads(said(path, "--json")))[0]
    assert report_lines(found) == terminal.splitlines()
    said(path, "--html", page)
    text = shown_in(page)
    assert not numbers(terminal.replace(str(path), "")) - numbers(text), terminal
    warnings = re.findall(r"warning: (.*)", terminal)
    run = vmc.open_run(path)
    told = [text for texts in run.warnings.values() for text in texts]
    assert warnings == told == [w for texts in found["warnings"].values() for w in texts]
    missing = [w for w in warnings if " ".join(w.split()) not in " ".join(text.split())]
    assert not missing, missing
    assert f"; {len(told)} warning" in repr(run) if told else "warning" not in repr(run)
    (row,) = csv.DictReader(io.StringIO(said(path, "--csv")))
    assert int(row["warnings"]) == len(told)
    assert said(path, "--table").splitlines()[1].split()[-1] == str(len(told) or "-")
    special = {
        "lattice": ("psi is positive, and H has positive off-diagonal elements", "upper bound"),
        "learnt": ("Kullback-Leibler divergence", "nats, by enumeration"),
        "gas": ("target error 0.001 not reached", "evaluation 0: ", "hartree an electron"),
        "dot": ("energy at variance 0", "tail "),
    }
    for words in special.get(kind, ()):
        page_word = words.replace("hartree an", "hartree per")
        assert words in terminal and page_word.lower() in text.lower(), words


def test_notes_reach_python(runs):
    """In the warnings of every evaluation, whoever made it."""
    run = vmc.open_run(runs["lattice"][0])
    (note,) = run.warnings["wavefunction"]
    assert note.startswith("psi is positive") and note in run.evaluations[-1].warnings
    assert run.walkers.r.shape == (64, 7, 0) and run.walkers.s.shape == (64, 7)
    assert note in run.evaluate(steps=4).warnings


def test_the_average_over_twists(runs, said, tmp_path):
    paths, page = runs["twists"], tmp_path / "page.html"
    assert len(paths) == 3
    terminal = said("--twists", *paths)
    found = json.loads(said("--twists", "--json", *paths))
    assert [twist["weight"] for twist in found["twists"]] == [0.25, 0.5, 0.25]
    for name, e in found["estimates"].items():
        own = [vmc.open_run(path).evaluations[-1].estimates[name] for path in paths]
        assert e["mean"] == pytest.approx(np.dot([0.25, 0.5, 0.25], [x.mean for x in own]))
        errors = [w * x.error for w, x in zip([0.25, 0.5, 0.25], own, strict=True)]
        assert e["error"] == pytest.approx(math.hypot(*errors))
        assert with_error(e["mean"] / 4, e["error"] / 4) in terminal
    said("--twists", "--html", page, *paths)
    lines = [line for line in terminal.splitlines() if "warning" not in line]
    assert not numbers("\n".join(lines)) - numbers(shown_in(page)), terminal
    for option in (["--csv"], ["--table"], ["--plot", tmp_path / "figures"]):
        assert called("report", "--twists", *option, *paths) == 2


def test_differences_of_runs(runs, said, tmp_path):
    """second - first, and its error, in table, page, JSON and CSV alike."""
    gas, page = runs["twists"][:2], tmp_path / "page.html"
    a, b = (vmc.open_run(path).evaluations[-1] for path in gas)
    difference, error = b.energy - a.energy, math.hypot(a.error, b.error)
    line = said("--table", *gas).splitlines()[-1]
    by_electron = with_error(difference / 4, error / 4)
    assert line.startswith(f"second - first: {by_electron} hartree an electron, ")
    said("--html", page, *gas)
    assert line in " ".join(shown_in(page).split())
    first, second = json.loads(said("--json", *gas))
    assert first["from_first"] is None
    assert second["from_first"]["energy"] == pytest.approx(difference, rel=1e-14)
    assert second["from_first"]["error"] == pytest.approx(error, rel=1e-14)
    rows = list(csv.DictReader(io.StringIO(said("--csv", *gas))))
    assert rows[0]["from_first"] == ""
    assert float(rows[1]["from_first"]) == second["from_first"]["energy"]
    assert float(rows[1]["from_first_sigmas"]) == pytest.approx(difference / error)
    other = json.loads(said("--json", runs["dot"][0], runs["lattice"][0]))
    assert other[1]["from_first"] is None, "energies in other units"


def test_runs_of_other_systems(runs, said, tmp_path):
    """Many keys that differ stand below, energies have their units, and nothing is subtracted."""
    pair, page = (runs["dot"][0], runs["gas"][0]), tmp_path / "page.html"
    lines = said("--table", *pair).splitlines()
    assert lines[0].split() == [
        "run",
        "energy",
        "units",
        "variance",
        "R-hat",
        "difference",
        "state",
        "warnings",
    ]
    for path, line, each in zip(pair, lines[1:3], ("", " an electron"), strict=True):
        run = vmc.open_run(path)
        last, share = run.evaluations[-1], run.system.share
        assert f"{with_error(last.energy / share, last.error / share)}  hartree{each}  " in line
    assert lines[3].split() == ["key", *map(str, pair)]
    assert ["system.r_s", "-", "2.0"] in [line.split() for line in lines[4:]]
    assert not any("second - first" in line for line in lines)
    said("--html", page, *pair)
    text = " ".join(shown_in(page).split())
    assert "system.r_s - 2.0" in text and "second - first" not in text
    rows = list(csv.DictReader(io.StringIO(said("--csv", *pair))))
    assert [row["units"] for row in rows] == ["hartree"] * 2 and rows[1]["from_first"] == ""


def test_since_when_a_run_goes_on(runs, said, tmp_path):
    """A live run says when it was started, and a resumed one when it began too."""
    path = tmp_path / "live.h5"
    file = RunFile.open(runs["dot"][0])
    file.path = path
    file.attributes |= {"state": "running", "phase": "training 3/70"}
    file.attributes |= {"started": "2026-01-02T03:04:05+0000"}
    file.guard = lambda: None
    lock = RunLock(path)
    try:
        file.write()
        begun = "2026-01-02 03:04:05 UTC"
        assert re.search(rf", process \d+ since {begun}, \d+ days ago: training 3/70, ", said(path))
        file.attributes["resumed"] = "2026-02-03T04:05:06+0100"
        file.write()
        text = standing(RunFile.open(path)).text
        assert " since 2026-02-03 04:05:06+0100, " in text and f", begun {begun}: training" in text
        page = tmp_path / "page.html"
        said(path, "--html", page)
        assert text.split(", written")[0] in shown_in(page)
        (found,) = json.loads(said(path, "--json"))
        assert found["started"] == begun and found["since"] == "2026-02-03 04:05:06+0100"
    finally:
        lock.release()
