"""Whether what a file holds fits the job that it names: sizes, labels, terms, observables."""

from __future__ import annotations

import json

import numpy as np

from vmcnet.config import parse_observables
from vmcnet.engine.evaluation import initial_evaluation
from vmcnet.engine.precision import looks_of
from vmcnet.optimizers.base import started
from vmcnet.runs.building import observables_of
from vmcnet.runs.progress import say
from vmcnet.statistics.tails import BINS
from vmcnet.storage.atomic import FileProblem
from vmcnet.storage.run_file import conditions

WHOLE = 2**53  # whole numbers that a double holds


def fit_training(path, found, job, population, optimizer, natural) -> None:
    """Raise FileProblem naming the array unless a training checkpoint fits the objects of its
    job.
    """
    size = population.wavefunction.layout.size
    _walkers(path, found, job, population)
    expected = {
        **{f"optimizer/{k}": v.shape for k, v in started(optimizer, size).items()},
        **{f"natural/{k}": v.shape for k, v in (started(natural, size) if natural else {}).items()},
    }
    states = {k: v for k, v in found.arrays.items() if k.startswith(("optimizer/", "natural/"))}
    for name in {**expected, **states}:
        if name not in states or name not in expected:
            _refuse(path, f"{name} is {'missing' if name in expected else 'not of this optimizer'}")
        if states[name].shape != expected[name] or states[name].dtype.kind != "f":
            _refuse(path, f"{name} has shape {states[name].shape}, expected {expected[name]}")


def fit_evaluation(path, found, job, population, run: str) -> None:
    """Raise FileProblem unless the checkpoint of an evaluation belongs to `run` and fits its
    job.
    """
    if found.numbers["run"] != run:
        raise FileProblem(f"{path}: an evaluation of another run: delete it, then evaluate again")
    _walkers(path, found, job, population)
    if "tail" not in found.arrays:
        raise FileProblem(
            f"{path}: an unfinished evaluation of version 0.1: delete it, then evaluate again"
        )
    try:
        tables = parse_observables(json.loads(found.numbers["observables"]), str(path))
        observables = observables_of(tables, population.system)
        target = float(found.numbers.get("target_error", 0.0))
        looks = looks_of(found.numbers["steps"], target)
        state = initial_evaluation(population, 0, 1.0, observables, looks)
    except (ValueError, TypeError, RecursionError) as error:
        raise FileProblem(f"{path}: does not fit its own job: its observables ({error})") from error
    blocks = len(found.arrays["s"])
    expected = {"tail": (BINS,), "accepted": (blocks, population.block)}
    for name, halves in state.moments.items():
        for part in ("mean", "m2"):
            expected[f"{part}/{name}"] = (blocks, *halves.mean.shape[1:])
    for name, shape in expected.items():
        array = found.arrays.get(name)
        if array is None or array.shape != shape or array.dtype.kind not in "fi":
            _refuse(path, f"{name} is missing or not of shape {shape}")
    series, names = found.group("series"), population.row.names
    for name in ("energy", "variance", "acceptance", *(f"terms/{n}" for n in names[1:])):
        if found.numbers["done"] and (name not in series or series[name].ndim != 1):
            _refuse(path, f"series/{name} is missing or no series")
    for name, values in series.items():
        if not np.isfinite(values).all():
            _refuse(path, f"series/{name} holds NaN or infinity")


