"""Classes of pair excitations of plane waves, against sums of excited determinants."""

import numpy as np
import pytest

from vmcnet.geometry.box import Box
from vmcnet.systems import ElectronGas
from vmcnet.wavefunctions.momentum_pairs import pair_classes, symmetries
from vmcnet.wavefunctions.plane_waves import real_waves
from vmcnet.wavefunctions.slater import Slater

CUBE, SQUARE = Box.cube(3.0), Box.cube(3.0, 2)
TURNED, HALF = Box.cube(3.0, 2, [0.3, -0.8]), Box.cube(3.0, 2, [np.pi, -np.pi])


def shells(box, first, last):
    return np.concatenate(box.shells(last)[first:last])


CASES = {
    "cube 7 + 7, next shell": (CUBE, CUBE.filled(7), CUBE.filled(7), shells(CUBE, 2, 3)),
    "square 5 + 5, two shells": (SQUARE, SQUARE.filled(5), SQUARE.filled(5), shells(SQUARE, 2, 4)),
    "square 5 + 1": (SQUARE, SQUARE.filled(5), SQUARE.filled(1), shells(SQUARE, 2, 4)),
    "square 3 + 2 with a twist": (TURNED, TURNED.filled(3), TURNED.filled(2), shells(TURNED, 3, 7)),
    "square 4 + 4, half a turn": (HALF, HALF.filled(4), HALF.filled(4), shells(HALF, 1, 3)),
}


def waves(box, integers, r):
    return np.exp(1j * r @ box.wave_vectors(integers).T)


def orbitals(box, integers, r):
    found = real_waves(box, integers)
    return waves(box, integers, r) if found is None else np.cos(r @ found[0] + found[1])


@pytest.mark.parametrize("name", CASES)
def test_classes_equal_sums_of_excited_determinants(name):
    """Every class over psi, from determinants of plane waves with two of them replaced."""
    box, up, down, virtual = CASES[name]
    classes, rng = pair_classes(box, up, down, virtual), np.random.default_rng(1)
    sets = (up, down)
    r = [box.lengths * rng.uniform(size=(len(s), box.dimensions)) for s in sets]
    u, v = (
        np.linalg.solve(orbitals(box, s, z), orbitals(box, virtual, z)).ravel()
        for s, z in zip(sets, r, strict=True)
    )
    found = np.zeros(len(classes), u.dtype)
    for e, a, b in ((classes.unlike, u, v), (classes.up, u, u), (classes.down, v, v)):
        np.add.at(found, e.class_, e.value * a[e.first] * b[e.second])

    def excited(spin, *moves):
        matrix = waves(box, sets[spin], r[spin])
        plain = np.linalg.det(matrix)
        for k, q in moves:
            column = sets[spin].tolist().index(list(k))
            matrix[:, column] = waves(box, np.array([q]), r[spin])[:, 0]
        return np.linalg.det(matrix) / plain

    both = np.array_equal(up, down)
    downs = set(classes.down.class_.tolist())
    for o, (label, terms) in enumerate(zip(classes.labels, classes.members, strict=True)):
        known = 0.0
        for (k, l, q, p), sign in terms:
            if label.startswith("unlike"):
                known += sign * excited(0, (k, q)) * excited(1, (l, p))
            else:
                spins = (0, 1) if both else (1,) if o in downs else (0,)
                known += sign * sum(excited(s, (k, q), (l, p)) for s in spins)
        assert found[o] == pytest.approx(known / np.sqrt(len(terms)), rel=1e-8, abs=1e-9), label


