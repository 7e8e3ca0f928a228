"""What does not fit together is refused, by train() and by jobs alike, before a walker moves."""

import numpy as np
import pytest

import vmcnet as vmc
from tests.runs import JOB
from vmcnet.config import JobError, parse_job
from vmcnet.engine.fitting import fit
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.runs.building import build
from vmcnet.sampling import Exchange, Gaussian, SpinFlip
from vmcnet.sampling.gibbs import Gibbs
from vmcnet.sampling.thermal import Thermal
from vmcnet.systems import (
    ClassicalIsing,
    Heisenberg,
    Particles,
    Potts,
    QuantumDot,
    TransverseIsing,
    TrappedBosons,
)
from vmcnet.wavefunctions import (
    BinaryRBM,
    Boltzmann,
    FeedForward,
    GaussianEnvelope,
    GaussianRBM,
    HardCoreJastrow,
    PadeJastrow,
    SpinJastrow,
    Wavefunction,
)

DOT, DOT3, CHAIN = QuantumDot(), QuantumDot(dimensions=3), TransverseIsing([6])
SECTOR, MODEL, POTTS = Heisenberg([6]), ClassicalIsing([4, 4]), Potts([4, 4])
SPHERES = TrappedBosons(3, diameter=0.2)
CROWD = TrappedBosons(60, diameter=1.0)


class Own(Wavefunction):
    """exp(sign alpha sum r^2), which says that it decays."""

    name, decays = "own", True

    def __init__(self, system, sign=-1.0):
        self.particles, self.dimensions, self.sign = system.particles, system.dimensions, sign
        self.layout = Layout().add("alpha", (), POSITIVE)

    def initial(self, stream):
        return {"alpha": 0.4}

    def log_psi(self, ops, theta, walkers):
        return None, self.sign * (ops.total(walkers.r * walkers.r) * theta["alpha"])


class Unsized(Own):
    def __init__(self):
        self.layout = Layout()


class Renamed:
    """A term with a name of its own in the system's dictionary."""

    def local(self, walkers, psi):
        return np.zeros(len(walkers.s))


def with_term(name, term):
    system = QuantumDot()
    system.terms[name] = term
    return system


