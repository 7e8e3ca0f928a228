"""Data files to learn from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import numpy as np

from vmcnet.storage.atomic import FileProblem
from vmcnet.walkers import Walkers


def read_samples(path: Path, system) -> tuple[Walkers, str]:
    """Samples of all coordinates or labels of `system`, and the SHA-256 of the file.

    .npy, .txt or .csv: one sample a row; where spins move 0 and 1 stand for -1 and +1, or the
    numbers are -1 and 1; colours are whole
    numbers from 0; coordinates real, n d of them in the system's unit of length. .h5: the walkers
    of a checkpoint. Raises FileProblem.
    """
    path = Path(path)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if path.suffix == ".h5":
            with h5py.File(path, "r") as file:
                s = file["s"][()].reshape(-1, file["s"].shape[-1])
                rows = s if not system.dimensions else file["r"][()].reshape(len(s), -1)
        else:
            rows = (
                np.load(path)
                if path.suffix == ".npy"
                else np.loadtxt(path, delimiter="," if path.suffix == ".csv" else None, ndmin=2)
            )
    except OSError as error:
        raise FileProblem(
            f"{path}: cannot be read ({error}); data.file is a .npy, .txt or .csv of one sample a "
            "row, or a checkpoint"
        ) from error
    except (ValueError, KeyError) as error:
        raise FileProblem(f"{path}: no table of numbers and no checkpoint ({error})") from error
    width = system.particles * max(system.dimensions, 1)
    if (
        rows.ndim != 2
        or rows.shape[1] != width
        or not len(rows)
        or not np.isfinite(rows.astype(float)).all()
    ):
        raise FileProblem(
            f"{path}: has shape {rows.shape}; expected rows of {width} finite numbers, as "
            f"{system.describe()} has"
        )
    if system.dimensions:
        return Walkers(
            rows.reshape(len(rows), system.particles, system.dimensions).astype(float),
            system.labels(len(rows)),
        ), digest
    found = np.unique(rows)
    if system.moves == "spins" and np.isin(found, (0, 1)).all():
        rows, found = 2 * rows - 1, 2 * found - 1
    known = (-1, 1) if system.moves == "spins" else range(len(system.labels_of_site))
    if not np.isin(found, tuple(known)).all():
        raise FileProblem(
            f"{path}: holds {found[~np.isin(found, tuple(known))][0]:g}; expected 0 and 1, or -1 "
            "and 1, where spins move, colours from 0 otherwise"
        )
    return Walkers(np.zeros((len(rows), system.particles, 0)), rows.astype(np.int8)), digest
