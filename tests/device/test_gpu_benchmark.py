"""benchmarks/gpu.py, prepared for a machine with a card, runs on the stand-in; whatever fails, its
table comes.
"""

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SCRIPT = FOLDER / "gpu.py"
sys.path.insert(0, str(FOLDER))
import gpu  # noqa: E402
import gpu_parts  # noqa: E402

sys.path.remove(str(FOLDER))
WORKER = """
import sys, time
sys.path.insert(0, {folder!r})
import gpu_parts as g

def fails():
    raise ValueError("no such\\n kernel")

def ends():
    sys.exit("out of memory")

parts = {{
    "lattice": lambda: {{"good": lambda: None, "bad": fails}},
    "network": lambda: {{"row": ends}},
    "dot-6": fails,
    "gas-14": lambda: {{"row": lambda: time.sleep({sleep})}},
    "slogdet": lambda: {{"row": lambda: None}},
}}
g.tell(about="a device")
g.work(parts, sys.argv[2:], lambda: None, float(sys.argv[1]))
"""


def column(tmp_path, sleep, longest, until=1e9):
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(WORKER.format(folder=str(FOLDER), sleep=sleep)))
    made = gpu.Column("GPU", [sys.executable, str(script)], {})
    made.measure(time.time() + until, longest)
    return made


@pytest.mark.processes
def test_what_fails_does_not_keep_the_rest(tmp_path):
    made = column(tmp_path, 0.001, 100.0)
    assert set(made.seconds) == {("lattice", "good"), ("gas-14", "row"), ("slogdet", "row")}
    assert made.failed == {
        ("lattice", "bad"): "ValueError: no such kernel",
        ("network", ""): "ended with status 1: out of memory",
        ("dot-6", ""): "ValueError: no such kernel",
    }
    written = gpu.table([made], gpu_parts.sizes(True))
    assert "| good | " in written and written.count("\n- GPU: ") == 2
    assert "- GPU: lattice (bad), dot-6: ValueError: no such kernel" in written
    late = column(tmp_path, 0.001, 100.0, -1.0)
    assert not late.seconds and set(late.failed.values()) == {"no time was left"}
    absent = gpu.Column("JAX", [sys.executable, str(tmp_path / "none.py")], {})
    absent.measure(time.time() + 1e9, 100.0)
    assert len(absent.failed) == 5 and "status 2" in absent.failed["slogdet", ""]


@pytest.mark.processes
@pytest.mark.verify
def test_a_part_that_never_ends(tmp_path):
    made = column(tmp_path, 1e6, 10.0)
    assert made.failed["gas-14", ""] == "not finished in its time"
    assert ("slogdet", "row") in made.seconds


@pytest.mark.processes
@pytest.mark.verify
def test_every_measurement_is_made():
    """And a peer without jax is named, not waited for."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--stand-in", "--minutes", "4", "--peer", sys.executable],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| ")]
    measured = [row for row in rows if row[1].strip()]
    assert len(measured) == 1 + 2 * 2 + 2 * 4 + 2  # the head; one row has no twin on the host
    assert sum(bool(row[4].strip()) for row in measured) == len(measured) - 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("- ")]
    assert len(failed) == 1 and failed[0].startswith("- JAX: lattice, network, dot-6, gas-14, ")
    assert "No module named" in failed[0]
