"""Data files to learn from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from vmcnet.storage.atomic import FileProblem
from vmcnet.storage.checkpoint import read_checkpoint
from vmcnet.storage.tables import read_npy, read_text
from vmcnet.walkers import Walkers

FARTHEST = 1e6  # of a coordinate, in units of the system's length: beyond lies no sample of a psi


def read_samples(path: Path, system: Any) -> tuple[Walkers, str]:
    """Samples of all coordinates or labels of `system`, and the SHA-256 of the file.

    .npy, .txt or .csv: one sample a row, all numbers of a sample in the axes after the first; where
    spins move 0 and 1 stand for -1 and +1, or the numbers are -1 and 1; colours are whole numbers
    from 0; coordinates real, n d of them in the system's unit of length. .h5: the walkers of a
    checkpoint. Raises FileProblem that names the row and column, both counted from 1.
    """
    path = Path(path)
    try:
        size = _size(path)
        with open(path, "rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        suffix = path.suffix.lower()
        if suffix in (".h5", ".hdf5"):
            table = _walkers(path, system)
        elif suffix == ".npy":
            table = read_npy(path, size)
        else:
            table = read_text(path, "," if suffix == ".csv" else None)
    except OSError as error:
        raise FileProblem(
            f"{path}: cannot be read ({error.strerror or error}); data.file is a .npy, .txt or "
            ".csv of one sample a row, or a checkpoint"
        ) from error
    except MemoryError as error:
        raise FileProblem(f"{path}: does not fit into the memory that is free") from error
    width = system.particles * max(system.dimensions, 1)
    if not table.ndim or not len(table) or table.size != len(table) * width:
        raise FileProblem(
            f"{path}: has shape {table.shape}; expected rows of {width} finite numbers, as "
            f"{system.describe()} has"
        )
    table = table.reshape(len(table), width)
    return _checked(path, table, system), digest


def _size(path: Path) -> int:
    if not path.exists():
        raise FileProblem(f"{path}: no such file; data.file is relative to the job file's folder")
    if not path.is_file():
        raise FileProblem(f"{path}: no regular file; data.file is a .npy, .txt, .csv or checkpoint")
    return os.stat(path).st_size


def _walkers(path: Path, system: Any) -> np.ndarray:
    """The walkers of a checkpoint as rows."""
    arrays = read_checkpoint(path).arrays
    if "s" not in arrays or (system.dimensions and "r" not in arrays):
        raise FileProblem(f"{path}: holds no walkers")
    s = arrays["s"]
    if not system.dimensions:
        return s.reshape(-1, s.shape[-1]) if s.ndim else s
    r = arrays["r"]
    return r.reshape(-1, *r.shape[-2:]) if r.ndim > 2 else r


def _checked(path: Path, table: np.ndarray, system: Any) -> Walkers:
    if table.dtype.kind not in "biuf":
        raise FileProblem(f"{path}: holds {table.dtype}; expected real numbers")

    def refuse(bad: np.ndarray, expected: str) -> None:
        if bad.any():
            row, column = (int(k[0]) for k in np.nonzero(bad))
            raise FileProblem(
                f"{path}: row {row + 1}, column {column + 1} is {table[row, column]}; expected "
                f"{expected}"
            )

    if system.dimensions:
        numbers = table.astype(float)
        farthest = FARTHEST * system.length
        refuse(~np.isfinite(numbers), "finite numbers")
        refuse(np.abs(numbers) > farthest, f"coordinates below {farthest:g}")
        shape = (len(table), system.particles, system.dimensions)
        return Walkers(numbers.reshape(shape), system.labels(len(table)))
    if table.dtype.kind == "f":
        refuse(~np.isfinite(table), "finite numbers")
    if system.moves == "spins":
        bits = not (table < 0).any() if table.dtype.kind not in "bu" else True
        known = (0, 1) if bits else (-1, 1)
        refuse(~np.isin(table, known), "0 and 1, or -1 and 1, where spins move")
        labels = 2 * table.astype(np.int8) - 1 if bits else table.astype(np.int8)
    else:
        colours = len(system.labels_of_site)
        refuse(~np.isin(table, range(colours)), f"colours from 0 to {colours - 1}")
        labels = table.astype(np.int8)
    return Walkers(np.zeros((len(table), system.particles, 0)), labels)
