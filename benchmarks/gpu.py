"""A GPU in one command, at most 8 minutes: the gpu tests, then training iterations of a lattice, of
a network, of six electrons in a trap and of the electron gas, and determinants of small matrices:
on the card, beside JAX on the same card, and on one core of its host.

    python benchmarks/gpu.py [--peer PYTHON] [--minutes 8] > TABLE.md
    python benchmarks/gpu.py --stand-in [--peer PYTHON]   # small sizes on the tests' stand-in for
                                                          # CuPy, JAX on the CPU: tries the script
                                                          # itself, its times mean nothing

On a bare machine with an NVIDIA driver, from the root of a checkout:

    python3 -m venv .venv && .venv/bin/pip install -e ".[cuda12]" pytest  # or cuda13, as the driver
    python3 -m venv .peer && .peer/bin/pip install "jax[cuda12]" folx     # the peer, if wanted
    .venv/bin/python benchmarks/gpu.py --peer .peer/bin/python > TABLE.md

PYTHON: an interpreter with jax for CUDA and, for its best kinetic energies, folx. Seconds on the
clock, the device awaited before and after, minimum of up to 9. Each column is measured by a process
of its own, which is started anew where it crashes or a part of it takes too long. The table comes
at the end whatever happens, with what was not measured and why; then the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

import gpu_parts as g

ROOT, HERE = Path(__file__).resolve().parent.parent, Path(__file__).resolve().parent
UNTIL = {"tests": 0.35, "GPU": 0.6, "JAX": 0.85, "one core": 1.0}  # shares of the time
LONGEST = 0.25  # the same, for one part
GPU = "pytest.mark.gpu"


class Column:
    """What one process measures: (part, row) -> seconds, or why not."""

    def __init__(self, name: str, command: list, env: dict):
        self.name, self.command, self.env = name, command, env
        self.about, self.seconds, self.failed = "", {}, {}

    def measure(self, until: float, longest: float) -> None:
        """All parts, until a time of time.time()."""
        left = list(g.PARTS)
        while left:
            if time.time() > until:
                self.failed |= {(part, ""): "no time was left" for part in left}
                return
            left = self._some(left, until, longest)

    def _some(self, parts: list, until: float, longest: float) -> list:
        """By one process; the parts that are left where it ended before them."""
        process = subprocess.Popen(
            [*self.command, str(until), *parts],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.env},
            cwd=ROOT,
        )
        lines: queue.Queue = queue.Queue()
        errors: deque = deque(maxlen=40)
        for stream, to in ((process.stdout, lines.put), (process.stderr, errors.append)):
            threading.Thread(target=forward, args=(stream, to), daemon=True).start()
        part, why = None, ""
        try:
            end = min(until + 5, time.time() + longest)
            while True:
                try:
                    line = lines.get(timeout=max(0.1, end - time.time()))
                except queue.Empty:
                    why = "not finished in its time"
                    break
                if line is None:
                    why = ended(process, errors)
                    break
                told = json.loads(line)
                if "done" in told:
                    return []
                if "begin" in told:
                    part, end = told["begin"], min(until + 5, time.time() + longest)
                    print(f"{self.name}: {part}", file=sys.stderr, flush=True)
                elif "about" in told:
                    self.about = told["about"]
                elif "seconds" in told:
                    self.seconds[told["part"], told["row"]] = told["seconds"]
                else:
                    self.failed[told["part"], told["row"]] = told["failed"]
        finally:
            process.kill()
            process.wait()
        if part is None:  # it never began: no part will
            self.failed |= {(p, ""): why for p in parts}
            return []
        self.failed[part, ""] = why
        return parts[parts.index(part) + 1 :]


def forward(stream, to) -> None:
    for line in stream:
        to(line.rstrip())
    to(None)


def ended(process, errors) -> str:
    code = process.wait()
    time.sleep(0.2)  # its last words
    words = [line for line in errors if line and line.strip()]
    return f"ended with status {code}: {words[-1][:300] if words else 'no word'}"


def tests(seconds: float) -> tuple[bool, str]:
    """Whether the gpu tests pass; pytest's last line, and what failed."""
    # no other files, no xdist: they may want packages that a machine with a card lacks
    files = [str(p) for p in sorted(ROOT.glob("tests/**/test_*.py")) if GPU in p.read_text()]
    words = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
    words += ["-o", "addopts=", *files]
    with tempfile.TemporaryFile("w+") as out:
        code = None
        try:
            code = subprocess.run(
                words, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, timeout=seconds
            ).returncode
            end = f"exit status {code}"
        except subprocess.TimeoutExpired:
            end = f"not finished after {seconds:.0f} s"
        out.seek(0)
        said = [line for line in out.read().splitlines() if line.strip()]
    failures = [line for line in said if line.startswith(("FAILED", "ERROR"))]
    print(*said[-15:], sep="\n", file=sys.stderr, flush=True)
    last = said[-1] if said else "no word"
    words = [f"gpu tests: {last} ({end})", *(f"- {x}" for x in failures[:20])]
    return code == 0 and " passed" in last, "\n".join(words)


