"""Networks, in float64 and float32: the same bits on 1, 2, 3, 4 ranks and across a resume on
another number of ranks.
"""

import h5py
import numpy as np
import pytest

from tests.runs import JOB, same, vmcnet
from vmcnet.storage.paths import checkpoint_path

NETWORK = JOB.replace(
    'type = "gaussian_rbm"\nhidden = 2',
    """type = "gaussian_envelope"
[[wavefunction]]
type = "feed_forward"
layers = [6, 6]
activation = "silu"
skip = true
symmetric = true
pairs = true
head = [5]""",
)
BROAD = (
    NETWORK[: NETWORK.index("layers")]
    + "layers = [32, 64]\n"
    + NETWORK[NETWORK.index("[sampling]") :].replace("block = 8", "block = 16")
)
FERMIONS = JOB.replace(
    'type = "gaussian_rbm"\nhidden = 2',
    """type = "slater"
mixing = 1
excitations = 1
[wavefunction.network]
type = "message_passing"
width = 6""",
).replace('"quantum_dot"', '"quantum_dot"\nparticles = 5')


@pytest.fixture(
    scope="module",
    params=[
        ("float64", NETWORK),
        ("float32", NETWORK),
        ("float64", BROAD),
        ("float64", FERMIONS),
        ("float32", FERMIONS),
    ],
    ids=["float64", "float32", "compiled products", "fermions", "fermions in float32"],
)
def reference(request, tmp_path_factory):
    precision, job = request.param
    folder = tmp_path_factory.mktemp(precision)
    (folder / "job.toml").write_text(job.replace("[run]", f'[run]\nprecision = "{precision}"'))
    vmcnet("run", folder / "job.toml", "--output", folder / "one.h5")
    with h5py.File(checkpoint_path(folder / "one.h5")) as file:
        found = {}
        file.visititems(
            lambda name, item: (
                found.__setitem__(name.split("/")[-1], item.dtype)
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    assert found["r"] == np.dtype(precision) and found["theta"] == np.float64
    return folder


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_ranks(reference, tmp_path, ranks):
    vmcnet("run", reference / "job.toml", "--output", tmp_path / "many.h5", ranks=ranks)
    same(reference / "one.h5", tmp_path / "many.h5")


def test_resume(reference, tmp_path):
    vmcnet(
        "run",
        reference / "job.toml",
        "--output",
        tmp_path / "half.h5",
        "--set",
        "training.iterations=6",
        "--set",
        "evaluation.steps=0",
        ranks=2,
    )
    vmcnet(
        "resume",
        tmp_path / "half.h5",
        "--set",
        "training.iterations=12",
        "--set",
        "evaluation.steps=20",
        ranks=3,
    )
    same(reference / "one.h5", tmp_path / "half.h5")
