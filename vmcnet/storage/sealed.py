"""HDF5 files guarded by the SHA-256 of all that follows a 512-byte user block: no flipped bit, no
missing byte stays unseen.

Made in memory and written in one go, so that HDF5 never meets a full disk; plain h5py opens them,
the user block is part of the format.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path

import h5py

from vmcnet.storage.atomic import FileProblem, replace_file
from vmcnet.storage.paths import run_of
from vmcnet.storage.tree import Tree, read_tree

USERBLOCK = 512
SIGNATURE = b"\x89HDF\r\n\x1a\n\x03"  # and the superblock's version: all metadata have checksums


def _seal(kind: str, body: bytes) -> bytes:
    return f"vmcnet {kind} sha256 {hashlib.sha256(body).hexdigest()}".encode().ljust(
        USERBLOCK, b"\0"
    )


def write_sealed(
    path: Path, kind: str, write: Callable[[h5py.File], None], aside: Path | None = None
) -> None:
    """write(h5py.File), then seal and replace `path` from `aside`; raises FileProblem when the
    folder or disk refuses.
    """
    with h5py.File(
        path.name, "w", driver="core", backing_store=False, userblock_size=USERBLOCK, libver="v110"
    ) as file:
        write(file)
        file.flush()
        body = file.id.get_file_image()
    replace_file(path, _seal(kind, body), body, aside=aside)


def kind_of(path: Path) -> str:
    """What vmcnet's user block says that a file is: run file, checkpoint; "" for any other file.
    Nothing beyond the block is read.
    """
    try:
        if not path.is_file():  # a pipe or a device would wait or never end
            return ""
        with open(path, "rb") as handle:
            head = handle.read(USERBLOCK)
    except OSError:
        return ""
    found = re.match(rb"vmcnet (run file|checkpoint) sha256 [0-9a-f]{64}\0", head)
    return found[1].decode() if found and len(head) == USERBLOCK else ""


def read_sealed(path: Path, kind: str, schema: int, offer: str = "") -> Tree:
    """The content of a file whose every byte is as written; raises FileProblem naming the file,
    with `offer`, otherwise, and where it holds what vmcnet does not write.
    """
    try:
        if path.exists() and not path.is_file():
            raise FileProblem(f"{path}: no regular file, so no {kind}")
        found = kind_of(path)
        if found and found != kind:
            run = run_of(path) if found == "checkpoint" else None
            whose = f" of the run {run}: vmcnet report {run}" if run else f" of vmcnet, no {kind}"
            raise FileProblem(f"{path}: is a {found}{whose}")
        data = path.read_bytes() if found else b""
    except OSError as error:
        raise FileProblem(f"{path}: cannot be read ({error.strerror}){offer}") from error
    head, body = data[:USERBLOCK], data[USERBLOCK:]
    if not found or head != _seal(kind, body):
        if Path(path).suffix == ".toml" and kind == "run file":
            raise FileProblem(
                f"{path}: is a job file, no run file: vmcnet run {path} makes one of it"
            )
        raise FileProblem(
            f"{path}: the {kind} is damaged or no {kind} of vmcnet (its SHA-256 does not "
            f"match){offer}"
        )
    if body[:9] != SIGNATURE:
        raise FileProblem(f"{path}: not a {kind} as vmcnet writes it: no HDF5 file of version 1.10")
    try:
        file = h5py.File(io.BytesIO(data), "r")
    except (OSError, RuntimeError, ValueError) as error:
        raise FileProblem(f"{path}: not a {kind} as vmcnet writes it (HDF5: {error})") from error
    with file:
        tree = read_tree(path, kind, file, len(data))
    if (version := tree.attributes[""].get("schema")) != schema:
        raise FileProblem(
            f"{path}: {kind} schema {version}, this version reads {schema}: use the version that "
            "wrote it"
        )
    return tree
