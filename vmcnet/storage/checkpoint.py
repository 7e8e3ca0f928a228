"""Checkpoints: everything a run continues from, guarded by a SHA-256 over the whole file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vmcnet.storage.atomic import FileProblem, keep
from vmcnet.storage.paths import previous_path
from vmcnet.storage.sealed import read_sealed, write_sealed
from vmcnet.storage.tree import Schema

SCHEMA = 1


@dataclass
class Checkpoint:
    """arrays: name -> array (nested names with '/'); numbers: name -> int, float or text."""

    arrays: dict[str, np.ndarray]
    numbers: dict[str, Any]

    def group(self, name: str) -> dict[str, np.ndarray]:
        """The arrays whose names begin with `name`/, without it."""
        return {
            k.removeprefix(f"{name}/"): v
            for k, v in self.arrays.items()
            if k.startswith(f"{name}/")
        }


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write aside and rename; the checkpoint that was there becomes the previous one, and a
    complete one exists at any moment.
    """

    def write(file: h5py.File) -> None:
        file.attrs["schema"] = SCHEMA
        for name, value in checkpoint.numbers.items():
            file.attrs[name] = value
        for name, array in checkpoint.arrays.items():
            file.create_dataset(name, data=array)

    if path.exists():
        keep(path, previous_path(path))
    write_sealed(path, "checkpoint", write)


def read_checkpoint(path: Path, content: str = "") -> Checkpoint:
    """Raises FileProblem naming the file, and the previous checkpoint where there is one, unless
    every byte is as written; with content = "training" or "evaluation" also unless it holds all
    that such a checkpoint must.
    """
    previous = previous_path(path)
    offer = (
        f"; the previous checkpoint {previous} can be used with: vmcnet resume --previous"
        if previous.exists()
        else ""
    )
    if not path.exists():
        raise FileProblem(f"{path}: no such checkpoint{offer}")
    tree = read_sealed(path, "checkpoint", SCHEMA, offer)
    if content:
        _check(Schema(path, f"checkpoint of {content}", tree), content)
    return Checkpoint(tree.arrays, tree.attributes[""])


NUMBERS = {
    "training": ("warmed", "iteration", "rollbacks", "good"),
    "evaluation": ("number", "warmed", "done", "tried", "steps", "interval", "warmup"),
}


def _check(schema: Schema, content: str) -> None:
    schema.attributes("", run=str, step_size=float, **dict.fromkeys(NUMBERS[content], int))
    numbers = schema.tree.attributes[""]
    for name in NUMBERS[content]:
        if not 0 <= numbers[name] < 2**53:
            schema.refuse(f"attribute {name} is {numbers[name]}")
    if not 0 < numbers["step_size"] < float("inf"):
        schema.refuse(f"attribute step_size is {numbers['step_size']}")
    schema.array("theta", "f", None)
    blocks, block, n = schema.array("s", "i", None, None, None).shape
    schema.array("r", "f", blocks, block, n, None)
    if content == "evaluation":
        schema.array("accepted", "i", blocks, block)
        if "tail" in schema.tree.arrays:  # not in version 0.1
            schema.attributes("", centre=float, observables=str)
        length = schema.series("series", schema.tree.group("series"), rank=None)
        if (length or 0) != numbers["done"] or numbers["done"] > numbers["steps"]:
            schema.refuse(
                f"{length or 0} rows of series, attribute done is {numbers['done']}, "
                f"steps {numbers['steps']}"
            )
    else:
        trends = [k for k in numbers if k.startswith("trend_")]
        schema.attributes("", **dict.fromkeys(trends, float))