def _walkers(path, found, job, population) -> None:
    system, block = population.system, population.block
    theta, r, s = (found.arrays[k] for k in ("theta", "r", "s"))
    sizes = [n // block for n in (job.sampling.walkers, *(g.walkers for g in job.training.growth))]
    walkers = (len(s) if len(s) in sizes else sizes[0], block, system.particles)
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
    sector = system.magnetisation
    if system.moves == "spins" and sector is not None and (s.sum(axis=-1) != sector).any():
        _refuse(path, f"s has walkers outside the sector of magnetisation {sector}")


def fit_report(file, system, wavefunction) -> None:
    """Raise FileProblem unless parameters and evaluations of a run file fit its job."""
    theta, size = file.parameters["theta"], wavefunction.layout.size
    if theta.shape != (size,):
        _refuse(file.path, f"parameters/theta has shape {theta.shape}, expected {(size,)}")
    names = ["energy", *system.terms]
    for number, content in file.evaluations.items():

        def refuse(what, number=number):
            _refuse(file.path, f"evaluation/{number}: {what}")

        attributes = content["attributes"]
        measured = attributes["names"].split(",")
        if "observables" in attributes:
            if measured != names:
                refuse(f"measured {','.join(measured)}, the terms are {','.join(names)}")
            _observables(content, refuse)
        else:  # version 0.1 had order parameters among the terms
            if not set(names) <= set(measured):
                refuse(f"measured {','.join(measured)}, the terms are {','.join(names)}")
            for key, series in content.items():
                if key.startswith("observables/") and (series.ndim != 2 or series.shape[1] < 2):
                    refuse(f"{key} has shape {series.shape}")


def _observables(content: dict, refuse) -> None:
    attributes = content["attributes"]
    names = [n for n in str(attributes["observables"]).split(",") if n]
    try:
        units = json.loads(str(attributes.get("units")))
    except (ValueError, RecursionError):
        units = None
    if not isinstance(units, dict) or any(not isinstance(units.get(n), str) for n in names):
        refuse("units are missing")
    later = {"target_error": 0.0, "singular": 0.0}  # not in every version
    for name in ("tried", "centre", "steps", *later):
        if not isinstance(attributes.get(name, later.get(name)), int | float):
            refuse(f"{name} is no number")
    walkers, steps = len(content["walker_acceptance"]), len(content["energy"])

    def array(name, kinds, shape, absent):
        found = content.get(name, np.empty(absent, "S1" if kinds == "S" else kinds))
        if found.ndim != len(shape) or any(
            m not in (None, n) for m, n in zip(shape, found.shape, strict=True)
        ):
            refuse(f"{name} has shape {found.shape}")
        if found.dtype.kind not in kinds or (kinds == "f" and np.isinf(found).any()):
            refuse(f"{name} holds {found.dtype}")
        return found

    for name in names:
        own = f"observables/{name}"
        labels = _texts(array(f"{own}/labels", "S", (None,), 0), refuse)
        shape = array(f"{own}/mean", "f", (2, len(labels), None), (2, 0, walkers)).shape
        array(f"{own}/m2", "f", shape, (2, 0, walkers))
        if f"{own}/series" in content:
            array(f"{own}/series", "f", (steps, len(labels)), 0)
        derived = _texts(array(f"{own}/derived_labels", "S", (None,), 0), refuse)
        array(f"{own}/derived", "f", (len(derived), 2), (0, 2))
        shown = array(f"{own}/shown", "i", (None,), 0)
        if ((shown < 0) | (shown >= len(labels))).any() or not shape[2]:
            refuse(f"{own} shows components that it does not have")
    bins = array("tail/bin", "i", (None,), 0)
    counts = array("tail/count", "i", bins.shape, 0)
    if ((bins < 0) | (bins >= BINS)).any():
        refuse("tail/bin lies outside its histogram")
    if ((counts < 1) | (counts > WHOLE // max(len(counts), 1))).any():
        refuse("tail/count holds what is no number of local energies")


def _texts(array, refuse) -> list:
    try:
        found = [text.decode() for text in array.tolist()]
    except UnicodeDecodeError:
        found = ["\0"]
    if not all(text.isprintable() for text in found):
        refuse("labels cannot be printed")
    return found


def compare_data(file, job, digest: str) -> None:
    """Raise FileProblem unless the samples are those that a run began with."""
    if file.attributes.get("data", "") != digest:
        name = job.data.file if job.data else "the exact samples of the job"
        raise FileProblem(
            f"{name}: not the samples that this run began with (its SHA-256 "
            "differs): restore the file, or start a new run"
        )


def compare_conditions(file, job, card: str) -> None:
    """Say what bits depend on and is not as it was when a run began; card: of the device."""
    for key, value in conditions(job.run.threads, card).items():
        old = file.attributes.get(f"condition_{key}")
        if old not in (None, value):  # None: of a version that did not record it
            say(
                f"note: {key} was {old!r} when this run began and is {value!r} now: the last "
                "digits may differ"
            )


def _refuse(path, why: str):
    shown = "".join(c if c.isprintable() else "?" for c in why)
    raise FileProblem(f"{path}: does not fit its own job: {shown[:200]}")
