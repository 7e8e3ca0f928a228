"""Whatever is stored is read back to the bit."""

import tempfile
from array import array
from pathlib import Path

import h5py
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from vmcnet.storage.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from vmcnet.storage.run_file import RunFile

words = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=8)
paths = st.lists(words, min_size=2, max_size=2).map(lambda parts: "a" + parts[0] + "/" + parts[1])
content = st.sampled_from([np.float64, np.float32, np.int64, np.int8, np.complex128]).flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
)
numbers = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=6).map("k_".__add__),
    st.one_of(st.integers(0, 2**63 - 1), st.floats(), st.text("abc,xyz 0", min_size=1)),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(paths, content, max_size=5), numbers)
def test_checkpoints(stored, attributes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.checkpoint.h5"
        write_checkpoint(path, Checkpoint(stored, attributes))
        found = read_checkpoint(path)
        with h5py.File(path) as file:
            assert int(file.attrs["schema"]) == 1, "plain h5py opens it"
    assert set(found.arrays) == set(stored)
    for name, value in stored.items():
        assert (
            found.arrays[name].tobytes() == value.tobytes()
            and found.arrays[name].shape == value.shape
            and found.arrays[name].dtype == value.dtype
        )
    assert found.numbers.pop("schema") == 1 and set(found.numbers) == set(attributes)
    for name, value in attributes.items():
        assert (
            type(found.numbers[name]) is type(value)
            and np.array(found.numbers[name]).tobytes() == np.array(value).tobytes()
        )


@settings(max_examples=40, deadline=None)
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(0, 30), st.just(2)),
        elements=st.floats(allow_nan=False, allow_infinity=False),
    ),
    st.integers(0, 30),
    st.lists(st.integers(0, 100), max_size=4),
)
def test_run_files(series, kept, reached):
    known = {"schema": 1, "run": "abc", "job": "x = 1\n", "seed": 1, "ranks": 2}
    terms = np.stack([series, series])  # (2, T, 2): moments of T walkers and two quantities
    with tempfile.TemporaryDirectory() as folder:
        file = RunFile(Path(folder) / "run.h5", known)
        file.parameters["theta"] = np.zeros(2)
        for energy, variance in series:
            row = dict.fromkeys(("error", "acceptance", "seconds", "communication"), 0.5)
            file.append({"energy": energy, "terms/kinetic": variance, **row})
        for name in ("reached", "back_to", "scale") if reached else ():
            file.rollbacks[name] = list(reached)
        if len(series) > 1:
            file.evaluations[3] = {
                **dict.fromkeys(("energy", "acceptance", "terms/kinetic"), series[:, 0]),
                "variance": series[:, 1],
                "walker_mean": np.moveaxis(terms, 2, 1),
                "walker_m2": np.moveaxis(terms, 2, 1),
                "walker_acceptance": series[:, 0],
                "attributes": {
                    **dict.fromkeys(("steps", "interval", "warmup", "iteration"), 7),
                    "names": "energy,kinetic",
                },
            }
        file.write()
        found = RunFile.open(file.path)
    assert (
        found.rows == len(series)
        and found.rollbacks.get("reached", []) == reached
        and found.attributes == file.attributes
    )
    if len(series):
        assert (
            array("d", found.training["terms/kinetic"]).tobytes()
            == np.ascontiguousarray(series[:, 1]).tobytes()
        )
    if len(series) > 1:
        assert (
            found.evaluations[3]["walker_mean"].tobytes()
            == np.ascontiguousarray(np.moveaxis(terms, 2, 1)).tobytes()
            and found.evaluations[3]["attributes"]["steps"] == 7
        )
    if kept <= len(series):
        found.cut(kept, 1)
        assert (
            found.rows == (kept if len(series) else 0)
            and found.rollbacks.get("reached", []) == reached[:1]
        )
