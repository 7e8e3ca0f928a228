"""Compiled passes over pairs against plain code; a walker's bits are its own; the size of tiles."""

import numpy as np
import pytest

import vmcnet as vmc
from vmcnet import kernels
from vmcnet.backend.stream import Stream
from vmcnet.calculus.elementwise import LAYERS
from vmcnet.calculus.jet import ALL, DISPLACEMENT, OWN, PAIR, Frame, JetData
from vmcnet.calculus.pairs import COLLECT, MESSAGES
from vmcnet.kernels import NEAR, cpu, numba_pairs, plain
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.tiled_jets import WIDEST, jet_tile

TYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
SIZES = [(2, 1, 3), (3, 2, 16), (4, 3, 8), (7, 2, 19), (14, 3, 32)]  # particles, d, features


def jets(n, d, features, dtype, support, walkers=6):
    rng, frame = np.random.default_rng(n), Frame(n, d)

    def jet(kind, entries):
        shape = (frame.slots[kind], walkers, entries, features)
        return JetData(rng.normal(size=shape).astype(dtype), kind, frame)

    pairs = n * (n - 1) // 2
    return jet(support, pairs), jet(support, pairs), jet(ALL, n), jet(OWN, n)


@TYPES
@pytest.mark.parametrize("support", [PAIR, DISPLACEMENT])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_plain_twin(sizes, support, dtype, monkeypatch):
    """Jets, values and adjoints of collect and messages: compiled and plain, to rounding."""
    e, g, v, own = jets(*sizes, dtype, support)
    adjoint = np.random.default_rng(1).normal(size=v.shape).astype(dtype)

    def everything():
        values = e.value, g.value, v.value
        return [
            COLLECT.jet(np, e, g).slots,
            MESSAGES.jet(np, e, g, v).slots,
            MESSAGES.jet(np, e, g, own).slots,
            MESSAGES.value(np, *values),
            *MESSAGES.reverse(np, adjoint, None, *values),
        ]

    found = everything()
    monkeypatch.setattr("vmcnet.kernels.of", lambda xp, *dtypes: kernels.Kernels(xp))
    for a, b in zip(found, everything(), strict=True):
        assert a.dtype == dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=30 * np.finfo(dtype).eps * abs(b).max())


@TYPES
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_bits_do_not_depend_on_the_other_walkers(sizes, dtype):
    e, g, v, own = jets(*sizes, dtype, DISPLACEMENT)
    whole, values = MESSAGES.jet(np, e, g, v).slots, MESSAGES.value(np, e.value, g.value, v.value)
    of_own = MESSAGES.jet(np, e, g, own).slots
    collected = COLLECT.jet(np, e, g).slots
    for part in (slice(0, 1), slice(1, 4), slice(5, 6)):
        some = [x.like(x.slots[:, part]) for x in (e, g, v)]
        alone = MESSAGES.jet(np, *some[:2], own.like(own.slots[:, part])).slots
        assert np.array_equal(alone, of_own[:, part])
        assert np.array_equal(MESSAGES.jet(np, *some).slots, whole[:, part])
        assert np.array_equal(COLLECT.jet(np, *some[:2]).slots, collected[:, part])
        assert np.array_equal(MESSAGES.value(np, *(x.value for x in some)), values[part])


@TYPES
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_messages_of_chosen_variants(sizes, dtype):
    """Compiled and plain, against messages of what was chosen: v of walkers, of configurations, and
    none.
    """
    (n, _, features), rng = sizes, np.random.default_rng(2)
    (i, j), walkers, count, variants = np.triu_indices(n, 1), 3, 4, 3
    e, g = rng.normal(size=(2, walkers * variants, len(i), features)).astype(dtype)
    index = rng.integers(variants, size=(walkers * count, len(i)))
    row = np.arange(walkers).repeat(count)[:, None] * variants + index
    chosen = [x[row, np.arange(len(i))] for x in (e, g)]
    for rows in (0, walkers, walkers * count):
        v = rng.normal(size=(rows, n, features)).astype(dtype) if rows else None
        ones = np.ones((walkers * count, n, features), dtype)
        full = ones if v is None else np.repeat(v, walkers * count // rows, axis=0)
        known = MESSAGES.value(np, *chosen, full)
        for found in (
            cpu.chosen_messages(e, g, v, index, walkers, i, j),
            plain.chosen_messages(np, e, g, v, index, walkers, i, j),
        ):
            assert found.dtype == dtype
            tolerance = 30 * np.finfo(dtype).eps * abs(known).max()
            np.testing.assert_allclose(found, known, rtol=0, atol=tolerance)


@TYPES
def test_residual_pass(dtype):
    """h + f in one pass is the sum and the chain rule, with and without a second term."""
    rng = np.random.default_rng(3)
    z, t, h = (rng.normal(size=(8, 5, 7, 33)).astype(dtype) for _ in range(3))
    for more in (t, None):
        argument = z if more is None else z + more
        y, slope, curvature = LAYERS["tanh"].derivatives(np, argument[0])
        known = argument.copy()
        cpu.chain(known, y, slope, curvature)
        found = z.copy()
        cpu.residual(found, more, h, y, slope, curvature)
        np.testing.assert_allclose(found, known + h, rtol=0, atol=50 * np.finfo(dtype).eps)


def test_vectors_where_the_processor_has_them():
    assert (numba_pairs.BITS > 0) == (numba_pairs.REGISTERS is not None)


def test_tiles_follow_the_widest_jet():
    """Of two networks of one width the deeper has wider jets than one whose layers are not made;
    a tile is the same for every theta.
    """
    assert jet_tile(128, NEAR // 128, NEAR) == 128 and jet_tile(128, NEAR // 128 + 1, NEAR) == 64
    assert jet_tile(3, NEAR, NEAR) == 3 and jet_tile(12, NEAR, NEAR) == 3
    system, widths = vmc.systems.TrappedBosons(4, 3), {}
    for layers in ([64, 64], [64, 64, 64, 64], [48]):
        psi = vmc.wavefunctions.FeedForward(system, layers)
        walkers = system.start(Stream(1, 0, 0, 0), 32)
        value = psi.bind(psi.start(Stream(2, 0, 0, 0))).jet(walkers)[2]
        (widths[len(layers)],) = WIDEST[psi].values()
        again = psi.bind(psi.start(Stream(2, 0, 0, 0))).jet(walkers)[2]
        assert np.array_equal(value, again)
    assert widths[4] == (4 * 3 + 2) * 64 * 8
    if numba_pairs.BITS:
        assert widths[2] < widths[4] and widths[1] < widths[4]


def test_a_jet_is_the_same_in_tiles():
    system = vmc.systems.TrappedBosons(4, 3)
    psi = vmc.wavefunctions.FeedForward(system, [32, 32, 32])
    bound, walkers = psi.bind(psi.start(Stream(2, 0, 0, 0))), system.start(Stream(1, 0, 0, 0), 32)
    whole = bound.jet(walkers)
    WIDEST[psi] = dict.fromkeys(WIDEST[psi], NEAR // 4)
    for a, b in zip(whole, bound.jet(walkers), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    part = bound.jet(Walkers(walkers.r[:4], walkers.s[:4]))
    np.testing.assert_allclose(part[2], whole[2][:4], rtol=1e-12)
