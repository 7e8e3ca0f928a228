"""Data files of every common kind are read alike; each bad one is refused by row and column, in one
line, before it asks for memory.
"""

import struct

import h5py
import numpy as np
import pytest

from tests.config.test_malformed import call
from tests.runs import JOB
from vmcnet.storage.atomic import FileProblem
from vmcnet.storage.checkpoint import Checkpoint, write_checkpoint
from vmcnet.storage.samples import read_samples
from vmcnet.systems import ClassicalIsing, Potts, TrappedBosons

BITS = np.array([[0, 1, 1, 0, 0, 1, 1, 1, 0], [1] * 9, [0] * 9])
ISING, BOSONS = ClassicalIsing([3, 3], 2.0), TrappedBosons(2, 1.0, 2)


def text(table, separator=" ", shown=str):
    return "".join(separator.join(shown(x) for x in row) + "\n" for row in table)


def good(folder):
    """The same three samples in every form."""
    for dtype in (
        bool,
        np.uint8,
        np.uint16,
        np.int8,
        np.int64,
        np.float16,
        np.float32,
        ">f8",
        "U1",
    ):
        yield f"{np.dtype(dtype).name}.npy", BITS.astype(dtype)
    yield "images.npy", BITS.reshape(3, 3, 3).astype(np.uint8)
    yield "bytes.npy", BITS.astype("S3")
    yield "columns.npy", np.asfortranarray(BITS)
    yield "signs.npy", 2.0 * BITS - 1
    yield "blanks.txt", text(BITS)
    yield "CAPITALS.TXT", "# made by hand\n\n" + text(2 * BITS - 1, "\t")
    yield "marked.csv", "\ufeff" + text(BITS, ",")
    yield "quoted.csv", text(BITS, ", ", lambda x: f'"{x}"')
    yield "windows.csv", text(BITS, ",").replace("\n", "\r\n")


def write(path, content):
    if isinstance(content, np.ndarray):
        np.save(path, content)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_every_common_kind(tmp_path):
    for name, content in good(tmp_path):
        write(tmp_path / name, content)
        found, digest = read_samples(tmp_path / name, ISING)
        np.testing.assert_array_equal(found.s, 2 * BITS - 1, err_msg=name)
        assert found.s.dtype == np.int8 and found.r.shape == (3, 9, 0) and len(digest) == 64
    np.save(tmp_path / "colours.npy", np.array([[2, 1, 0] * 3]))
    assert (
        read_samples(tmp_path / "colours.npy", Potts([3, 3], 3))[0].s[0].tolist() == [2, 1, 0] * 3
    )
    r = np.arange(16.0).reshape(2, 2, 2, 2)
    write_checkpoint(
        tmp_path / "walkers.h5", Checkpoint({"r": r, "s": np.zeros((2, 2, 2), np.int8)}, {})
    )
    for name, rows in (("flat", r.reshape(4, 4)), ("particles", r.reshape(4, 2, 2))):
        np.save(tmp_path / f"{name}.npy", rows)
    for name in ("walkers.h5", "flat.npy", "particles.npy"):
        np.testing.assert_array_equal(
            read_samples(tmp_path / name, BOSONS)[0].r, r.reshape(4, 2, 2)
        )


def header(shape, dtype="<f8"):
    """A .npy file that ends with its header."""
    words = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words


def changed(row, column, value, dtype=float):
    table = BITS.astype(dtype)
    table[row, column] = value
    return table


