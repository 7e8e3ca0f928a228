"""A run that starts from the parameters of another."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from vmcnet.backend.stream import Stream
from vmcnet.config import Job
from vmcnet.engine.population import PARAMETERS
from vmcnet.engine.transfer import transferred
from vmcnet.runs.progress import say
from vmcnet.runs.root import on_root
from vmcnet.storage.atomic import FileProblem, json_object
from vmcnet.storage.run_file import RunFile


def parameter_units(file: RunFile) -> dict[str, float]:
    """name -> natural unit of the parameters in the file's system; empty in older files."""
    return json_object(file.path, file.attributes, "parameter_units")


def starting(job: Job, wavefunction, theta=None):
    """What a wavefunction takes of the run file training.start_from; raises FileProblem."""
    source = Path(job.training.start_from)
    if theta is None:
        theta = wavefunction.start(Stream(job.seed, PARAMETERS, 0, 0))
    try:
        file = RunFile.open(source)
        return transferred(wavefunction, theta, file.parameters, parameter_units(file))
    except ValueError as error:
        raise FileProblem(f"training.start_from = {source}: {error}") from error


def started(comm, job: Job, wavefunction, theta, given=None):
    """theta with the parameters of the run file training.start_from, or with `given` (name ->
    array, and their units or None), where they fit; and what the run file tells of it: the SHA-256
    of either and what was taken.
    """
    source = Path(job.training.start_from) if given is None else "arrays given in Python"

    def taken():
        if given is None:
            found = starting(job, wavefunction, theta)
            digest = hashlib.sha256(source.read_bytes()).hexdigest()
        else:
            try:
                found = transferred(wavefunction, theta, *given)
            except ValueError as error:
                raise FileProblem(f"start: {error}") from error
            arrays = [np.asarray(given[0][name], np.float64) for name in sorted(found.taken)]
            digest = hashlib.sha256(b"".join(x.tobytes() for x in arrays)).hexdigest()
        say(f"start from {source}: {found}")
        return found.theta, {"start_digest": digest, "start_taken": ",".join(found.taken)}

    return on_root(comm, taken)
