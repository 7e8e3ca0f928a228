"""No bit of an operation depends on how many walkers there are: blocks evaluated together have the
numbers that each has alone.
"""

import numpy as np
import pytest

from tests.calculus.cases import CASES, DIMENSIONS, by_operation, check_each, evaluated, parameters
from vmcnet.calculus.jets import Jets
from vmcnet.calculus.operation import Blocks
from vmcnet.calculus.tape import Tape
from vmcnet.calculus.values import Values
from vmcnet.kernels import numba_product

pytestmark = pytest.mark.skipif(
    numba_product.REGISTERS is None, reason="this processor leaves products to BLAS"
)
BLOCKS, WALKERS = 3, 7
# constants of these cases differ from walker to walker by their number
NUMBERED = ("constant", "select from", "three widths", "signs", "of the only pair")
OWN = [
    (*c, (np.float64, np.float32)[k % 2])
    for k, c in enumerate(c for c in CASES if not any(word in c[1] for word in NUMBERED))
]
SOME = by_operation(OWN[::3])
OTHERS = by_operation(c for k, c in enumerate(OWN) if k % 3)


def numbers(function, r, theta, weights, blocks):
    """Value, jet, coordinate derivatives (walkers last), and the sums of parameters by block."""
    n = r.shape[1]
    value = evaluated(Values(np), function, r, theta)[0].data
    jets = Jets(np, n, DIMENSIONS)
    jet = jets.read(evaluated(jets, function, r, theta)[0])
    ops = Tape(np, coordinates_wanted=True)
    y, handles, _ = evaluated(ops, function, r, theta)
    found = ops.reverse(y, weights, Blocks(blocks))
    if blocks == 1:
        again = Tape(np, coordinates_wanted=True)
        alone = again.reverse(evaluated(again, function, r, theta)[0], weights)
    sums = {name: found.get(h.index) for name, h in handles.items()}
    for name, h in handles.items():
        if blocks == 1 and sums[name] is not None:
            np.testing.assert_array_equal(sums[name][0], alone[h.index])
    position = found.get(ops.position, np.zeros(r.shape))
    return (value, *jet, np.moveaxis(position, 0, -1)), sums


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("operation", SOME)
def test_blocks_together(operation):
    check_each(SOME[operation], blocks_together)


@pytest.mark.verify
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("operation", OTHERS)
def test_blocks_together_in_the_other_cases(operation):
    check_each(OTHERS[operation], blocks_together)


def blocks_together(n, function, dtype):
    rng = np.random.default_rng(5)
    theta = parameters(dtype)
    r = rng.normal(size=(BLOCKS * WALKERS, n, DIMENSIONS)).astype(dtype)
    weights = rng.normal(size=len(r)).astype(dtype)
    together, sums = numbers(function, r, theta, weights, BLOCKS)
    for k in range(BLOCKS):
        own = slice(k * WALKERS, (k + 1) * WALKERS)
        alone, one = numbers(function, r[own], theta, weights[own], 1)
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_array_equal(a[..., own], b)
        for name, x in one.items():
            if x is not None:
                np.testing.assert_array_equal(sums[name][k], x[0])