BAD = {
    "nan.npy": (changed(1, 3, np.nan), "row 2, column 4 is nan; expected finite numbers"),
    "inf.npy": (changed(2, 8, -np.inf), "row 3, column 9 is -inf"),
    "three.npy": (changed(0, 1, 3, np.uint8), "row 1, column 2 is 3; expected 0 and 1"),
    "grey.npy": (255 * BITS.astype(np.uint8), "row 1, column 2 is 255; expected 0 and 1"),
    "half.npy": (changed(1, 0, 0.5), "row 2, column 1 is 0.5"),
    "mixed.npy": (changed(1, 0, -1), "row 1, column 1 is 0.0; expected 0 and 1, or -1 and 1"),
    "complex.npy": (BITS + 0j, "holds complex numbers; expected real numbers"),
    "dates.npy": (BITS.astype("M8[D]"), "holds dates"),
    "times.npy": (BITS.astype("m8[s]"), "holds times"),
    "objects.npy": (BITS.astype(object), "holds Python objects"),
    "records.npy": (np.zeros(3, [("x", float)]), "holds records"),
    "words.npy": (np.array([["0"] * 9, ["1"] * 8 + ["up"]]), "row 2, column 9 is 'up'"),
    "width.npy": (BITS[:, :8], "has shape (3, 8); expected rows of 9"),
    "flat.npy": (BITS.ravel(), "has shape (27,)"),
    "scalar.npy": (np.array(1.0), "has shape ()"),
    "none.npy": (BITS[:0], "has shape (0, 9)"),
    "huge.npy": (header("(1000000000, 9)"), "more than the file's"),
    "cut.npy": (header("(3, 9)") + bytes(215), "more than the file's"),
    "negative.npy": (header("(-3, -9)") + bytes(216), "more than the file's"),
    "long.npy": (header("(" + "1," * 40 + ")") + bytes(8), ""),
    "deep.npy": (header("(" * 3000 + ")" * 3000), "its header"),
    "evil.npy": (header("(3, 9)", "O") + b"cos\nsystem\n", "holds Python objects"),
    "empty.npy": (b"", "no .npy file"),
    "plain.npy": (text(BITS), "no .npy file"),
    "zip.npy": (b"PK\x03\x04" + bytes(100), "a zip archive (.npz), no .npy"),
    "empty.csv": ("", "has shape"),
    "binary.csv": (b"\xff\xfe\x00\x01", "no UTF-8 text (byte 1)"),
    "zeros.txt": (bytes(1000), "row 1, column 1"),
    "names.csv": ("a,b,c\n1,0,1\n", "row 1, column 1 (line 1) is 'a'; expected a number"),
    "semicolons.csv": (text(BITS, ";"), "row 1, column 1 (line 1) is '0;1;1"),
    "ragged.csv": (text(BITS, ",") + "1,0\n", "row 4 (line 4) has 2 numbers, the rows before 9"),
    "gap.csv": (text(BITS, ",").replace("0,1,1", "0,,1"), "row 1, column 2 (line 1) is ''"),
    "complex.txt": (text(BITS).replace("1 1 1 0", "1 1+2j 1 0"), "column 7 (line 1) is '1+2j'"),
    "nan.txt": (text(BITS).replace("1 1 1 0", "1 nan 1 0"), "row 1, column 7 is nan"),
    "large.txt": (text(BITS).replace("1 1 1 0", "1 1e999 1 0"), "row 1, column 7 is inf"),
    "text.h5": ("no HDF5", "no checkpoint of vmcnet"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_ones_by_row_and_column(tmp_path, name):
    content, words = BAD[name]
    if name == "objects.npy":
        np.save(tmp_path / name, content, allow_pickle=True)
    else:
        write(tmp_path / name, content)
    with pytest.raises(FileProblem) as refused:
        read_samples(tmp_path / name, ISING)
    assert str(tmp_path / name) in str(refused.value) and words in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_coordinates_and_checkpoints(tmp_path):
    np.save(tmp_path / "far.npy", np.array([[0, 0, 0, 0], [0, 1e200, 0, 0]]))
    with pytest.raises(
        FileProblem, match=r"row 2, column 2 is 1e\+200; expected coordinates below"
    ):
        read_samples(tmp_path / "far.npy", BOSONS)
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file.create_dataset("s", (10**9, 9), "i1", chunks=(1000, 9), compression="gzip")
    write_checkpoint(tmp_path / "theta.h5", Checkpoint({"theta": np.zeros(3)}, {}))
    write_checkpoint(tmp_path / "scalar.h5", Checkpoint({"s": np.array(1.0)}, {}))
    for name, words in (
        ("plain.h5", "no checkpoint of vmcnet"),
        ("theta.h5", "holds no walkers"),
        ("scalar.h5", "has shape"),
        (".", "no regular file"),
        ("x" * 300 + ".npy", "File name too long"),
    ):
        with pytest.raises(FileProblem, match=words):
            read_samples(tmp_path / name, ISING)


LEARN = """
name = "learn"
seed = 3
[system]
type = "classical_ising"
extent = [3, 3]
temperature = 2.5
[[wavefunction]]
type = "binary_rbm"
[sampling]
walkers = 16
block = 8
proposal = "spin_flip"
[training]
iterations = 4
[data]
file = "samples.npy"
[evaluation]
steps = 0
"""


@pytest.mark.processes
def test_a_relative_path_is_that_of_the_job_file(tmp_path, capsys, monkeypatch):
    """Run, resumed and evaluated from three folders; evaluated without the data; checked before."""
    for name in ("job", "here", "there"):
        (tmp_path / name).mkdir()
    job, run = tmp_path / "job" / "job.toml", tmp_path / "here" / "run.h5"
    job.write_text(LEARN)
    monkeypatch.chdir(tmp_path / "here")
    for command in (("check", "../job/job.toml"), ("run", "../job/job.toml", "--output", run)):
        code, out, err = call(capsys, *command)
        assert code == 2 and out == "" and err.count("\n") == 1 and "samples.npy: no such" in err
    assert not run.exists()
    np.save(tmp_path / "job" / "samples.npy", BITS)
    assert "data: 3 samples" in call(capsys, "check", "../job/job.toml")[1]
    assert call(capsys, "run", "../job/job.toml", "--output", run)[0] == 0
    monkeypatch.chdir(tmp_path / "there")
    assert call(capsys, "resume", run, "--set", "training.iterations=6")[0] == 0
    moved = tmp_path / "there" / "moved.npy"
    (tmp_path / "job" / "samples.npy").rename(moved)
    assert call(capsys, "evaluate", run, "--steps", "10")[0] == 0
    code, _, err = call(capsys, "resume", run, "--set", "training.iterations=8")
    assert code == 2 and "samples.npy: no such file" in err
    more = ("--set", "training.iterations=8", "--set", "data.file=moved.npy")
    assert call(capsys, "resume", run, *more)[0] == 0
    np.save(moved, 1 - BITS)
    code, _, err = call(capsys, "resume", run, "--set", "training.iterations=9")
    assert code == 2 and "not the samples that this run began with" in err


@pytest.mark.processes
def test_a_job_without_data_gets_none_at_resume(tmp_path, capsys):
    (tmp_path / "job.toml").write_text(JOB)
    code, _, err = call(capsys, "run", tmp_path / "job.toml", "--output", tmp_path / "run.h5")
    assert code == 0, err
    code, _, err = call(capsys, "resume", tmp_path / "run.h5", "--set", "data.file=x.npy")
    assert code == 2 and "data may not change at resume" in err
