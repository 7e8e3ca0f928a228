"""Every form of a report tells what the file holds and what the terminal prints."""

import csv
import io
import json
import re
import resource
import shutil
from array import array
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.runs import JOB, vmcnet
from vmcnet.runs import figures
from vmcnet.statistics.format import with_error
from vmcnet.storage.paths import checkpoint_path, folder_of
from vmcnet.storage.run_file import RunFile

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def other(run, tmp_path_factory):
    """The small job at another trap frequency, without an evaluation."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "job.toml").write_text(JOB.replace("[[wave", "omega = 0.5\n[[wave", 1))
    path = folder / "other.h5"
    vmcnet("run", folder / "job.toml", "--output", path, "--set", "evaluation.steps=0")
    return path


def means(path):
    """Mean and error of energy and terms, from the walkers' moments in the file."""
    with h5py.File(path) as file:
        group = file["evaluation/0"]
        steps, half = len(group["energy"]), len(group["energy"]) // 2
        mean = (half * group["walker_mean"][0] + (steps - half) * group["walker_mean"][1]) / steps
        names = group.attrs["names"].split(",")
    return {
        n: (x.mean(), np.sqrt(x.var(ddof=1) / len(x))) for n, x in zip(names, mean, strict=True)
    }


def test_json(run):
    (found,) = json.loads(vmcnet("report", run, "--json").stdout)
    estimates = found["evaluations"][0]["estimates"]
    for name, (mean, error) in means(run).items():
        assert estimates[name]["mean"] == pytest.approx(mean, rel=1e-13)
        assert estimates[name]["error"] == pytest.approx(error, rel=1e-11)
    assert found["state"] == "done" and found["training"]["iterations"] == 12
    with h5py.File(run) as file:
        assert found["training"]["last"]["energy"] == file["training/energy"][-1]
        assert found["job"] == file.attrs["job"]


def test_csv_and_table(run, other):
    rows = list(csv.DictReader(io.StringIO(vmcnet("report", run, other, "--csv").stdout)))
    assert [float(row["system.omega"]) for row in rows] == [1.0, 0.5]
    assert float(rows[0]["energy"]) == pytest.approx(means(run)["energy"][0], rel=1e-13)
    assert rows[1]["energy"] == ""
    lines = vmcnet("report", run, other, "--table").stdout.splitlines()
    assert lines[0].split()[:4] == ["run", "system.omega", "evaluation.steps", "energy"]
    assert with_error(*means(run)["energy"]) in lines[1] and " - " in lines[2]


def test_the_difference_of_two_runs(run, tmp_path):
    shutil.copy(run, tmp_path / "copy.h5")
    last = vmcnet("report", run, tmp_path / "copy.h5", "--table").stdout.splitlines()[-1]
    assert last.startswith("second - first: 0.0") and last.endswith(", +0.0 sigma")


def test_powers_of_ten_stand_with_the_units():
    plt = figures._pyplot()
    with plt.rc_context(figures.STYLE):
        figure, axis = plt.subplots()
        axis.plot([1.0, 2.0], [1e-5, 3e-5])
        axis.set(ylabel="energy / electron (hartree)")
        figures._saved(figure, "svg")
        plt.close(figure)
    assert axis.get_ylabel() == "energy / electron (10\u207b\u2075 hartree)"
    assert not axis.yaxis.get_offset_text().get_visible()


def test_all_files_of_a_folder(run):
    """Checkpoints among them are left out; a damaged file is named after all others."""
    bad = run.with_name("bad.h5")
    bad.write_bytes(b"no run")
    done = vmcnet("report", bad, run, checkpoint_path(run), check=False)
    bad.unlink()
    assert done.returncode == 2 and "evaluation 0" in done.stdout
    assert "left out, no runs of their own" in done.stderr
    assert "checkpoint.h5: the run file is damaged" not in done.stderr
    assert f"vmcnet: {bad}: the run file is damaged or no run file" in done.stderr
    done = vmcnet("report", run, folder_of(run))
    assert "evaluation 0" in done.stdout and f"{folder_of(run).name}\n" in done.stderr


