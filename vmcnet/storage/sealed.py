"""HDF5 files guarded by the SHA-256 of all that follows a 512-byte user block: no flipped bit, no
missing byte stays unseen.

Made in memory and written in one go, so that HDF5 never meets a full disk; plain h5py opens them,
the user block is part of the format.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import h5py

from vmcnet.storage.atomic import FileProblem, replace_file

USERBLOCK = 512


def _seal(kind: str, body: bytes) -> bytes:
    return f"vmcnet {kind} sha256 {hashlib.sha256(body).hexdigest()}".encode().ljust(
        USERBLOCK, b"\0"
    )


def write_sealed(path: Path, kind: str, write) -> None:
    """write(h5py.File), then seal and replace `path`; raises FileProblem when the folder or disk
    refuses.
    """
    with h5py.File(
        path.name, "w", driver="core", backing_store=False, userblock_size=USERBLOCK, libver="v110"
    ) as file:
        write(file)
        file.flush()
        body = file.id.get_file_image()
    replace_file(path, _seal(kind, body), body)


def open_sealed(path: Path, kind: str, offer: str = "") -> h5py.File:
    """The h5py.File of bytes that were verified; raises FileProblem naming the file, with `offer`,
    unless every byte is as written.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileProblem(f"{path}: cannot be read ({error.strerror}){offer}") from error
    head, body = data[:USERBLOCK], data[USERBLOCK:]
    if head != _seal(kind, body):
        raise FileProblem(
            f"{path}: the {kind} is damaged or no {kind} of vmcnet (its SHA-256 does not "
            f"match){offer}"
        )
    return h5py.File(io.BytesIO(data), "r")


def check_schema(path: Path, kind: str, file, expected: int) -> None:
    """Raise FileProblem unless the file's attribute `schema` is `expected`."""
    if int(file.attrs["schema"]) != expected:
        raise FileProblem(
            f"{path}: {kind} schema {file.attrs['schema']}, this version reads {expected}: use the "
            "version that wrote it"
        )
