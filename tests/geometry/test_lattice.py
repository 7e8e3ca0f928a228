"""Bonds, shells, sublattices and translations of lattices."""

import numpy as np
import pytest

from vmcnet.geometry.lattice import Graph, Hypercubic
from vmcnet.geometry.moves import SpinMoves


@pytest.mark.parametrize(("extent", "periodic", "counts"), [
    ([6], True, (6, 6)), ([6], False, (5, 4)), ([4, 4], True, (32, 32)), ([3, 5], False, (22, 16)), ([3, 3, 3], True, (81, 162)), ([3, 3, 3, 3], True, (324, 972)),
])
def test_numbers_of_bonds(extent, periodic, counts):
    lattice = Hypercubic(extent, periodic, 2)
    assert tuple(map(len, lattice.shells)) == counts
    for bonds, square in zip(lattice.shells, (1, 2 if len(extent) > 1 else 4), strict=True):
        step = np.abs(lattice.positions[bonds[:, 0]] - lattice.positions[bonds[:, 1]])
        step = np.minimum(step, np.array(extent) - step) if periodic else step
        assert ((step**2).sum(axis=1) == square).all()


def test_translations_keep_every_shell():
    lattice = Hypercubic([4, 6], True, 2)
    assert lattice.translations.shape == (24, 24)
    for bonds in lattice.shells:
        known = set(map(tuple, bonds.tolist()))
        for g in lattice.translations:
            assert {tuple(sorted((int(g[i]), int(g[j])))) for i, j in bonds} == known
    assert len(Hypercubic([4], False).translations) == 1


def test_sublattices():
    for lattice in (Hypercubic([6]), Hypercubic([4, 6]), Hypercubic([3, 5], False), Graph(6, [[0, 1], [1, 2], [3, 4]])):
        colour = lattice.sublattice
        assert all(colour[i] == -colour[j] for i, j in lattice.shells[0].tolist()) and set(colour.tolist()) == {1, -1}
    assert Hypercubic([5]).sublattice is None and Graph(3, [[0, 1], [1, 2], [2, 0]]).sublattice is None


def test_moves():
    s = np.array([[1, 1, -1], [1, -1, -1]], np.int8)
    flips, swaps = SpinMoves.flips(3), SpinMoves([[0, 1], [1, 2]])
    np.testing.assert_array_equal(flips.connected(s)[0], [[-1, 1, -1], [1, -1, -1], [1, 1, 1]])
    np.testing.assert_array_equal(swaps.acts(s), [[False, True], [True, False]])
    np.testing.assert_array_equal(swaps.connected(s), [[[1, 1, -1], [1, -1, 1]], [[-1, 1, -1], [1, -1, -1]]])
    with pytest.raises(ValueError, match="flips or"):
        SpinMoves([[0, 1, 2]])
