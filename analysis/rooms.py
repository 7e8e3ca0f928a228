"""Draw the rooms of vmcnet and who imports whom, from the project's own imports.

    python analysis/rooms.py

A line is an import and goes down; those for which a longer way stands are left out.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests import test_imports as rooms  # noqa: E402


def edges() -> dict:
    """Room -> the rooms that its files import."""
    found = {name: set() for floor in rooms.FLOORS for name in sorted(floor)}
    for path in rooms.modules():
        own = path.relative_to(rooms.ROOT).parts[0].removesuffix(".py")
        found[own] |= set(rooms.imported(path)) & found.keys() - {own}
    return found


def reached(found: dict, room: str) -> set:
    """All rooms below a room."""
    return found[room].union(*(reached(found, below) for below in found[room]))


def reduced(found: dict) -> dict:
    """The imports for which no longer way stands."""
    return {
        a: below - set().union(*(reached(found, b) for b in below)) for a, below in found.items()
    }


def height(found: dict, room: str) -> int:
    """Length of the longest chain of imports below a room."""
    return 1 + max((height(found, b) for b in found[room]), default=-1)


def places(found: dict) -> dict:
    """Room -> (x, y): y its height; in a row by the mean place of what it imports."""
    rows, place = {}, {}
    for room in found:
        rows.setdefault(height(found, room), []).append(room)
    for y, row in sorted(rows.items()):
        mean = {a: sum(place[b][0] for b in found[a]) / max(1, len(found[a])) for a in row}
        row.sort(key=lambda a: (mean[a], a))
        shift = 0.35 * (-1) ** y if len(row) < 3 else 0.0  # so that lines pass beside the boxes
        for k, room in enumerate(row):
            place[room] = (k - (len(row) - 1) / 2 + shift, y)
    return place


def main() -> None:
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "rooms"  # the same drawing, the same file
    found = reduced(edges())
    place = places(found)
    plt.figure(figsize=(8, 9))
    for a, below in found.items():
        for b in sorted(below):
            ends = zip(place[a], place[b], strict=True)
            plt.plot(*ends, color="0.6", lw=0.9, zorder=0, gid=f"{a}_imports_{b}")
    for name, (x, y) in place.items():
        box = {"boxstyle": "round", "fc": "white", "ec": "0.3"}
        plt.text(x, y, name, ha="center", va="center", fontsize=9, bbox=box, gid=f"room_{name}")
    plt.margins(0.12, 0.03)
    plt.axis("off")
    plt.savefig(ROOT / "docs" / "rooms.svg", bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    main()
