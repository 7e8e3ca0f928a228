"""docs/run-file.md says what run files hold: all datasets of three runs are on its list."""

import re

import h5py
import pytest

from tests.runs import JOB, ROOT, vmcnet
from vmcnet.storage import layout

pytestmark = pytest.mark.processes
LATTICE = """
name = "chain"
seed = 2
[system]
type = "transverse_ising"
extent = [6]
[[wavefunction]]
type = "binary_rbm"
[sampling]
proposal = "spin_flip"
walkers = 32
block = 8
warmup = 2
[natural_gradient]
type = "sr_cg"
[training]
iterations = 3
[evaluation]
steps = 6
warmup = 1
"""


@pytest.fixture(scope="module")
def files(run, tmp_path_factory):
    """The small job, one that went back once, and a lattice with a natural gradient."""
    folder = tmp_path_factory.mktemp("layout")
    (folder / "lattice.toml").write_text(LATTICE)
    (folder / "wild.toml").write_text(JOB.replace("[training]", "[training]\ndivergence = 0.1"))
    vmcnet("run", folder / "lattice.toml", "--output", folder / "lattice.h5")
    vmcnet("run", folder / "wild.toml", "--output", folder / "wild.h5", check=False)
    return [run, folder / "lattice.h5", folder / "wild.h5"]


def test_every_dataset_is_on_the_list(files):
    met = set()
    for path in files:
        with h5py.File(path) as file:
            datasets = {}
            file.visititems(
                lambda name, item, into=datasets: (
                    into.__setitem__(name, item) if isinstance(item, h5py.Dataset) else None
                )
            )
            sizes = {}
            for name, item in datasets.items():
                entry = layout.entry_of(name)
                assert entry is not None, f"{name}: give it an entry in storage/layout.py"
                met.add(entry.name)
                assert item.attrs["meaning"] == entry.meaning and "unit" in item.attrs, name
                if entry.shape == "any":
                    continue
                letters = entry.shape.split(", ")
                assert len(letters) == item.ndim, name
                for letter, length in zip(letters, item.shape, strict=True):
                    if letter in layout.LETTERS:
                        group = name.rsplit("/", 1)[0] if letter in "KDBL" else ""
                        group = name.split("/")[1] if letter in "MWG" and not group else group
                        key = ("W" if letter == "G" else letter, group)
                        assert sizes.setdefault(key, length) == length, (name, letter)
            documented = {name for name, _ in layout.ATTRIBUTES}
            for name in file.attrs:
                assert name in documented or name.startswith("condition_"), name
            for number in file.get("evaluation", ()):
                found = set(file[f"evaluation/{number}"].attrs)
                assert found == {n for n, _ in layout.OF_EVALUATIONS}
    assert {e.name for e in layout.DATASETS} - met <= {
        "evaluation/*/observables/*/shown",
        "evaluation/*/observables/*/derived",
        "evaluation/*/observables/*/derived_labels",
        "evaluation/*/observables/*/grid/*",
        "training/exchange_acceptance",
        "evaluation/*/exchange_acceptance",
    }


def test_units_are_words_of_the_system(files):
    with h5py.File(files[0]) as file:
        assert file.attrs["units"] == "hartree"
        assert file["training/energy"].attrs["unit"] == "hartree"
        assert file["training/variance"].attrs["unit"] == "hartree^2"


def test_the_example_of_the_page(run, monkeypatch, capsys):
    page = (ROOT / "docs" / "run-file.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(code.splitlines()) <= 20
    exec(code.replace("runs/quantum_dot_2.h5", str(run)), {})
    said = capsys.readouterr().out
    with h5py.File(run) as file:
        mean = file["evaluation/0/walker_mean"][:, 0].mean(axis=0)
    assert said.startswith("done hartree") and f"energy {mean.mean()}"[:14] in said
