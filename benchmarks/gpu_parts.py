"""What benchmarks/gpu.py measures, and how its processes tell: one JSON object a line, so that what
was measured is known whatever happens next. Needs Python alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

LATTICE, NETWORK, DOT, GAS, LU = "lattice", "network", "dot-6", "gas-14", "slogdet"
PARTS = (LATTICE, NETWORK, DOT, GAS, LU)
ITERATION = "a training iteration"
NATURAL = "the same by minSR"
LOG, GRADIENT, KINETIC = "log psi", "log-derivatives", "kinetic energy"
FEWEST, MOST, ENOUGH = 2, 9, 2.0  # repetitions of a measurement, seconds after which they end


def sizes(small: bool) -> dict:
    """Sites, walkers, layers, matrices: the same in all columns."""
    if small:
        return {
            "walkers": 32,
            "block": 16,
            "sites": 12,
            "particles": 4,
            "layers": [8, 8],
            "steps": 2,
            "fermions": 16,
            "matrices": [(64, 7)],
        }
    return {
        "walkers": 4096,
        "block": 512,
        "sites": 100,
        "particles": 20,
        "layers": [128, 128],
        "steps": 20,
        "fermions": 1024,
        "matrices": [(65536, 7), (16384, 16), (4096, 32)],
    }


def described(part: str, s: dict) -> str:
    """A part in words, with its sizes."""
    layers = "-".join(map(str, [3 * s["particles"], *s["layers"], 1]))
    return {
        LATTICE: f"chain of {s['sites']} spins, {s['walkers']} walkers, a sweep, Adam or minSR",
        NETWORK: f"network {layers}, {s['walkers']} walkers, {s['steps']} moves, Adam or minSR",
        DOT: f"six electrons in a trap, {s['fermions']} walkers, 10 moves, SPRING",
        GAS: f"electron gas, N = 14, {s['fermions']} walkers, 10 moves, SPRING",
        LU: "sign and log of the determinants of small matrices",
    }[part]


def tell(**what: object) -> None:
    print(json.dumps(what), file=sys.__stdout__, flush=True)


def best(function: Callable, wait: Callable) -> float:
    """Shortest seconds on the clock of a call, the device awaited before and after; the first call
    is not timed.
    """
    function()
    wait()
    until, found = time.monotonic() + ENOUGH, []
    while len(found) < FEWEST or (len(found) < MOST and time.monotonic() < until):
        begun = time.perf_counter()
        function()
        wait()
        found.append(time.perf_counter() - begun)
    return min(found)


def work(parts: dict, names: list[str], wait: Callable, until: float) -> None:
    """Measure the parts `names`: parts[name]() -> row -> function. What fails is told, and the rest
    goes on; until: of time.time(), from which on nothing is begun.
    """
    sys.stdout = sys.stderr  # what libraries print is no answer
    for name in names:
        tell(begin=name)
        try:
            rows = parts[name]()
        except Exception as error:
            tell(part=name, row="", failed=said(error))
            continue
        for row, function in rows.items():
            if time.time() > until:
                tell(part=name, row=row, failed="no time was left")
                continue
            try:
                tell(part=name, row=row, seconds=best(function, wait))
            except Exception as error:
                tell(part=name, row=row, failed=said(error))
    tell(done=True)


def said(error: BaseException) -> str:
    """An error in one line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}"[:300]
