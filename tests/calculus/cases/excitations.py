"""Determinants with pair excitations, of both spins and of one."""

import numpy as np

from tests.calculus.cases.determinants import square
from tests.calculus.cases.sources import DEEP, case, joined, own
from vmcnet.calculus.excitations import PairForms


def forms(spins):
    """Three classes on ratios of (3, 2), some pairs met twice."""
    rng, parts = np.random.default_rng(12), []
    for k, count in enumerate((9, 7, 7)):
        count *= spins == 2 or k == 1
        class_ = rng.integers(0, 3, count)
        first, second = rng.integers(0, 6, (2, count))
        parts.append((class_, first, second, rng.uniform(-0.4, 0.5, count)))
    return PairForms(3, parts)


def excited(source, spins, other=None):
    made = forms(spins)

    def function(ops, t, x):
        sets = [(square(source)(ops, t, x), source(ops, t, x, "q2"))]
        if spins == 2:
            second = other or source
            sets.append((square(second)(ops, t, x, 1), second(ops, t, x, "p2")))
        return ops.excited(sets, 0.5 * t["p3"], made)[1]

    return function


for _kind, _source in (DEEP | {f"complex-{k}": joined(f) for k, f in DEEP.items()}).items():
    for _spins in (1, 2):
        case("excited", f"excited({_kind}), spins {_spins}", excited(_source, _spins))
case("excited", "excited, one spin own, one constant", excited(own, 2, DEEP["constant"]))
case("excited", "excited, one spin pairs, one all", excited(DEEP["pair"], 2, DEEP["all"]))
