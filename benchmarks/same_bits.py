"""Two folders of run files of the same jobs: are series and parameters the same to the bit?

    python benchmarks/same_bits.py OLD NEW

For every run file of OLD: all its datasets but the times; what a newer version adds is no
difference. Prints one line a file, with the largest relative difference of what differs; exit
status 1 if anything does, or if NEW lacks a file.
"""

import argparse
import sys
from pathlib import Path

import h5py
import numpy as np

TIMES = ("training/seconds", "training/communication")
KEPT = (".checkpoint", ".previous", ".rollback", ".evaluation", ".nonfinite")  # not run files


def run_files(folder: Path) -> dict:
    """Name -> path of the run files in a folder."""
    return {p.name: p for p in sorted(folder.glob("*.h5")) if not p.stem.endswith(KEPT)}


def datasets(path: Path) -> dict:
    """Name -> array of everything but times."""
    out = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                out.__setitem__(name, item[()])
                if isinstance(item, h5py.Dataset) and name not in TIMES
                else None
            )
        )
    return out


def differences(old: dict, new: dict) -> list[str]:
    """One text for each dataset of the old file that the new one lacks or has otherwise."""
    out = [f"{name} is gone" for name in sorted(old.keys() - new.keys())]
    for name in sorted(old.keys() & new.keys()):
        a, b = old[name], new[name]
        if a.shape != b.shape or a.dtype != b.dtype:
            out.append(f"{name}: {a.dtype}{list(a.shape)} and {b.dtype}{list(b.shape)}")
        elif a.tobytes() != b.tobytes():
            size = np.abs(a).max(initial=0.0)
            out.append(f"{name}: {np.abs(a - b).max() / size if size else np.inf:.1e}")
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    options = parser.parse_args()
    old, new = run_files(options.old), run_files(options.new)
    bad = not old
    for name in old:
        if name in new:
            found = differences(datasets(old[name]), datasets(new[name]))
            print(f"{name}: {'; '.join(found[:4]) + ' ...' * (len(found) > 4) or 'same bits'}")
        else:
            found = [f"{name}: not in {options.new}"]
            print(found[0])
        bad = bad or bool(found)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
