"""Every optimizer, natural gradient, schedule, sampler, system and wavefunction: the same bits on
1, 2, 3, 4 ranks and across a stop half way.
"""

import json
import subprocess
import sys

import pytest

from tests.mpi.matrix import CASES
from tests.runs import BIN, LONGEST, ROOT
from vmcnet.config import Job
from vmcnet.config.explain import variants
from vmcnet.config.optimizers import SGDTable
from vmcnet.engine.fitting import factors_of
from vmcnet.sampling.defaults import SAMPLERS


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


def test_the_matrix_has_every_class_of_a_job():
    """What [system] to [natural_gradient], their schedules and sampling.proposal may name."""
    met = set()
    for case in CASES.values():
        parts = case.system, case.optimizer, case.optimizer.schedule, case.natural, case.sampler
        met |= {type(part).__name__ for part in (*parts, *factors_of(case.psi))}
    fields = [Job.model_fields[k] for k in ("system", "wavefunction", "natural_gradient")]
    fields += [Job.model_fields["optimizer"], SGDTable.model_fields["schedule"]]
    tables = [model for field in fields for model in variants(field.annotation).values()]
    named = {model.builds for model in tables if model.builds} | set(SAMPLERS.values())
    assert len(named) >= 40
    assert not {path for path in named if path.split(":")[1] not in met}
