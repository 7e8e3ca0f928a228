"""Bonds, shells, sublattices and translations of lattices."""

import numpy as np
import pytest

from vmcnet.geometry.lattice import Graph, Hypercubic
from vmcnet.geometry.moves import SpinMoves


@pytest.mark.parametrize(
    ("extent", "periodic", "counts"),
    [
        ([6], True, (6, 6)),
        ([6], False, (5, 4)),
        ([4, 4], True, (32, 32)),
        ([3, 5], False, (22, 16)),
        ([3, 3, 3], True, (81, 162)),
        ([3, 3, 3, 3], True, (324, 972)),
    ],
)
def test_numbers_of_bonds(extent, periodic, counts):
    lattice = Hypercubic(extent, periodic, 2)
    assert tuple(map(len, lattice.shells)) == counts
    for bonds, square in zip(lattice.shells, (1, 2 if len(extent) > 1 else 4), strict=True):
        step = np.abs(lattice.positions[bonds[:, 0]] - lattice.positions[bonds[:, 1]])
        step = np.minimum(step, np.array(extent) - step) if periodic else step
        assert ((step**2).sum(axis=1) == square).all()


@pytest.mark.parametrize(
    ("extent", "periodic", "translations", "elements"),
    [
        ([4, 6], True, 24, 96),
        ([4, 4], True, 16, 128),
        ([5], True, 5, 10),
        ([4], False, 1, 2),
        ([3, 3], False, 1, 8),
        ([3, 3, 3], True, 27, 27 * 48),
    ],
)
def test_symmetries_keep_every_shell(extent, periodic, translations, elements):
    lattice = Hypercubic(extent, periodic, 2)
    group = lattice.space_group
    assert lattice.translations.shape == (translations, lattice.sites) and group.shape == (
        elements,
        lattice.sites,
    )
    known = set(map(tuple, group.tolist()))
    assert len(known) == elements and set(map(tuple, lattice.translations.tolist())) <= known
    assert {
        tuple(g[group[-1]].tolist()) for g in group
    } == known  # closed under products with an element
    for bonds in lattice.shells:
        assert all(
            (np.unique(np.sort(g[bonds], axis=1), axis=0) == np.unique(bonds, axis=0)).all()
            for g in group
        )


def test_sublattices():
    for lattice in (
        Hypercubic([6]),
        Hypercubic([4, 6]),
        Hypercubic([3, 5], False),
        Graph(6, [[0, 1], [1, 2], [3, 4]]),
    ):
        colour = lattice.sublattice
        assert all(colour[i] == -colour[j] for i, j in lattice.shells[0].tolist()) and set(
            colour.tolist()
        ) == {1, -1}
    assert (
        Hypercubic([5]).sublattice is None and Graph(3, [[0, 1], [1, 2], [2, 0]]).sublattice is None
    )


def test_moves():
    s = np.array([[1, 1, -1], [1, -1, -1]], np.int8)
    flips, swaps = SpinMoves.flips(3), SpinMoves([[0, 1], [1, 2]])
    np.testing.assert_array_equal(flips.connected(s)[0], [[-1, 1, -1], [1, -1, -1], [1, 1, 1]])
    np.testing.assert_array_equal(swaps.acts(s), [[False, True], [True, False]])
    np.testing.assert_array_equal(
        swaps.connected(s), [[[1, 1, -1], [1, -1, 1]], [[-1, 1, -1], [1, -1, -1]]]
    )
    with pytest.raises(ValueError, match="flips or"):
        SpinMoves([[0, 1, 2]])


def test_groups_are_written_down_when_asked_for():
    """A chain of 100 000 sites has 10^10 numbers in its translations."""
    lattice = Hypercubic([100_000])
    assert lattice.translated and len(lattice.shells[0]) == 100_000
    with pytest.raises(ValueError, match="too many to write down"):
        _ = lattice.translations
    with pytest.raises(ValueError, match="leave point_group out"):
        _ = Hypercubic([3] * 6).space_group
