"""Natural gradients on several ranks: the same bits, also across a resume, and how often ranks
talk.
"""

import os

import numpy as np
import pytest

from tests.mpi.test_collectives import ROW, nothing, population
from tests.runs import JOB, same, vmcnet
from vmcnet.engine.training import initial_state, run_training
from vmcnet.kernels.numba_cholesky import SIDE
from vmcnet.optimizers import SGD, SPRING, SR, SRCG, MinSR
from vmcnet.parallel.dealt_cholesky import Cholesky

TABLES = {
    "sr": 'type = "sr"\nshift = 0.01',
    "sr_cg": 'type = "sr_cg"\nrelative_shift = 0.01\nshift_decay = 0.9',
    "minsr": 'type = "minsr"\nshift = 0.01\nmax_norm = 0.5',
    "spring": 'type = "spring"\nshift = 0.01\nmomentum = 0.8',
    "march": 'type = "march"\nshift = 0.01\nform = "gram"',
    "robust_sr": 'type = "robust_sr"\nshift = 0.01',
}


@pytest.fixture(scope="module", params=TABLES)
def reference(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "job.toml").write_text(
        f'{JOB}[optimizer]\ntype = "sgd"\nlearning_rate = '
        f"0.1\n[natural_gradient]\n{TABLES[request.param]}\n"
    )
    vmcnet("run", folder / "job.toml", "--output", folder / "one.h5")
    return folder


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_same_bits_on_any_number_of_ranks(reference, tmp_path, ranks):
    vmcnet("run", reference / "job.toml", "--output", tmp_path / "many.h5", ranks=ranks)
    same(reference / "one.h5", tmp_path / "many.h5")


def test_half_then_resume_on_another_number_of_ranks(reference, tmp_path):
    vmcnet(
        "run",
        reference / "job.toml",
        "--output",
        tmp_path / "half.h5",
        "--set",
        "training.iterations=6",
        "--set",
        "evaluation.steps=0",
        ranks=3,
    )
    vmcnet(
        "resume",
        tmp_path / "half.h5",
        "--set",
        "training.iterations=12",
        "--set",
        "evaluation.steps=20",
        ranks=2,
    )
    same(reference / "one.h5", tmp_path / "half.h5")


TILES = """
name = "tiles"
seed = 5
[system]
type = "transverse_ising"
extent = [10]
[[wavefunction]]
type = "binary_rbm"
weights = "complex"
[sampling]
walkers = 256
block = 32
warmup = 2
[training]
iterations = 4
[evaluation]
steps = 4
warmup = 1
[optimizer]
type = "sgd"
learning_rate = 0.1
[natural_gradient]
"""


@pytest.mark.parametrize(
    "kind",
    [
        *("sr", "minsr", "real", "scaled"),
        *(pytest.param(kind, marks=pytest.mark.verify) for kind in ("library", "tiny")),
    ],
)
def test_matrices_of_several_tiles(tmp_path, kind):
    """240 parameters and 512 rows, or 256 of real weights, in tiles of 96: a rank owns one, none
    or several.
    """
    table = {
        "sr": 'type = "sr"\nshift = 0.01',
        "minsr": 'type = "minsr"\nshift = 0.01',
        "real": 'type = "minsr"\nshift = 0.01',
        "scaled": 'type = "minsr"\nrelative_shift = 0.01\nshift = 0.001',
        "tiny": 'type = "minsr"\nshift = 1e-10',
        "library": 'type = "minsr"\nshift = 1e-10',  # so small that float64 factorises
    }[kind]
    env = {**os.environ, "VMCNET_PRODUCTS": "blas"} if kind == "library" else None
    job = TILES.replace("complex", "real") if kind in ("real", "tiny") else TILES
    (tmp_path / "job.toml").write_text(job + table + "\n")
    for ranks in (1, 2, 3, 4):
        name = tmp_path / f"{ranks}.h5"
        vmcnet("run", tmp_path / "job.toml", "--output", name, ranks=ranks, env=env)
        same(tmp_path / "1.h5", name)


def sums(*shape, limbs=1):
    return [("reduce_max", shape), ("reduce_sum", (limbs, *shape))]


def test_collectives(monkeypatch):
    """population(): 4 blocks of 8 walkers, P = 2 + 4 + 8 + 1 + 1 parameters, 8 of them the weights
    of a dense layer met once, 2 its biases. One rank factorises as several do here.
    """
    monkeypatch.setattr(Cholesky, "ALONE", False)
    people, size = population(), 16
    assert people.wavefunction.layout.size == size
    blocks, walkers = 4, 8
    first = [ROW, *sums(2 * size + 2)]  # F, <O> and the two parts of <E_L - <E>>
    # left, right and the product with the mean of the outer products; then the other columns
    gram = [("allgather", (blocks, walkers, 5 + 2 + 1)), ("allgather", (blocks, walkers, 6))]
    built = [("allgather", (blocks, walkers, size))]

    def solved(side, *middle):
        """One tile: its diagonal, its norm, its factor, and a product a step of the refinement."""
        step = [("broadcast", None), ("gather_dealt", (1, side))]
        factor = [("gather_dealt", (1, 1)), ("start_broadcast", None)]
        return [("allgather_dealt", (1, SIDE)), *middle, *factor, step, ("broadcast", None)]

    rows, tangent = ("gather", (blocks, walkers)), sums(size + 2)
    expected = {
        MinSR(0.01): first + gram + solved(32, rows) + tangent,
        SPRING(0.01, form="gram"): first + gram + solved(32, rows) + tangent,
        MinSR(0.01, 0.01): first + sums(size) + built + solved(32, rows) + tangent,
        SR(0.01): first + sums(size) + [("reduce_sum_to", (1, size * size))] + solved(size),
    }
    for method, calls in expected.items():
        people = population()
        state = initial_state(people.wavefunction, SGD(0.1), 1, 1.0, method)
        run_training(
            people,
            SGD(0.1),
            state,
            iterations=2,
            steps=1,
            warmup=0,
            record=nothing,
            save=nothing,
            poll=nothing,
            natural=method,
        )
        found = people.comm.calls
        for call in 2 * calls:
            if isinstance(call, list):
                times = 0
                while found[:2] == call:
                    found, times = found[2:], times + 1
                assert 2 <= times <= 7, method.name
            else:
                assert found[0] == call, method.name
                found = found[1:]
        assert not found


def test_one_reduction_a_product():
    people, rows = population(), []
    method = SRCG(0.01, tolerance=1e-8)
    state = initial_state(people.wavefunction, SGD(0.1), 1, 1.0, method)
    run_training(
        people,
        SGD(0.1),
        state,
        iterations=1,
        steps=1,
        warmup=0,
        record=lambda phase, done, total, row: rows.append(row),
        save=nothing,
        poll=nothing,
        natural=method,
    )
    products = int(rows[0]["solver_products"])
    assert 2 < products < 200
    assert people.comm.calls[5:] == products * [("reduce_sum", (2, 18))] and people.comm.calls[
        3:5
    ] == sums(16)
    assert np.isfinite(list(rows[0].values())).all()
