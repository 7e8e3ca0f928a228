"""Checkpoints: everything a run continues from, guarded by a SHA-256 over the whole file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from vmcnet.storage.atomic import FileProblem, keep, previous_path
from vmcnet.storage.sealed import check_schema, open_sealed, write_sealed

SCHEMA = 1


@dataclass
class Checkpoint:
    """arrays: name -> array (nested names with '/'); numbers: name -> int, float or text."""

    arrays: dict
    numbers: dict

    def group(self, name: str) -> dict:
        """The arrays whose names begin with `name`/, without it."""
        return {
            k.removeprefix(f"{name}/"): v
            for k, v in self.arrays.items()
            if k.startswith(f"{name}/")
        }


def checkpoint_path(run: Path, kind: str = "checkpoint") -> Path:
    """run.h5 -> run.checkpoint.h5 (training) or run.evaluation.h5 (an evaluation that has not
    ended).
    """
    return run.with_name(f"{run.stem}.{kind}{run.suffix}")


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write aside and rename; the checkpoint that was there becomes the previous one, and a
    complete one exists at any moment.
    """

    def write(file):
        file.attrs["schema"] = SCHEMA
        for name, value in checkpoint.numbers.items():
            file.attrs[name] = value
        for name, array in checkpoint.arrays.items():
            file.create_dataset(name, data=array)

    if path.exists():
        keep(path, previous_path(path))
    write_sealed(path, "checkpoint", write)


def read_checkpoint(path: Path) -> Checkpoint:
    """Raises FileProblem naming the file, and the previous checkpoint where there is one, unless
    every byte is as written.
    """
    previous = previous_path(path)
    offer = (
        f"; the previous checkpoint {previous} can be used with: vmcnet resume --previous"
        if previous.exists()
        else ""
    )
    if not path.exists():
        raise FileProblem(f"{path}: no such checkpoint{offer}")
    with open_sealed(path, "checkpoint", offer) as file:
        check_schema(path, "checkpoint", file, SCHEMA)
        arrays: dict = {}
        file.visititems(
            lambda name, item: (
                arrays.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None
            )
        )
        numbers = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in file.attrs.items()
        }
    return Checkpoint(arrays, numbers)
