"""benchmarks/gpu.py, prepared for a machine with a card, runs on the stand-in."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


@pytest.mark.processes
@pytest.mark.verify
def test_every_measurement_is_made():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--stand-in", "--minutes", "3"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| ")]
    cells = {row[0].strip() + row[1].strip() * (len(row) == 5): row[-1] for row in rows}
    assert len(cells) == 3 + 4 + 1 + 6  # three heads
    assert not [name for name, cell in cells.items() if not cell.strip()]