MISFITS = {
    "coordinates on spins": (CHAIN, GaussianEnvelope(DOT), None, "what moves in .* are spins"),
    "spins on coordinates": (DOT, BinaryRBM(CHAIN), None, "use GaussianRBM"),
    "other dimensions": (DOT, GaussianRBM(DOT3), None, "2 particles in 3 dimensions.*build it"),
    "other sizes": (TransverseIsing([8]), BinaryRBM(CHAIN), None, "6 sites, the system has 8"),
    "no envelope": (DOT, FeedForward(DOT, layers=[8]), None, "no factor decays"),
    "Jastrow alone": (DOT, PadeJastrow(DOT), None, "not normalisable"),
    "grows": (DOT, Own(DOT, 1.0), None, "grows between.*not normalisable"),
    "grows beside a machine": (DOT, GaussianRBM(DOT) * Own(DOT, 3.0), None, "grows between"),
    "no core": (SPHERES, GaussianEnvelope(SPHERES), None, "hard cores of diameter 0.2.*HardCore"),
    "a core too many": (
        TrappedBosons(3),
        GaussianEnvelope(SPHERES) * HardCoreJastrow(SPHERES),
        None,
        "closer than 0.2",
    ),
    "colours": (POTTS, Boltzmann(POTTS), SpinFlip(MODEL), "moves spins.*are colours: use thermal"),
    "Gaussian moves on spins": (CHAIN, BinaryRBM(CHAIN), Gaussian(), "moves coordinates.*spins"),
    "flips of particles": (DOT, GaussianRBM(DOT), SpinFlip(CHAIN), "moves spins"),
    "another lattice": (CHAIN, BinaryRBM(CHAIN), SpinFlip(TransverseIsing([4])), "another lattice"),
    "flips in a sector": (SECTOR, BinaryRBM(SECTOR), SpinFlip(CHAIN), "use exchange"),
    "exchange in all": (CHAIN, BinaryRBM(CHAIN), Exchange(SECTOR), "use spin_flip"),
    "gibbs in a sector": (SECTOR, BinaryRBM(SECTOR), Gibbs(CHAIN), "use exchange"),
    "gibbs of a Jastrow": (CHAIN, SpinJastrow(CHAIN), Gibbs(CHAIN), "binary_rbm with real weights"),
    "another temperature": (
        MODEL,
        Boltzmann(ClassicalIsing([4, 4], temperature=3.0)),
        None,
        "another classical system",
    ),
    "heat bath of another": (
        MODEL,
        Boltzmann(MODEL),
        Thermal(ClassicalIsing([4, 4], temperature=3.0)),
        "another classical system",
    ),
    "heat bath of a machine": (MODEL, BinaryRBM(MODEL), Thermal(MODEL), "use spin_flip"),
    "no place": (
        CROWD,
        GaussianEnvelope(CROWD) * HardCoreJastrow(CROWD),
        None,
        "no place for particle .* of 60 with spheres of diameter 1 in this trap",
    ),
    "too many parameters": (DOT, GaussianRBM(DOT, 10**9), None, r"5e\+09 parameters: expected"),
    "a class": (QuantumDot, GaussianRBM(DOT), None, "the class QuantumDot itself"),
    "a class of psi": (DOT, GaussianRBM, None, "the class GaussianRBM itself"),
    "no system": ("dot", GaussianRBM(DOT), None, "expected a System such as"),
    "turned round": (GaussianRBM(DOT), DOT, None, "expected a System"),
    "no wavefunction": (DOT, None, None, "expected a Wavefunction"),
    "no sizes": (DOT, Unsized(), None, "sets no `particles`"),
    "a term named energy": (with_term("energy", Renamed()), GaussianRBM(DOT), None, "'energy'"),
    "a comma in a name": (with_term("a,b", Renamed()), GaussianRBM(DOT), None, "'a,b'"),
    "a slash in a name": (with_term("a/b", Renamed()), GaussianRBM(DOT), None, "'a/b'"),
    "no local": (with_term("a", object()), GaussianRBM(DOT), None, "no method local"),
    "a class of term": (with_term("a", Renamed), GaussianRBM(DOT), None, "no method local"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_train_refuses(case):
    system, psi, sampler, words = MISFITS[case]
    with pytest.raises(ValueError, match=words) as error:
        vmc.train(system, psi, sampler=sampler, iterations=1, walkers=8, block=8)
    assert "\n" not in str(error.value) and len(str(error.value)) < 320


JOBS = {
    "coordinates on spins": (["system={type='transverse_ising', extent=[6]}"], "are spins"),
    "proposal of particles": (
        [
            "system={type='transverse_ising', extent=[6]}",
            "wavefunction=[{type='binary_rbm'}]",
            "sampling.proposal='gaussian'",
        ],
        "sampling.proposal: gaussian moves coordinates",
    ),
    "no envelope": (["wavefunction=[{type='pade_jastrow'}]"], "no factor decays"),
    "scan of particles": (["sampling.scan='random'"], "scan belong to spin_flip and exchange"),
    "spheres": (
        ["system={type='trapped_bosons', particles=3, diameter=0.1}"],
        "wavefunction: .*hard_core_jastrow",
    ),
    "omega": (["system.omega=1e300"], "system: QuantumDot omega must be between"),
    "tiny omega": (["system.omega=1e-300"], "system: QuantumDot omega must be between"),
}


@pytest.mark.parametrize("case", JOBS)
def test_jobs_refuse(case):
    settings, words = JOBS[case]
    if case == "spheres":
        settings = [*settings, "wavefunction=[{type='gaussian_envelope'}]"]
    with pytest.raises(JobError, match=words) as error:
        build(parse_job(JOB, settings))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("system", "psi", "name"),
    [
        (DOT, GaussianRBM(DOT), "gaussian"),
        (CHAIN, BinaryRBM(CHAIN), "spin_flip"),
        (SECTOR, BinaryRBM(SECTOR), "exchange"),
        (MODEL, Boltzmann(MODEL), "thermal"),
        (MODEL, BinaryRBM(MODEL), "spin_flip"),
        (POTTS, Boltzmann(POTTS), "thermal"),
    ],
)
def test_the_usual_sampler(system, psi, name):
    assert fit(system, psi).name == name


@pytest.mark.parametrize(
    ("table", "factor", "name"),
    [
        ("type='transverse_ising', extent=[6]", "binary_rbm", "spin_flip"),
        ("type='heisenberg', extent=[6]", "binary_rbm", "exchange"),
        ("type='potts', extent=[4, 4]", "boltzmann", "thermal"),
        ("type='quantum_dot'", "gaussian_rbm", "gaussian"),
    ],
)
def test_jobs_take_the_usual_sampler(table, factor, name):
    job = parse_job(JOB, [f"system={{{table}}}", f"wavefunction=[{{type='{factor}'}}]"])
    assert job.sampling.proposal is None and build(job)[-1].name == name


def test_potts_from_python_alone():
    """2 x 2 open lattice, q = 3: every state is summed."""
    system = Potts([2, 2], periodic=False, temperature=1.0)
    s, p = system.enumerated()
    result = vmc.train(system, Boltzmann(system), iterations=0, walkers=512, block=128, seed=3)
    found = vmc.evaluate(result, steps=100)
    assert abs(found.energy - (p * system.energy(s)).sum()) < 5 * found.error < 0.1


def test_a_decaying_psi_of_ones_own_passes():
    result = vmc.train(DOT, Own(DOT), iterations=1, walkers=8, block=8)
    assert np.isfinite(result.series["energy"]).all()


def test_names_of_equal_factors():
    """Names that end in digits, or that are made equal by counting, stay apart."""

    def named(name):
        factor = Own(DOT)
        factor.name = name
        return factor

    for names, labels in (
        (["net2", "net2"], ["net21", "net22"]),
        (["rbm", "rbm"], ["rbm1", "rbm2"]),
        (["net", "net", "net1"], ["net2", "net3", "net1"]),
        (["net1", "net", "net"], ["net1", "net2", "net3"]),
        (["a", "a1", "a1", "a"], ["a1", "a11", "a12", "a2"]),
        (["x", "y"], ["x", "y"]),
    ):
        psi = vmc.wavefunctions.Product([named(name) for name in names])
        assert psi.names == labels and list(psi.layout.entries) == [f"{n}.alpha" for n in labels]
    square = vmc.train(DOT, named("net2") * named("net2"), iterations=1, walkers=8, block=8)
    assert set(square.parameters) == {"net21.alpha", "net22.alpha"}


# terms and potentials: what they get, and what they may return


def trained(potential, **options):
    system = Particles(2, 1, {"v": potential})
    psi = GaussianEnvelope(system)
    settings = {"iterations": 2, "walkers": 64, "block": 32, "warmup": 2} | options
    return vmc.train(system, psi, optimizer=vmc.optimizers.SGD(1e-9), **settings)


def writes(r):
    r *= 1.1
    return 0.5 * (r**2).sum(axis=(1, 2))


def writes_part(r):
    r[:, 0] = 0.0
    return 0.5 * (r**2).sum(axis=(1, 2))


def phase(r):
    return 0.5 * (r**2).sum(axis=(1, 2)) * np.exp(1j * np.pi / 3)


@pytest.mark.parametrize(
    ("potential", "words"),
    [
        (writes, "'v' writes into the walkers' arrays, which are read-only"),
        (writes_part, "'v' writes into"),
        (phase, "imaginary part"),
        (lambda r: 0.5 * (r**2).sum(), "'?v'?|one number a walker"),
        (lambda r: 0.5 * (r**2).sum(axis=1), "one number a walker"),
        (lambda r: None, "one number a walker"),
        (lambda r: 1.0, "one number a walker"),
    ],
)
def test_potentials_are_checked(potential, words):
    with pytest.raises(ValueError, match=words) as error:
        trained(potential)
    assert "\n" not in str(error.value)


def test_complex_potentials_without_an_imaginary_part():
    found = trained(lambda r: 0.5 * (r**2).sum(axis=(1, 2)) * (1 + 0j))
    same = trained(lambda r: 0.5 * (r**2).sum(axis=(1, 2)))
    np.testing.assert_array_equal(found.series["energy"], same.series["energy"])


class Term:
    def __init__(self, local):
        self._local = local

    def local(self, walkers, psi):
        return self._local(walkers, psi)


def writes_spins(walkers, psi):
    walkers.s[:, 0] = 1
    return np.zeros(len(walkers.s))


@pytest.mark.parametrize(
    ("local", "words"),
    [
        (lambda w, psi: np.zeros(3), r"'mine' returned shape \(3,\).*shape \(32,\)"),
        (lambda w, psi: np.zeros((len(w.s), 1)), "'mine' returned shape"),
        (lambda w, psi: 0.0, "'mine' returned float"),
        (lambda w, psi: [0.0] * len(w.s), "'mine' returned list"),
        (lambda w, psi: np.full(len(w.s), "x"), "expected numbers"),
        (lambda w, psi: np.full(len(w.s), 1j), "'mine' has an imaginary part, and psi is real"),
        (writes_spins, "'mine' writes into"),
    ],
)
@pytest.mark.parametrize("system", [QuantumDot, lambda: TransverseIsing([4])])
def test_terms_are_checked(system, local, words):
    system = system()
    system.terms["mine"] = Term(local)
    psi = GaussianRBM(system) if system.dimensions else BinaryRBM(system)
    with pytest.raises(ValueError, match=words) as error:
        vmc.train(system, psi, iterations=1, walkers=64, block=32, warmup=1)
    assert "\n" not in str(error.value)


def test_terms_of_a_complex_psi_may_be_complex():
    system = TransverseIsing([4])
    system.terms["mine"] = Term(lambda w, psi: np.full(len(w.s), 1j))
    vmc.train(system, BinaryRBM(system, weights="complex"), iterations=1, walkers=64, block=32)


def test_whole_numbers_count_as_energies():
    system = TransverseIsing([4])
    system.terms["ones"] = Term(lambda w, psi: np.ones(len(w.s), np.int64))
    result = vmc.train(system, BinaryRBM(system), iterations=1, walkers=64, block=32)
    assert result.series["terms/ones"][0] == 1.0


# evaluations of one result


def ratio(system, psi, seeds, steps, warmup=50, **options):
    """Root mean square of (a - b) / error of two evaluations of the same result."""
    pairs = []
    for seed in range(seeds):
        result = vmc.train(
            system,
            psi,
            optimizer=vmc.optimizers.SGD(1e-12),
            iterations=1,
            walkers=64,
            block=64,
            seed=seed,
        )
        one = {"steps": steps, "warmup": warmup}
        a, b = vmc.evaluate(result, **one), vmc.evaluate(result, **one, **options)
        pairs.append((a.energy - b.energy) / np.hypot(a.error, b.error))
    return np.sqrt(np.mean(np.square(pairs)))


def test_evaluations_draw_words_of_their_own():
    """32 pairs: 1 +- 0.13; the same words again give 0.1."""
    system = TransverseIsing([6])
    psi = BinaryRBM(system)
    assert 0.65 < ratio(system, psi, 32, 16, warmup=20) < 1.4
    assert ratio(system, psi, 6, 16, number=0) < 0.4


def test_a_number_repeats_on_purpose():
    system = TransverseIsing([4])
    make = {"iterations": 1, "walkers": 64, "block": 64, "seed": 1}
    one, two = (vmc.train(system, BinaryRBM(system), **make) for _ in range(2))
    first = vmc.evaluate(one, steps=10)
    assert vmc.evaluate(two, steps=10, number=0).energy == first.energy
    assert (one.evaluations, two.evaluations) == (1, 1)
    assert vmc.evaluate(one, steps=10).energy != first.energy and one.evaluations == 2
    vmc.evaluate(one, steps=10, number=7)
    assert one.evaluations == 8


def test_fermions_need_an_antisymmetric_psi():
    """A psi that says nothing is looked at with two particles exchanged."""

    class Signed(Own):
        """(x_1 - x_2) exp(-alpha sum r^2), two particles."""

        def log_psi(self, ops, theta, walkers):
            _, log = super().log_psi(ops, theta, walkers)
            first, second = ops.pairs(walkers.r)
            apart = ops.sum(ops.component(first - second, 0), axis=-1)
            sign, size = ops.slogdet(ops.expand(ops.expand(apart, -1), -1))
            return sign, log + size

    polarised = QuantumDot(spin_projection=1)
    with pytest.raises(ValueError, match="equal spins need an antisymmetric wavefunction"):
        fit(polarised, GaussianRBM(polarised))
    three = QuantumDot(particles=3)
    with pytest.raises(ValueError, match="3 fermions of which 2"):
        fit(three, GaussianRBM(three))
    assert fit(polarised, Signed(polarised)) and fit(DOT, GaussianRBM(DOT))
    assert fit(three, vmc.wavefunctions.Slater(three))


@pytest.mark.parametrize("factor", ["GaussianRBM", "FeedForward"])
def test_a_determinant_needs_symmetric_factors(factor):
    """A factor that exchanges change makes Slater times it no state of fermions, also where its
    last weights start at zero.
    """
    system, made = QuantumDot(particles=3), getattr(vmc.wavefunctions, factor)
    slater = vmc.wavefunctions.Slater(system)
    with pytest.raises(ValueError, match=f"{factor} is no symmetric factor.*symmetric = true"):
        fit(system, made(system) * slater)
    fit(system, slater * made(system, symmetric=True) * vmc.wavefunctions.PadeJastrow(system))
    squared = slater * vmc.wavefunctions.Slater(system)
    with pytest.raises(ValueError, match="need an antisymmetric wavefunction"):
        fit(system, squared)
    fit(system, squared * vmc.wavefunctions.Slater(system))


def test_jobs_too_refuse_a_factor_that_is_not_symmetric():
    factors = "wavefunction=[{type='slater'}, {type='feed_forward'}]"
    with pytest.raises(JobError, match="FeedForward is no symmetric factor"):
        build(parse_job(JOB, ["system={type='quantum_dot', particles=6}", factors]))
