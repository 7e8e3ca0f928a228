"""Checkpoints: everything a run continues from, guarded by a SHA-256 over the whole file."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from vmcnet.storage.atomic import FileProblem, replace_file, sync_folder

SCHEMA = 1
USERBLOCK = 512
MAGIC = b"vmcnet checkpoint sha256 "


@dataclass
class Checkpoint:
    """arrays: name -> array (nested names with '/'); numbers: name -> int, float or text."""

    arrays: dict
    numbers: dict


def checkpoint_path(run: Path, kind: str = "checkpoint") -> Path:
    """run.h5 -> run.checkpoint.h5 (training) or run.evaluation.h5 (an evaluation that has not ended)."""
    return run.with_name(f"{run.stem}.{kind}{run.suffix}")


def previous_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def _digest(handle) -> bytes:
    handle.seek(USERBLOCK)
    sha = hashlib.sha256()
    for chunk in iter(lambda: handle.read(1 << 20), b""):
        sha.update(chunk)
    return sha.hexdigest().encode()


def _seal(path: Path) -> None:
    with open(path, "r+b") as handle:
        text = MAGIC + _digest(handle)
        handle.seek(0)
        handle.write(text + b"\0" * (USERBLOCK - len(text)))


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write aside and rename; the checkpoint that was there becomes the previous one, and a complete one exists at any moment."""

    def write(file):
        file.attrs["schema"] = SCHEMA
        for name, value in checkpoint.numbers.items():
            file.attrs[name] = value
        for name, array in checkpoint.arrays.items():
            file.create_dataset(name, data=array)

    if path.exists():
        link = path.with_name(path.name + ".link")
        try:
            link.unlink(missing_ok=True)
            os.link(path, link)
            os.replace(link, previous_path(path))
            sync_folder(path.parent)
        except OSError as error:
            raise FileProblem(f"{path}: the previous checkpoint cannot be kept ({error})") from error
    replace_file(path, write, finish=_seal, userblock=USERBLOCK)


def read_checkpoint(path: Path) -> Checkpoint:
    """Raises FileProblem naming the file, and the previous checkpoint where there is one, unless every byte is as written."""
    previous = previous_path(path)
    offer = f"; the previous checkpoint {previous} can be used with: vmcnet resume --previous" if previous.exists() else ""
    if not path.exists():
        raise FileProblem(f"{path}: no such checkpoint{offer}")
    try:
        with open(path, "rb") as handle:
            head = handle.read(USERBLOCK)
            expected = MAGIC + _digest(handle)
    except OSError as error:
        raise FileProblem(f"{path}: cannot be read ({error}){offer}") from error
    if head != expected + b"\0" * (USERBLOCK - len(expected)):
        raise FileProblem(f"{path}: the checkpoint is damaged or no checkpoint (its SHA-256 does not match){offer}")
    with h5py.File(path, "r") as file:
        if int(file.attrs["schema"]) != SCHEMA:
            raise FileProblem(f"{path}: checkpoint schema {file.attrs['schema']}, this version reads {SCHEMA}: use the version that wrote it")
        arrays: dict = {}
        file.visititems(lambda name, item: arrays.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None)
        numbers = {name: value.item() if isinstance(value, np.generic) else value for name, value in file.attrs.items()}
    return Checkpoint(arrays, numbers)
