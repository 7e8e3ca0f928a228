"""Whether what a file holds fits the job that it names: sizes, labels, terms."""

from __future__ import annotations

import numpy as np

from vmcnet.storage.atomic import FileProblem


def fit_training(path, found, population, optimizer, natural) -> None:
    """Raise FileProblem naming the array unless a training checkpoint fits the objects of its
    job.
    """
    size = population.wavefunction.layout.size
    _walkers(path, found, population)
    expected = {
        **{f"optimizer/{k}": v.shape for k, v in optimizer.start(size).items()},
        **{f"natural/{k}": v.shape for k, v in (natural.start(size) if natural else {}).items()},
    }
    states = {k: v for k, v in found.arrays.items() if k.startswith(("optimizer/", "natural/"))}
    for name in {**expected, **states}:
        if name not in states or name not in expected:
            _refuse(path, f"{name} is {'missing' if name in expected else 'not of this optimizer'}")
        if states[name].shape != expected[name] or states[name].dtype.kind != "f":
            _refuse(path, f"{name} has shape {states[name].shape}, expected {expected[name]}")


def fit_evaluation(path, found, population, run: str) -> None:
    """Raise FileProblem unless the checkpoint of an evaluation belongs to `run` and fits its
    job.
    """
    if found.numbers["run"] != run:
        raise FileProblem(f"{path}: an evaluation of another run: delete it, then evaluate again")
    _walkers(path, found, population)
    names = population.row.names
    shape = (population.blocks, 2, len(names), population.block)
    if found.arrays["mean"].shape != shape:
        _refuse(path, f"mean has shape {found.arrays['mean'].shape}, expected {shape}")
    series = found.group("series")
    for name in ("energy", "variance", "acceptance", *(f"terms/{n}" for n in names[1:])):
        if found.numbers["done"] and (name not in series or series[name].ndim != 1):
            _refuse(path, f"series/{name} is missing or no series")
        if not np.isfinite(series.get(name, ())).all():
            _refuse(path, f"series/{name} holds NaN or infinity")


def _walkers(path, found, population) -> None:
    system = population.system
    theta, r, s = (found.arrays[k] for k in ("theta", "r", "s"))
    walkers = (population.blocks, population.block, system.particles)
    expected = {
        "theta": (theta, (population.wavefunction.layout.size,)),
        "s": (s, walkers),
        "r": (r, (*walkers, system.dimensions)),
    }
    for name, (array, shape) in expected.items():
        if array.shape != shape:
            _refuse(path, f"{name} has shape {array.shape}, expected {shape}")
    if system.moves == "coordinates":
        allowed = (s == system.labels(1)[0]).all()
    elif system.moves == "spins":
        allowed = np.isin(s, (-1, 1)).all()
    else:
        allowed = ((s >= 0) & (s < len(system.labels_of_site))).all()
    if not allowed:
        _refuse(path, f"s holds labels that {system.describe()} does not have")
    sector = getattr(system, "magnetisation", None)
    if system.moves == "spins" and sector is not None and (s.sum(axis=-1) != sector).any():
        _refuse(path, f"s has walkers outside the sector of magnetisation {sector}")


def fit_report(file, system, wavefunction) -> None:
    """Raise FileProblem unless parameters and evaluations of a run file fit its job."""
    theta = file.parameters.get("theta")
    if theta is not None and theta.shape != (wavefunction.layout.size,):
        shape = (wavefunction.layout.size,)
        _refuse(file.path, f"parameters/theta has shape {theta.shape}, expected {shape}")
    names = ["energy", *system.terms]
    for number, content in file.evaluations.items():
        if content["attributes"]["names"].split(",") != names:
            _refuse(
                file.path,
                f"evaluation/{number} measured {content['attributes']['names']}, the terms are "
                f"{','.join(names)}",
            )
        for key, series in content.items():
            if key.startswith("observables/") and (series.ndim != 2 or series.shape[1] < 2):
                _refuse(file.path, f"evaluation/{number}/{key} has shape {series.shape}")


def _refuse(path, why: str):
    raise FileProblem(f"{path}: does not fit its own job: {why}")
