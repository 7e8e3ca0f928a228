"""Every optimizer, natural gradient, schedule, sampler and wavefunction: the same bits on 1, 2, 3,
4 ranks and across a stop half way.
"""

import json
import subprocess
import sys

import pytest

from tests.mpi.matrix import CASES
from tests.runs import BIN, LONGEST, ROOT


@pytest.fixture(scope="module")
def hashes():
    found = {}
    for ranks in (1, 2, 3, 4):
        launcher = [str(BIN / "mpiexec"), "-n", str(ranks)] if ranks > 1 else []
        done = subprocess.run(
            ["timeout", str(LONGEST), *launcher, sys.executable, "-m", "tests.mpi.matrix"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found[ranks] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("case", [*CASES, "observables of an evaluation"])
def test_same_bits(hashes, case):
    through, stopped = hashes[1][case]
    assert through == stopped
    for ranks in (2, 3, 4):
        assert hashes[ranks][case] == [through, stopped]


def test_cases_differ(hashes):
    assert len({h for pair in hashes[1].values() for h in pair}) == len(CASES) + 1
