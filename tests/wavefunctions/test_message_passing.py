"""Message-passing networks and their heads: what exchange, translation and zero weights must leave
alone, against plain code and differences.
"""

import numpy as np
import pytest

from tests.calculus.differences import check_direction, check_jet
from vmcnet.backend.stream import Stream
from vmcnet.calculus.values import Values
from vmcnet.geometry.box import Box
from vmcnet.parameters import Layout
from vmcnet.systems import Particles
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import GaussianEnvelope, MessagePassing, NetworkJastrow
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.heads import Heads

WIDE = np.longdouble
SPINS = [1, 1, -1, -1, 1]
OPTIONS = {
    "filter": {"width": 5, "passes": 2},
    "one pass": {"width": 4, "passes": 1, "activation": "silu"},
    "three passes": {"width": 3, "passes": 3},
    "full": {"width": 4, "passes": 2, "edges": "full"},
    "attention": {"width": 4, "passes": 2, "edges": "attention", "activation": "gelu"},
}
RANGED = {
    "range": {"width": 4, "passes": 2, "range": 0.9},
    "full with range": {"width": 4, "passes": 2, "edges": "full", "range": 1.2},
    "attention with range": {"width": 3, "passes": 2, "edges": "attention", "range": 0.7},
}
NAMES = ("backflow", "orbitals", "jastrow")
SPACES = {
    "line": (1, None),
    "plane": (2, None),
    "space": (3, None),
    "square": (2, [2.3, 2.3]),
    "box": (3, [2.0, 2.6, 3.1]),
}


def system(space, spins=SPINS):
    d, lengths = SPACES[space]
    box = None if lengths is None else Box(lengths)
    return Particles(
        len(spins), d, {"none": lambda r: 0 * r[:, 0, 0]}, length=1.3, spins=spins, box=box
    )


def walkers(of, count=4, seed=5, dtype=np.float64):
    scale = 1.0 if of.box is None else of.box.lengths
    r = np.random.default_rng(seed).normal(size=(count, of.particles, of.dimensions)) * scale
    s = np.broadcast_to(of.spins, r.shape[:2]).copy()
    s[1] = s[1, ::-1]  # spins are those of the walker, not of the system
    return Walkers(r.astype(dtype), s)


class Determinants(Wavefunction):
    """det of two orbitals for every spin, sums of Gaussians or waves, with all three heads."""

    name = "determinants"

    def __init__(self, of, options, spread=0.3, heads=True):
        self.particles, self.dimensions, self.box, self.layout = (
            of.particles,
            of.dimensions,
            of.box,
            Layout(),
        )
        rows = np.arange(of.dimensions * 2 * of.particles).reshape(of.dimensions, -1)
        self.waves = np.cos(1.7 * rows)
        if of.box is not None:
            self.waves = 2 * np.pi * np.rint(2 * self.waves) / of.box.lengths[:, None]
        self.heads = None
        if heads:
            network = MessagePassing(**options, spread=spread)
            self.heads = Heads(network, NAMES, self.layout, of, 2 * of.particles)

    def initial(self, stream):
        return self.heads.initial(stream) if self.heads else {}

    def log_psi(self, ops, theta, walkers):
        n, (x, factors, more) = self.particles, (walkers.r, None, None)
        if self.heads:
            x, factors, more = self.heads(ops, theta, walkers)
        shift = ops.fixed(np.sin(np.arange(2.0 * n)))
        phi = ops.sin(ops.affine(x, ops.fixed(self.waves), shift))
        if self.heads:
            phi = phi * factors
        up = np.repeat((walkers.s > 0)[:, :, None], n, axis=2)
        mask = np.concatenate([up, ~up], axis=2).astype(ops.real_dtype)
        # columns of either spin in one square matrix: an orbital of n, whatever the spins are
        ones = np.concatenate([np.eye(n), np.eye(n)])
        sign, log = ops.slogdet(ops.affine(phi * ops.constant(mask), ops.fixed(ones)))
        return sign, log + more if self.heads else log


def theta_of(psi, seed=3):
    """Random parameters, biases too."""
    start = psi.start(Stream(seed, 0, 0, 0))
    return start + 0.1 * np.random.default_rng(seed).normal(size=start.shape)


def hidden(of, options, w):
    layout = Layout()
    network = MessagePassing(**options).declare(layout, "a_", of)
    rng = np.random.default_rng(3)
    theta = {k: rng.normal(size=e.shape) for k, e in layout.entries.items()}
    ops = Values(np)
    configuration = Walkers(ops.coordinates(w.r), w.s)
    return network.hidden(ops, {k: ops.parameter(v) for k, v in theta.items()}, configuration).data


