"""Do a system, a wavefunction and a sampler fit together? One set of checks for jobs and Python."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np

from vmcnet.arguments import positive, scale, shown, whole
from vmcnet.backend.device import Device, choose
from vmcnet.backend.stream import Stream
from vmcnet.engine.memory import check_parameters
from vmcnet.engine.own_derivatives import check_derivatives
from vmcnet.engine.own_parts import Misfit, checked_parts, checked_start, factors_of
from vmcnet.engine.symmetries import check_boundary, check_exchanges
from vmcnet.hamiltonians.pauli import OffDiagonal
from vmcnet.optimizers import NaturalGradient, Optimizer
from vmcnet.sampling.defaults import MOVES, default_sampler
from vmcnet.sampling.spin_metropolis import Exchange, SpinFlip
from vmcnet.systems.base import System
from vmcnet.wavefunctions.base import USUAL, Wavefunction
from vmcnet.wavefunctions.machines.machine import Machine

NAME = re.compile(r"[^,/\s.][^,/.]*")  # names become columns and HDF5 names
FAR, PROBES = (1e2, 1e3), 4  # lengths and directions at which a psi that decays is looked at
MOST_PARAMETERS = 10**9
LARGEST_PROBE = 10**6  # numbers; larger systems are not probed


def fit(system, wavefunction, sampler=None):
    """The sampler, the system's usual one where None is given. Raises Misfit, a ValueError, unless
    it can sample `wavefunction` on `system` and the energies that come out mean something.
    """
    usable(system, wavefunction)
    try:
        system.check_start()
    except ValueError as error:
        raise Misfit("system", str(error)) from error
    checked_start(system)
    title, kind = type(wavefunction).__name__, system.moves
    for factor in factors_of(wavefunction):
        if kind not in factor.reading():
            raise Misfit(
                "wavefunction",
                f"{type(factor).__name__} is a function of {factor.domain()}, and what moves in "
                f"{type(system).__name__} are {kind}: use {USUAL[kind]}",
            )
        found = factor.particles, factor.dimensions
        if found != (system.particles, system.dimensions):
            raise Misfit(
                "wavefunction",
                f"{type(factor).__name__} was built for {_sizes(*found)}, the system has "
                f"{_sizes(system.particles, system.dimensions)}: build it with this system",
            )
        try:
            factor.check(system)
        except ValueError as error:
            raise Misfit("wavefunction", str(error)) from error
    if wavefunction.layout.size > MOST_PARAMETERS:
        raise Misfit(
            "wavefunction",
            f"{float(wavefunction.layout.size):.3g} parameters: expected at most "
            f"{MOST_PARAMETERS:.0e}, take fewer hidden units or narrower layers",
        )
    try:
        check_parameters(wavefunction.layout.size)
    except ValueError as error:
        raise Misfit("wavefunction", str(error)) from error
    sampler = default_sampler(system, wavefunction) if sampler is None else sampler
    _moves(system, wavefunction, sampler)
    if wavefunction.core != system.core:
        raise Misfit(
            "wavefunction",
            f"no factor is 0 inside the hard cores of diameter {system.core:g}: multiply by a "
            "HardCoreJastrow (hard_core_jastrow in a job file)"
            if wavefunction.core < system.core
            else f"{title} is 0 where two particles are closer than {wavefunction.core:g}, the "
            f"system's hard cores have diameter {system.core:g}: build it with this system",
        )
    try:
        wavefunction.check_box(system.box)
    except ValueError as error:
        raise Misfit("wavefunction", str(error)) from error
    if system.dimensions and system.box is None:
        _decays(system, wavefunction)
    if system.fermions:
        check_exchanges(system, wavefunction)
    if system.box is not None:
        check_boundary(system, wavefunction)
    check_derivatives(system, factors_of(wavefunction))
    return sampler


def device_for(
    system, wavefunction, sampler, kind: str, precision: str = "float64", local_rank: int = 0
) -> Device:
    """The device of a rank, of the kind cpu, gpu or auto; on lattices auto is the CPU. Raises
    Misfit where a lattice has no kernels for it, ValueError where there is no GPU.
    """
    if not system.dimensions:
        if precision != "float64":
            raise Misfit("precision", "the kernels of lattices are of float64: use float64")
        rule = wavefunction.update_rule(
            wavefunction.layout.values(np.zeros(wavefunction.layout.size))
        )
        machines = isinstance(rule, Machine) and not rule.is_complex
        if kind == "gpu" and not (machines and isinstance(sampler, SpinFlip | Exchange)):
            raise Misfit(
                "device",
                "on a lattice a GPU serves real binary_rbm factors moved by spin_flip or exchange: "
                "use cpu",
            )
        kind = "cpu" if kind == "auto" else kind
    return choose(kind, precision, local_rank)


def usable(system, wavefunction) -> None:
    """Misfit unless these are a system and a wavefunction, with all that such parts must set."""
    _kinds(system, wavefunction)
    _terms(system)
    checked_parts(system, wavefunction)


def notes_of(system, wavefunction) -> list[str]:
    """What a user should know although it is no mistake: of the system's arguments, and of a psi >
    0 where the Hamiltonian has positive off-diagonal elements.
    """
    notes = list(system.notes)
    terms = [
        name
        for name, term in system.terms.items()
        if isinstance(term, OffDiagonal) and term.positive
    ]
    if terms and _positive(system, wavefunction):
        notes.append(
            f"psi is positive, and H has positive off-diagonal elements ({', '.join(terms)}): the "
            "lowest energy of a positive psi is an upper bound, not the ground state's; use a psi "
            'with a phase (weights = "complex")' + system.way_out
        )
    return notes


def _positive(system, wavefunction) -> bool:
    """Whether psi > 0: no phase and a real logarithm, looked at for one walker."""
    stream = Stream(0, 0, 0, 0)
    psi, walkers = wavefunction.bind(wavefunction.start(stream)), system.start(stream, 1)
    phase, log = psi.amplitude(walkers.r, walkers.s)
    return phase is None and log.dtype.kind != "c"


def _kinds(system, wavefunction):
    for part, value, kind, example in (
        ("system", system, System, "vmcnet.systems.QuantumDot()"),
        ("wavefunction", wavefunction, Wavefunction, "vmcnet.wavefunctions.GaussianRBM(system)"),
    ):
        if not isinstance(value, kind):
            what = (
                f"the class {value.__name__} itself: make one of it"
                if inspect.isclass(value)
                else shown(value)
            )
            raise Misfit(part, f"expected a {kind.__name__} such as {example}, got {what}")


def _terms(system):
    if not isinstance(system.terms, dict) or not system.terms:
        raise Misfit("system", "terms must be a dictionary of at least one term")
    for name, term in system.terms.items():
        if not isinstance(name, str) or not NAME.fullmatch(name) or name == "energy":
            raise Misfit(
                "system",
                f"a term is named {name!r}: expected a text without commas, dots and slashes that "
                "is not 'energy'",
            )
        # anything may be passed here by mistake
        if inspect.isclass(term) or not callable(getattr(term, "local", None)):
            raise Misfit(
                "system", f"the term {name!r} has no method local(walkers, psi): {shown(term)}"
            )


def _moves(system, wavefunction, sampler):
    for name in ("sample", "check", "kinds", "name"):  # anything may be passed by mistake
        if inspect.isclass(sampler) or getattr(sampler, name, None) is None:
            raise Misfit(
                "sampler",
                "expected one of vmcnet.sampling such as vmcnet.sampling.Gaussian(), or a subclass "
                f"of Metropolis, got {shown(sampler)}",
            )
    if system.moves not in sampler.kinds:
        raise Misfit(
            "sampler",
            f"{sampler.name} moves {' or '.join(sampler.kinds)}, and what moves in "
            f"{type(system).__name__} are {system.moves}: use {' or '.join(MOVES[system.moves])}",
        )
    try:
        sampler.check(system, wavefunction)
    except ValueError as error:
        raise Misfit("sampler", str(error)) from error


def _decays(system, wavefunction):
    size = system.particles * system.dimensions
    most = max(PROBES * system.particles * size, wavefunction.layout.size)
    small = most <= LARGEST_PROBE
    if wavefunction.decays is False or (wavefunction.decays is None and not small):
        raise Misfit(
            "wavefunction",
            "no factor decays at large distance, psi is not normalisable: multiply by a "
            "GaussianEnvelope (gaussian_envelope in a job file) or another factor that decays",
        )
    if not small:
        return
    stream = Stream(0, 0, 0, 0)
    psi = wavefunction.bind(wavefunction.start(stream))
    directions = stream.normal((PROBES // 2, system.particles, system.dimensions))
    directions = np.concatenate([directions, -directions])
    with np.errstate(all="ignore"):
        near, far = (
            2.0 * psi.log(system.length * t * directions, system.labels(PROBES)).real
            + size * np.log(t)
            for t in FAR
        )
    if (far > near).any():
        raise Misfit(
            "wavefunction",
            f"|psi|^2 r^(n d) grows between {FAR[0]:g} and {FAR[1]:g} lengths of the system at the "
            "starting parameters: psi is not normalisable, multiply by a factor that decays",
        )


def _sizes(particles, dimensions) -> str:
    return (
        f"{particles} particles in {dimensions} dimensions" if dimensions else f"{particles} sites"
    )


def checked_learning(optimizer, natural_gradient) -> None:
    """ValueError unless these are an optimizer and a natural gradient (or None)."""
    for name, value, kind, example in (
        ("optimizer", optimizer, Optimizer, "vmcnet.optimizers.Adam(0.01)"),
        ("natural_gradient", natural_gradient, NaturalGradient, "vmcnet.optimizers.SR()"),
    ):
        fits = isinstance(value, kind) and not inspect.isclass(value)
        if not fits and not (value is None and name == "natural_gradient"):
            raise ValueError(
                f"{name}: expected an object such as {example}, got "
                + (f"the class {value.__name__}" if inspect.isclass(value) else shown(value))
            )


def checked_training(
    iterations, walkers, block, steps, warmup, step_size, seed, clip, threads
) -> None:
    """ValueError for an argument of train() that is of another kind or out of range."""
    whole("iterations", iterations, 0, 10**8)
    whole("walkers", walkers, 2, 10**8)
    whole("block", block, 1, 10**6)
    if walkers % block:
        raise ValueError(
            f"{walkers} walkers do not fill blocks of {block}: use "
            f"{block * max(1, round(walkers / block))}"
        )
    whole("steps", steps, 1, 10**6)
    whole("warmup", warmup, 0, 10**7)
    scale("step_size", step_size)
    whole("seed", seed, 0, 2**63 - 1)
    if clip is not None:
        positive("clip", clip)
    whole("threads", threads, 1, 4096)


def checked_growth(growth: Any, walkers: int, block: int) -> dict:
    """Iteration -> walkers of (iteration, walkers) pairs; ValueError unless both rise and blocks
    are filled.
    """
    try:
        pairs = [(iteration, count) for iteration, count in growth]
        if any(isinstance(entry, dict | str) for entry in growth):
            raise TypeError
    except (TypeError, ValueError):
        raise ValueError(
            f"growth must be (iteration, walkers) pairs, got {shown(growth)}"
        ) from None
    found: dict[int, int] = {}
    last = -1
    for k, (iteration, count) in enumerate(pairs):
        last = whole(f"growth[{k}] iteration", iteration, last + 1)
        walkers = whole(f"growth[{k}] walkers", count, walkers + 1, 10**8)
        if walkers % block:
            raise ValueError(
                f"growth[{k}] walkers = {walkers}: expected a multiple of block = {block}"
            )
        found[last] = walkers
    return found
