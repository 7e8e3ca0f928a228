"""What rank 0 does for all ranks: it alone touches files."""

from __future__ import annotations

from vmcnet.storage.atomic import FileProblem


def on_root(comm, action):
    """action() on rank 0; its value, or its FileProblem or ValueError, on every rank."""
    result = None
    if comm.rank == 0:
        try:
            result = (True, action())
        except (FileProblem, ValueError) as error:
            result = (False, error)
        except OSError as error:
            result = (
                False,
                FileProblem(
                    f"{error.filename}: {error.strerror}; check the path and its permissions"
                    if error.filename
                    else f"a file cannot be used ({error}); check paths and permissions"
                ),
            )
    ok, value = comm.broadcast(result)
    if not ok:
        raise value
    return value