each_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
each_range = pytest.mark.parametrize("options", RANGED.values(), ids=RANGED.keys())
each_space = pytest.mark.parametrize("space", SPACES)


@each_space
@each_option
def test_equivariance(space, options):
    """Particles renamed together with their spins: the same hidden states, renamed."""
    of = system(space)
    w, order = walkers(of), [3, 0, 4, 1, 2]
    h = hidden(of, options, w)
    assert h.shape == (4, 5, options["width"]) and np.std(h) > 0.05
    renamed = hidden(of, options, Walkers(w.r[:, order], w.s[:, order]))
    np.testing.assert_allclose(renamed, h[:, order], rtol=0, atol=1e-13)
    other = hidden(of, options, Walkers(w.r, w.s[:, order]))
    assert np.abs(other - h).max() > 1e-3  # spins matter


@pytest.mark.parametrize("space", ["square", "box"])
@each_option
def test_periodic(space, options):
    """One particle moved by a cell, or all by any vector: nothing changes."""
    of = system(space)
    w = walkers(of)
    h = hidden(of, options, w)
    for axis in range(of.dimensions):
        r = w.r.copy()
        r[:, 2, axis] += of.box.lengths[axis]
        np.testing.assert_allclose(hidden(of, options, Walkers(r, w.s)), h, rtol=0, atol=1e-12)
    np.testing.assert_allclose(hidden(of, options, Walkers(w.r + 0.37, w.s)), h, atol=1e-12)
    r = w.r.copy()
    r[:, 2] += 0.1
    assert np.abs(hidden(of, options, Walkers(r, w.s)) - h).max() > 1e-3


@each_space
@each_option
def test_antisymmetry(space, options):
    """(r, s) of two particles exchanged, of equal and of unequal spins: the sign turns."""
    of = system(space)
    psi, w = Determinants(of, options), walkers(of)
    bound = psi.bind(theta_of(psi))
    sign, log = bound.amplitude(w.r, w.s)
    for i, j in ((0, 1), (0, 2), (3, 4), (2, 3)):
        order = list(range(5))
        order[i], order[j] = j, i
        turned, same = bound.amplitude(w.r[:, order], w.s[:, order])
        assert np.array_equal(turned, -sign)
        np.testing.assert_allclose(same, log, rtol=0, atol=1e-13 * (10 + np.abs(log).max()))


@each_range
def test_a_range(options):
    """Messages that fall off: exchange, cells, contact, differences as without."""
    for space in ("square", "box"):
        test_equivariance(space, options)
        test_periodic(space, options)
        test_smooth_at_contact(space, options)
    test_derivatives("box", options)


@pytest.mark.parametrize("options", [*RANGED.values(), {"width": 4}])
def test_a_range_means_the_same_in_larger_boxes(options):
    """A cluster with a distant particle, in boxes of 20 and 40 lengths; without range features
    are of the box.
    """
    w, found = np.random.default_rng(2).normal(size=(4, 5, 3)), []
    w[:, 4] = [13.0, 12.0, 11.0]
    for length in (26.0, 52.0):
        of = Particles(
            5, 3, {"none": lambda r: 0 * r[:, 0, 0]}, length=1.3, spins=SPINS, box=Box([length] * 3)
        )
        found.append(hidden(of, options, Walkers(w, of.labels(4))))
    apart = np.abs(found[0] - found[1]).max()
    assert apart < 0.05 if "range" in options else apart > 0.2


@pytest.mark.parametrize("edges", ["full", "attention"])
def test_edges_that_would_see_nothing_are_refused(edges):
    """In a box the first pass has no hidden states; in open space particles have features."""
    network = MessagePassing(width=3, passes=1, edges=edges)
    with pytest.raises(ValueError, match=f"edges = {edges} with passes = 1.*give 2 passes"):
        network.declare(Layout(), "", system("box"))
    network.declare(Layout(), "", system("plane"))


def test_a_range_needs_a_box():
    with pytest.raises(ValueError, match="range belongs to periodic boxes"):
        MessagePassing(range=1.0).declare(Layout(), "", system("plane"))
    with pytest.raises(ValueError, match="MessagePassing range must be above 0"):
        MessagePassing(range=0.0)