@pytest.mark.parametrize("name", CASES)
def test_every_excitation_is_in_one_class(name):
    """By search: all of conserved momentum, but those that symmetry maps onto their negative."""
    box, up, down, virtual = CASES[name]
    classes = pair_classes(box, up, down, virtual)
    sizes = {"unlike": 0, "like": 0}
    seen = set()
    for o, terms in enumerate(classes.members):
        kind = classes.labels[o].split()[0]
        sizes[kind] += len(terms)
        spin = "" if kind == "unlike" else str(o in set(classes.up.class_.tolist()))
        for t, _ in terms:
            assert np.array_equal(np.add(*t[:2]), np.add(*t[2:]))
            assert (kind, spin, t) not in seen
            seen.add((kind, spin, t))
    count = sum(
        np.array_equal(k + l, q + p) for k in up for l in down for q in virtual for p in virtual
    )
    assert sizes["unlike"] == count


def test_the_counts_of_the_cube():
    """N = 14: 19 unlike and 6 like classes into the shells up to 4; two more vanish by symmetry."""
    filled = CUBE.filled(7)
    small = pair_classes(CUBE, filled, filled, shells(CUBE, 2, 5))
    assert [sum(x.startswith(kind) for x in small.labels) for kind in ("unlike", "like")] == [19, 6]
    np.testing.assert_array_equal(small.up.value, small.down.value)


def test_no_two_classes_are_one():
    """Where waves are real, those of k and of -k are one class; waves that leave a -k out, and
    shells without any pair, are refused.
    """
    gas = ElectronGas(8, dimensions=2, twist=[0.5, 0.5])
    keys = Slater(gas, excitations=2).excitations._keys()
    assert len(keys) > 20 and len(set(keys)) == len(keys)
    cube, seven = ElectronGas(14), [[0, 0, 0], *np.eye(3, dtype=int).tolist()]
    seven = [*seven, [-1, 0, 0], [0, -1, 0], [1, 1, 0]]
    with pytest.raises(ValueError, match="k with every -k"):
        Slater(cube, occupied_up=seven, occupied_down=seven, excitations=1)
    with pytest.raises(ValueError, match="no pair of particles can be excited"):
        Slater(ElectronGas(2, polarisation=1.0, twist=[0.1, 0.2, 0.3]), excitations=1)


def test_every_class_is_invariant_under_the_group():
    """Positions turned, reflected, moved and with their spins exchanged leave every class alone."""
    filled, virtual = SQUARE.filled(5), shells(SQUARE, 2, 4)
    classes, rng = pair_classes(SQUARE, filled, filled, virtual), np.random.default_rng(2)

    def values(x, y):
        u, v = (
            np.linalg.solve(orbitals(SQUARE, filled, z), orbitals(SQUARE, virtual, z)).ravel()
            for z in (x, y)
        )
        out = np.zeros(len(classes))
        for e, a, b in ((classes.unlike, u, v), (classes.up, u, u), (classes.down, v, v)):
            np.add.at(out, e.class_, e.value * a[e.first] * b[e.second])
        return out

    x, y = 3.0 * rng.uniform(size=(2, 5, 2))
    known = values(x, y)
    group = symmetries(SQUARE, filled)
    assert len(group) == 8
    for g in group:
        np.testing.assert_allclose(values(x @ g.T, y @ g.T), known, rtol=1e-8)
    np.testing.assert_allclose(values(x + [0.3, 1.1], y + [0.3, 1.1]), known, rtol=1e-8)
    np.testing.assert_allclose(values(y, x), known, rtol=1e-8)
    unlike = classes.unlike.class_.max() + 1
    assert np.abs(values(x, y + [0.1, 0.0]) - known)[:unlike].min() > 1e-6


def test_real_waves_span_the_plane_waves():
    rng = np.random.default_rng(3)
    for box in (CUBE, Box.cube(2.0, 3, [np.pi] * 3), Box([1.0, 2.0])):
        for shell in box.shells(4):
            k, b = real_waves(box, shell)
            r = rng.uniform(size=(60, box.dimensions)) * box.lengths
            both = np.concatenate([np.cos(r @ k + b), waves(box, shell, r)], axis=1)
            assert np.linalg.matrix_rank(both, tol=1e-9) == len(shell)
    assert real_waves(TURNED, TURNED.filled(3)) is None
    assert real_waves(CUBE, np.array([[0, 0, 0], [1, 0, 0]])) is None
