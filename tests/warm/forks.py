"""Runs many commands of vmcnet, each in a fork of one process that has imported everything and run
a small job: a tenth of a second a case, not two.

Standard input: one JSON object a line, {"arguments": [...], "environ": {...}, "folder": path,
"out": path, "err": path}; standard output: one exit status a line, negative for a signal, and the
peak of memory in kB.
"""

import json
import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
import vmcnet.commands
import vmcnet.runs.session  # noqa: F401 (what commands import when they start)
from tests.faults.killed_rank import arm
from tests.runs import JOB, LONGEST
from vmcnet import cli


def child(case):
    signal.alarm(LONGEST)
    os.chdir(case["folder"])
    for stream, path in ((1, case["out"]), (2, case["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), stream)
    os.environ.update(case["environ"])
    if "FAULT" in os.environ:
        how, at = os.environ["FAULT"].rsplit(" ", 1)
        arm(how, 0, int(at))
    try:
        cli.main(case["arguments"])
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)


def warm_up():
    """Compiled kernels are loaded once, not in every fork."""
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nothing:
        (Path(folder) / "job.toml").write_text(JOB)
        sys.stdout, kept = nothing, sys.stdout
        with suppress(SystemExit):
            cli.main(["run", f"{folder}/job.toml", "--output", f"{folder}/run.h5"])
        sys.stdout = kept


handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
warm_up()
for number, handler in handlers.items():
    with suppress(OSError, TypeError, ValueError):
        signal.signal(number, handler)
for line in sys.stdin:
    case, pid = json.loads(line), os.fork()
    if pid == 0:
        child(case)
        os._exit(99)
    _, status, used = os.wait4(pid, 0)
    print(os.waitstatus_to_exitcode(status), used.ru_maxrss, flush=True)
