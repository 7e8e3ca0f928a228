"""Tables of numbers from .npy and text files of any origin: sizes before memory, and a place for
whatever is no number.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from vmcnet.storage.atomic import FileProblem

MAGIC = b"\x93NUMPY"
KINDS = {"c": "complex numbers", "M": "dates", "m": "times", "O": "Python objects", "V": "records"}


def read_npy(path: Path, size: int) -> np.ndarray:
    """The array of a .npy file of `size` bytes; text becomes numbers. Raises FileProblem where it
    holds none, or where its header asks for more than the file has.
    """
    with open(path, "rb") as handle:
        head = handle.read(8)
        if head[:4] == b"PK\x03\x04":
            raise FileProblem(
                f"{path}: a zip archive (.npz), no .npy: write the one array with numpy.save"
            )
        if head[:6] != MAGIC:
            raise FileProblem(f"{path}: no .npy file (it does not begin with \\x93NUMPY)")
        handle.seek(0)
        try:
            version = np.lib.format.read_magic(handle)
            header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                shape, _, dtype = header(handle)
            shape = tuple(int(n) for n in shape)
        except Exception as error:  # Python's own parsers read the header and raise what they like
            raise FileProblem(f"{path}: no .npy file that NumPy can read (its header)") from error
        if dtype.hasobject or dtype.kind not in "biufUS":
            found = "Python objects" if dtype.hasobject else KINDS.get(dtype.kind, str(dtype)[:40])
            raise FileProblem(f"{path}: holds {found}; expected real numbers")
        needed = dtype.itemsize
        for length in shape:
            needed *= length
        if min(shape, default=0) < 0 or needed > size - handle.tell():
            raise FileProblem(
                f"{path}: its header says {str(shape)[:60]} of {dtype}, more than the file's "
                f"{size} bytes hold"
            )
        handle.seek(0)
        try:
            table = np.load(handle, allow_pickle=False)
        except (ValueError, OverflowError) as error:
            raise FileProblem(f"{path}: no array that NumPy can read") from error
    return numbers_of(path, table) if dtype.kind in "US" else table


def numbers_of(path: Path, text: np.ndarray) -> np.ndarray:
    """Texts that are numbers as float64; raises FileProblem with the row and column of the first
    that is none.
    """
    try:
        return text.astype(float)
    except ValueError:
        for place, item in np.ndenumerate(text):
            try:
                float(item)
            except ValueError:
                shown = item.decode(errors="replace") if isinstance(item, bytes) else str(item)
                column = 1 + sum(
                    k * int(np.prod(text.shape[1:][axis + 1 :])) for axis, k in enumerate(place[1:])
                )
                raise FileProblem(
                    f"{path}: row {place[0] + 1 if place else 1}, column {column} is "
                    f"{shown[:40]!r}; expected a number"
                ) from None
        raise


def read_text(path: Path, delimiter: str | None) -> np.ndarray:
    """Rows of numbers, separated by `delimiter` or by blanks; UTF-8, with or without a byte-order
    mark; what follows # is left out. Raises FileProblem with the row and column of what is no
    number.
    """
    try:
        with warnings.catch_warnings(), open(path, encoding="utf-8-sig", newline=None) as handle:
            warnings.simplefilter("ignore")  # of an empty file; the caller says it
            lines = (line.replace('"', "") for line in handle)
            return np.loadtxt(lines, delimiter=delimiter, ndmin=2)
    except UnicodeDecodeError as error:
        raise FileProblem(f"{path}: no UTF-8 text (byte {error.start + 1})") from error
    except (ValueError, RuntimeError, OverflowError) as error:
        raise FileProblem(f"{path}: {_first_problem(path, delimiter)}") from error


def _first_problem(path: Path, delimiter: str | None) -> str:
    width, row = None, 0
    with open(path, encoding="utf-8-sig", newline=None) as handle:
        for line, text in enumerate(handle, 1):
            text = text.split("#")[0].strip()
            if not text:
                continue
            cells = text.split(delimiter)
            row, width = row + 1, width or len(cells)
            for column, cell in enumerate(cells, 1):
                try:
                    float(cell.strip().strip('"'))
                except ValueError:
                    return (
                        f"row {row}, column {column} (line {line}) is {cell.strip()[:40]!r}; "
                        "expected a number"
                    )
            if len(cells) != width:
                return f"row {row} (line {line}) has {len(cells)} numbers, the rows before {width}"
    return "no table of numbers"
