"""HDF5 content that may have been written by anyone: every object is checked before a byte of it
is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np

from vmcnet.storage.atomic import FileProblem

DEPTH = 8  # of groups; vmcnet's own files have five
NUMBERS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"}
TEXT, PLAIN = h5py.h5t.STRING, (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM)


@dataclass
class Tree:
    """arrays: path -> array; attributes: path of a group ("" the root) -> name -> int, float or
    text.
    """

    arrays: dict[str, np.ndarray]
    attributes: dict[str, dict[str, Any]]

    def group(self, name: str) -> dict[str, np.ndarray]:
        """The arrays below the group `name`, by their path inside it."""
        return {
            k.removeprefix(f"{name}/"): v
            for k, v in self.arrays.items()
            if k.startswith(f"{name}/")
        }


def read_tree(path: Path, kind: str, file: h5py.File, size: int) -> Tree:
    """All groups, attributes and datasets of `file`, which has `size` bytes.

    A dataset must be contiguous numbers that lie within the file; an attribute one number or text.
    Links other than hard ones, virtual and external data, references, objects and anything met
    twice are refused before they are touched. Raises FileProblem that names `path` and the object.
    """
    tree, left = Tree({}, {}), [size]
    seen: set[int] = set()

    def refuse(name: str, why: str) -> NoReturn:
        raise FileProblem(f"{path}: not a {kind} as vmcnet writes it: {_shown(name)} {why}")

    def once(name: str, item: Any) -> None:
        address = h5py.h5o.get_info(item).addr
        if address in seen:
            refuse(name, "is linked twice")
        seen.add(address)

    def visit(prefix: str, group: Any, depth: int) -> None:
        once(prefix or "/", group)
        tree.attributes[prefix] = _attributes(
            group, size, lambda n, why: refuse(f"{prefix}@{n}", why)
        )
        for raw in list(group):
            name = f"{prefix}/{_text(raw)}" if prefix else _text(raw)
            if not name.isprintable():
                refuse(name, "has a name that cannot be printed")
            if group.links.get_info(raw).type != h5py.h5l.TYPE_HARD:
                refuse(name, "is a link, no group or dataset")
            item = h5py.h5o.open(group, raw)
            if isinstance(item, h5py.h5g.GroupID):
                if depth == DEPTH:
                    refuse(name, f"lies deeper than {DEPTH} groups")
                visit(name, item, depth + 1)
            elif isinstance(item, h5py.h5d.DatasetID):
                once(name, item)
                tree.arrays[name] = _array(item, left, size, partial(refuse, name))
            else:
                refuse(name, "is neither group nor dataset")

    try:
        visit("", h5py.h5g.open(file.id, b"/"), 1)
    except FileProblem:
        raise
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        raise FileProblem(
            f"{path}: not a {kind} as vmcnet writes it ({_shown(str(error))})"
        ) from error
    return tree


def _array(
    dataset: Any, left: list[int], size: int, refuse: Callable[[str], NoReturn]
) -> np.ndarray:
    layout = dataset.get_create_plist()
    if layout.get_layout() != h5py.h5d.CONTIGUOUS:
        refuse("is not contiguous (chunked, compact or virtual)")
    if layout.get_external_count():
        refuse("keeps its numbers in other files")
    kind = dataset.get_type()
    if kind.get_class() not in (TEXT, *PLAIN, h5py.h5t.COMPOUND):
        refuse("holds neither numbers nor text")
    if kind.get_class() == TEXT and kind.is_variable_str():
        refuse("holds text of variable length")
    dtype, shape = dataset.dtype, dataset.shape
    if dtype.fields is not None or not (dtype.kind == "S" or dtype.str[1:] in NUMBERS):
        refuse(f"holds {_shown(str(dtype))}, no numbers that vmcnet writes")
    if dataset.get_space().get_simple_extent_type() == h5py.h5s.NULL:
        refuse("is empty")
    needed = dtype.itemsize
    for length in shape:
        needed *= length
    if needed:
        offset = dataset.get_offset()
        if offset is None or offset + needed > size or dataset.get_storage_size() != needed:
            refuse(f"of shape {_shown(str(shape))} does not lie within the file")
    left[0] -= needed
    if left[0] < 0:
        refuse("shares its bytes with another dataset")
    out = np.empty(shape, dtype)
    if needed:
        dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, out)
    return out.astype(dtype.newbyteorder("="), copy=False)


def _attributes(
    group: Any, size: int, refuse: Callable[[str, str], NoReturn]
) -> dict[str, int | float | str]:
    found = {}
    for k in range(h5py.h5a.get_num_attrs(group)):
        attribute = h5py.h5a.open(group, index=k)
        name, kind = _text(attribute.name), attribute.get_type()
        if not name.isprintable():
            refuse(name, "has a name that cannot be printed")
        if attribute.get_space().get_simple_extent_type() != h5py.h5s.SCALAR:
            refuse(name, "is not one value")
        if kind.get_class() not in (TEXT, *PLAIN) or kind.get_size() > size:
            refuse(name, "is neither number nor text")
        value = h5py.AttributeManager(h5py.Group(group))[name]
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, bytes):
            value = _text(value)
        if not isinstance(value, int | float | str):
            refuse(name, "is neither number nor text")
        if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
            refuse(name, "is not UTF-8 text")
        found[name] = value
    return found


def _text(raw: bytes | str) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)


def _shown(text: str) -> str:
    """Printable and short, whatever a file holds."""
    shown = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return shown if len(shown) <= 120 else f"{shown[:117]}..."


class Schema:
    """Checks of a Tree: each raises FileProblem that names the file, the object and what was
    expected.
    """

    def __init__(self, path: Path, kind: str, tree: Tree) -> None:
        self.path, self.kind, self.tree = path, kind, tree

    def refuse(self, what: str) -> NoReturn:
        raise FileProblem(f"{self.path}: not a {self.kind} of this version: {_shown(what)}")

    def attributes(self, group: str, **kinds: type) -> None:
        """Attributes that must be there, name=type (int also serves as float)."""
        found = self.tree.attributes.get(group)
        if found is None:
            self.refuse(f"the group {group} is missing")
        for name, kind in kinds.items():
            where = f"attribute {name}" + (f" of {group}" if group else "")
            if name not in found:
                self.refuse(f"{where} is missing")
            value, allowed = found[name], (int, float) if kind is float else kind
            if not isinstance(value, allowed) or isinstance(value, bool):
                self.refuse(f"{where} is {value!r}; expected {WORDS[kind]}")

    def array(self, name: str, kinds: str, *shape: int | None) -> np.ndarray:
        """A dataset that must be there, of one of the NumPy `kinds`; None in shape: any length."""
        found = self.tree.arrays.get(name)
        if found is None:
            self.refuse(f"{name} is missing")
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        if found.ndim != len(shape) or any(
            n not in (None, m) for n, m in zip(shape, found.shape, strict=True)
        ):
            self.refuse(f"{name} has shape {found.shape}; expected ({expected})")
        if found.dtype.kind not in kinds:
            self.refuse(f"{name} holds {found.dtype}; expected {KINDS[kinds]}")
        return found

    def series(self, group: str, names: Iterable[str], rank: int | None = 1) -> int | None:
        """The named datasets below `group` have numbers along one common first axis: its length, or
        None where there is no dataset; rank None: further axes as they come.
        """
        length = None
        for name in names:
            full = f"{group}/{name}"
            found = self.tree.arrays[full]
            if found.dtype.kind not in "fiu" or (found.ndim != rank if rank else not found.ndim):
                self.refuse(f"{full} is no series of numbers ({found.dtype}, shape {found.shape})")
            if length is not None and len(found) != length:
                self.refuse(f"{full} has {len(found)} rows beside others of {length}")
            length = len(found)
        return length


WORDS = {int: "a whole number", float: "a number", str: "text"}
KINDS = {"f": "real numbers", "i": "whole numbers", "fi": "real numbers"}