def table(columns: list, s: dict) -> str:
    """Markdown: every part with its rows, milliseconds and ratios; then what failed."""
    lines = ["| | GPU, ms | JAX, ms | JAX / GPU | one core, ms | one core / GPU |"]
    lines.append("|---|---|---|---|---|---|")
    by_name = {c.name: c.seconds for c in columns}
    for part in g.PARTS:
        lines.append(f"| **{g.described(part, s)}** | | | | | |")
        places = [place for c in columns for place in (*c.seconds, *c.failed)]
        for row in dict.fromkeys(row for name, row in places if name == part and row):
            here, peer, host = (
                by_name.get(name, {}).get((part, row)) for name in ("GPU", "JAX", "one core")
            )
            cells = ms(here), ms(peer), over(peer, here), ms(host), over(host, here)
            lines.append(f"| {row} | {' | '.join(cells)} |")
    reasons: dict = {}
    for c in columns:
        for (part, row), why in c.failed.items():
            reasons.setdefault((c.name, why), []).append(f"{part} ({row})" if row else part)
    failed = [f"- {name}: {', '.join(where)}: {why}" for (name, why), where in reasons.items()]
    return "\n".join([*lines, *(["", "Not measured:", "", *failed] if failed else [])])


def ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1e3 * seconds:.3g}"


def over(seconds: float | None, here: float | None) -> str:
    return "" if seconds is None or not here else f"{seconds / here:.2g}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--stand-in", action="store_true")
    options = parser.parse_args()
    begun, total, good, said = time.time(), 60 * options.minutes, True, ""
    size, here = "small" if options.stand_in else "full", str(HERE / "gpu_column.py")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        device = "stand-in" if options.stand_in else "gpu"
        columns = [Column("GPU", [sys.executable, here, device, size, folder], {})]
        if options.peer:
            platform = {"JAX_PLATFORMS": "cpu" if options.stand_in else "cuda"}
            peer = [options.peer, str(HERE / "gpu_jax.py"), size, folder]
            columns.append(Column("JAX", peer, platform))
        columns.append(Column("one core", [sys.executable, here, "cpu", size, folder], {}))
        try:
            if not options.stand_in:
                good, said = tests(UNTIL["tests"] * total)
            for column in columns:
                try:
                    column.measure(begun + UNTIL[column.name] * total, LONGEST * total)
                except OSError as error:
                    column.failed |= {(part, ""): g.said(error) for part in g.PARTS}
        except KeyboardInterrupt:
            good, said = False, f"{said}\nInterrupted: the rest was not measured."
    about = [f"{c.name}: {c.about or 'did not start'}" for c in columns]
    words = ["\n".join(about), said, table(columns, g.sizes(options.stand_in))]
    words.append(f"{time.time() - begun:.0f} s in all")
    print("\n\n".join(filter(None, words)), flush=True)
    return 0 if good and not any(c.failed for c in columns) else 1


if __name__ == "__main__":
    sys.exit(main())
