"""Whether all ranks were started alike: command, options and versions must agree, processors are
noted.
"""

from __future__ import annotations

import hashlib
import json

from vmcnet.parallel.communicators import LaunchError
from vmcnet.runs.progress import say
from vmcnet.storage.run_file import conditions
from vmcnet.version import VERSION

MUST = ("python", "numpy", "numba")
NOTED = ("processor", "target", "blas", "products")


def agree(comm, options) -> None:
    """Compare what every rank was started with; collective, the first of a command.

    Raises LaunchError that names the rank and the key where command, options or versions differ;
    what differs between processors is printed and kept in comm.mixed, for the run file.
    """
    if comm.size == 1:
        return
    mine = _described(options)
    text = json.dumps(mine, sort_keys=True)
    digests = comm.exchange(hashlib.sha256(text.encode()).hexdigest())
    if len(set(digests)) == 1:
        return
    everyone = comm.exchange(mine)
    first, notes = everyone[0], []
    for rank, other in enumerate(everyone):
        # The version and the command first: what else differs follows from them.
        for key in sorted({*first, *other}, key=lambda k: (k not in ("vmcnet", "command"), k)):
            a, b = first.get(key, "nothing"), other.get(key, "nothing")
            if a == b:
                continue
            if key not in NOTED:
                raise LaunchError(
                    f"rank {rank} was started with {key} = {b}, rank 0 with {a}: start all ranks "
                    "with one command, from one installation"
                )
            notes.append(f"rank {rank}: {key} {b}")
    comm.mixed = "; ".join(notes)[:1000]
    if comm.rank == 0:
        say(
            f"note: not all ranks compute alike ({comm.mixed[:200]}; rank 0: "
            f"{', '.join(f'{k} {first[k]}' for k in NOTED if any(f': {k} ' in n for n in notes))}"
            "): the last digits depend on the number of ranks"
        )


def _described(options) -> dict:
    found = {"vmcnet": VERSION}
    for key, value in vars(options).items():
        if key == "parser":
            continue
        if key == "settings":
            for setting in value or ():
                name, _, text = setting.partition("=")
                found[name.strip()] = text.strip()
        else:
            found["--continue" if key == "go_on" else key] = str(value)
    own = conditions(1)
    return {**found, **{key: str(own[key]) for key in (*MUST, *NOTED)}}