@each_space
def test_zero_heads_are_the_plain_determinant(space):
    of = system(space)
    w = walkers(of)
    plain, full = Determinants(of, {}, heads=False), Determinants(of, {}, spread=0.0)
    here = plain.bind(plain.start(Stream(1, 0, 0, 0)))
    there = full.bind(full.start(Stream(1, 0, 0, 0)))
    for a, b in zip(here.amplitude(w.r, w.s), there.amplitude(w.r, w.s), strict=True):
        np.testing.assert_array_equal(a, b)
    near = Determinants(of, {}, spread=0.01)
    log = near.bind(near.start(Stream(1, 0, 0, 0))).log(w.r, w.s)
    assert 0 < np.median(np.abs(log - here.log(w.r, w.s))) < 1


@pytest.mark.parametrize("space", ["line", "plane", "box"])
@each_option
def test_derivatives(space, options):
    """Jet, drift and parameters of the determinant with all heads against differences."""
    of = system(space, SPINS[1:4])
    psi, w = Determinants(of, options, spread=0.1), walkers(of, 30)
    theta = theta_of(psi)
    bound = psi.bind(theta)
    chosen = np.argsort(bound.log(w.r, w.s))[-4:]  # far from nodes
    w = Walkers(w.r[chosen], w.s[chosen])
    wide_r = w.r.astype(WIDE)
    jet = bound.jet(w)

    check_jet(bound.log, w.r, *jet, w.s)
    np.testing.assert_allclose(
        bound.drift(w.r, w.s).reshape(len(w.r), -1).T, jet[1], rtol=1e-9, atol=1e-9
    )
    way = np.random.default_rng(2).normal(size=theta.shape) * 0.05
    slope = bound.log_derivatives(w) @ way
    check_direction(
        lambda t: psi.bind(theta.astype(WIDE) + t * way).log(wide_r, w.s), slope, "parameters"
    )


@each_space
@each_option
def test_smooth_at_contact(space, options):
    """Two particles that meet: log psi of the symmetric factor has no kink along their line, as a
    Jastrow factor's cusp must stay what it is.
    """
    of = system(space)
    psi = NetworkJastrow(of, MessagePassing(**options, spread=1.0))
    bound, w = psi.bind(theta_of(psi)), walkers(of)
    way = np.random.default_rng(4).normal(size=of.dimensions)

    def apart(distance):
        r = w.r.copy()
        r[:, 0] = r[:, 1] + distance * way / np.linalg.norm(way)
        return bound.log(r, w.s)

    kinks = [np.abs(apart(h) + apart(-h) - 2 * apart(1e-9)).max() / h for h in (1e-2, 1e-3)]
    assert kinks[1] < 0.2 * kinks[0] and kinks[1] < 0.1


@each_option
def test_symmetric_factor(options):
    """exp sum_i h_i.j: exchange leaves it alone; a product with an envelope can be sampled."""
    of = system("plane", [1, 1, 1])
    psi = GaussianEnvelope(of) * NetworkJastrow(of, MessagePassing(**options))
    bound, w = psi.bind(theta_of(psi)), walkers(of)
    log = bound.log(w.r, w.s)
    np.testing.assert_allclose(bound.log(w.r[:, [2, 0, 1]], w.s), log, rtol=0, atol=1e-12)
    single = walkers(of, dtype=np.float32)
    assert bound.jet(single)[2].dtype == np.float32
    np.testing.assert_allclose(bound.log(single.r, single.s), log, rtol=1e-4, atol=1e-4)


def test_layout():
    """The numbers of parameters of the plain network, by hand."""
    layout = Layout()
    MessagePassing(width=16, passes=2).declare(layout, "", system("plane"))
    pair, one, square = 4 * 16 + 16, 3 * 16 + 16, 16 * 16
    assert layout.size == pair + one + 2 * (4 * square + 2 * 16)
    layout = Layout()
    MessagePassing(width=16, passes=2).declare(layout, "", system("box", [1, 1, 1]))
    assert layout.size == 7 * 16 + 16 + (2 * square + 32) + (4 * square + 32)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width must be at least 1"),
        ({"passes": 0}, "passes must be at least 1"),
        ({"activation": "relu"}, "'relu'.*tanh"),
        ({"edges": "none"}, "'none'.*filter"),
        ({"spread": -1.0}, "spread"),
    ],
)
def test_refusals(options, words):
    with pytest.raises(ValueError, match=words):
        MessagePassing(**options)


@pytest.mark.parametrize("names", [[], ["jastrow", "jastrow"], ["pfaffian"]])
def test_heads_are_named(names):
    with pytest.raises(
        ValueError, match="complex_backflow, virtual_backflow, orbitals, jastrow, each once"
    ):
        Heads(MessagePassing(), names, Layout(), system("plane"), 4)


def test_one_particle_is_refused():
    with pytest.raises(ValueError, match="at least 2 particles"):
        NetworkJastrow(system("plane", [1]))
