"""Shells of plane waves and their pair excitations in classes of symmetry, for the programs of this
folder that share nothing with the engine.
"""

from itertools import permutations, product

import numpy as np


def plane_waves(count, more, d=3):
    """Integer vectors of the `count` lowest plane waves, and of the `more` shells above them."""
    size = lambda m: sum(x * x for x in m)  # noqa: E731
    grid = sorted(product(range(-4, 5), repeat=d), key=lambda m: (size(m), m))
    above = sorted({size(m) for m in grid[count:]})[:more]
    return grid[:count], [m for m in grid[count:] if size(m) in above]


def turned(term, like):
    """The images of an excitation (k, l, q, p) under the 48 symmetries of a cube or the 8 of a
    square, as (image, sign).
    """
    d = len(term[0])
    for order in permutations(range(d)):
        for signs in product((1, -1), repeat=d):
            k, l, q, p = (tuple(s * m[a] for s, a in zip(signs, order, strict=True)) for m in term)
            if like:
                sign = (-1) ** ((k > l) + (q > p))
                yield (min(k, l), max(k, l), min(q, p), max(q, p)), sign
            else:
                yield (k, l, q, p), 1
                yield (l, k, p, q), 1


def excitations(occupied, virtual):
    """[(like, {(k, l, q, p): sign})] of all classes of pairs k, l -> q, p of equal momentum, those
    of both spins first, then of one; a class is counted where the first of its members is.
    """
    out = []
    for like in (False, True):
        seen = set()
        for k, l, q in product(occupied, occupied, virtual):
            p = tuple(a + b - c for a, b, c in zip(k, l, q, strict=True))
            term = (k, l, q, p)
            if p not in virtual or (like and not (k < l and q < p)):
                continue
            if term in seen:
                continue
            members = {}
            for image, sign in turned(term, like):
                members[image] = members.get(image, 0) + sign
            seen |= set(members)
            members = {t: np.sign(sign) for t, sign in members.items() if sign}
            if members:
                out.append((like, members))
    return out
