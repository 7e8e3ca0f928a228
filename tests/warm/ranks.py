"""Under mpiexec: ranks that stay, and run one command of vmcnet after the other on the first so
many of them.

The folder that is the argument gets N.json, {"ranks": k, "arguments": [...], "folder": path}, N =
0, 1, ...; every one of the k ranks writes N.RANK.out, N.RANK.err and, at last, N.RANK.code.
"""

import json
import os
import sys
import time
from pathlib import Path

from mpi4py import MPI

sys.path.insert(0, str(Path(__file__).parents[2]))
from vmcnet import cli
from vmcnet.parallel import communicators

WORLD, FOLDER = MPI.COMM_WORLD, Path(sys.argv[1])
GROUPS = {
    k: WORLD.Create_group(WORLD.group.Incl(list(range(k))), k)
    for k in range(1, WORLD.size + 1)
    if WORLD.rank < k
}


def one(number, ranks, arguments, folder):
    """What `main` does in this rank of so many."""
    comm = communicators.MPICommunicator(GROUPS[ranks])
    communicators.connect = lambda: comm
    os.chdir(folder)
    name = f"{number}.{WORLD.rank}"
    for stream, end in ((1, "out"), (2, "err")):
        handle = os.open(FOLDER / f"{name}.{end}", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(handle, stream)
        os.close(handle)
    try:
        cli.main(arguments)
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    (FOLDER / f"{name}.part").write_text(str(code))
    os.rename(FOLDER / f"{name}.part", FOLDER / f"{name}.code")


number = 0
while True:
    while not (FOLDER / f"{number}.json").exists():
        time.sleep(0.005)
        if os.getppid() == 1 or not FOLDER.exists():
            sys.exit()
    case = json.loads((FOLDER / f"{number}.json").read_text())
    if case["ranks"] == 0:
        break
    if WORLD.rank < case["ranks"]:
        one(number, **case)
    number += 1