def test_nothing_to_report_makes_nothing(run, tmp_path):
    page = tmp_path / "page.html"
    done = vmcnet("report", tmp_path / "none.h5", "--html", page, "--csv", check=False)
    assert done.returncode == 2 and not done.stdout and not page.exists()
    done = vmcnet("report", run.with_name("job.toml"), check=False)
    assert "job.toml: is a job file, no run file: vmcnet run" in done.stderr


def test_the_page(run, other, tmp_path):
    page = tmp_path / "page.html"
    done = vmcnet("report", run, other, "--html", page)
    assert done.stdout.strip() == str(page)
    text = page.read_text()
    for mean, error in means(run).values():
        assert f"<td>{with_error(mean, error)}</td>" in text
    assert "2 runs" in text and "system.omega" in text and "No evaluation yet" in text
    assert text.count("<svg") >= 12 and "<script" not in text
    assert not re.search(r"(src|srcset|action)=|@import|url\((?!#)", text)
    targets = set(re.findall(r'href="([^"]*)"', text))
    assert all(t.startswith(("#", "data:,")) for t in targets), targets
    names = re.findall(r' id="([^"]+)"', text)
    assert len(names) == len(set(names)), "two elements of one name"
    assert {t[1:] for t in targets if t.startswith("#")} <= set(names)


def test_units_of_observables(run, tmp_path):
    """Lengths have the system's unit, its power the dimensions; one unit for every component."""
    path, page = tmp_path / "own.h5", tmp_path / "page.html"
    observables = [x for name in ("radius", "density") for x in ("--observable", name)]
    vmcnet("evaluate", run, "--steps", "4", "--quiet", "--output", path, *observables)
    shown = vmcnet("report", path).stdout
    assert re.search(r"radius r  \S+ bohr  ", shown)
    assert re.search(r"radius r\^2  \S+ bohr\^2  ", shown)
    assert re.search(r"density n\(\S+\)  \S+ 1/bohr\^2  ", shown)
    vmcnet("report", path, "--html", page)
    cells = re.findall(r"<td>([^<]*)</td>", page.read_text())
    assert [c for c in cells if c.startswith("radius")] == ["radius r", "radius r\u00b2"]
    value = re.search(r"radius r\^2  (\S+)", shown)[1]
    assert f"{value} bohr\u00b2" in cells
    assert any(re.fullmatch(r"density n\(\S+\), of 50 components", c) for c in cells)
    assert "density (1/bohr\u00b2)" in page.read_text() and "r (bohr)" in page.read_text()


def test_figures(run, tmp_path):
    made = vmcnet("report", run, "--plot", tmp_path / "figures").stdout.split()
    kinds = {name.rsplit(".", 1)[1] for name in made}
    assert kinds == {"png", "svg"} and len(made) >= 14
    for name in made:
        data = Path(name).read_bytes()
        assert len(data) > 2000 and data.startswith((b"\x89PNG", b"<?xml"))


def test_a_terminal_says_the_same_as_the_table(run):
    shown = vmcnet("report", run).stdout
    for name, (mean, error) in means(run).items():
        assert re.search(rf"{name} +{re.escape(with_error(mean, error))} ", shown), name


@pytest.mark.verify
def test_a_file_of_many_iterations_is_read_soon(run, tmp_path):
    """100 000 iterations: 2 CPU seconds for the terminal, 6 for the page."""
    path = tmp_path / "long.h5"
    shutil.copy(run, path)
    file, count = RunFile.open(path), 100_000
    for name, series in file.training.items():
        file.training[name] = array("d", np.resize(np.asarray(series), count))
    file.attributes["job"] = file.attributes["job"].replace(
        "iterations = 12", "iterations = 100000"
    )
    file.write()
    for most, more in ((2.0, ()), (6.0, ("--html", tmp_path / "page.html"))):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        vmcnet("report", path, *more)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = sum(getattr(after, k) - getattr(before, k) for k in ("ru_utime", "ru_stime"))
        assert spent < most, spent
