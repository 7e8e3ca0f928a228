"""Runs many commands of vmcnet, each in a fork of one process that has imported everything: a tenth
of a second a case, not a second.

Standard input: one JSON object a line, {"arguments": [...], "environ": {...}, "log": path};
standard output: one exit status a line, negative for a signal, and the peak of memory in kB.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.faults.killed_rank import arm
from vmcnet import cli


def child(case):
    log = os.open(case["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ.update(case["environ"])
    if "FAULT" in os.environ:
        how, at = os.environ["FAULT"].split()
        arm(how, 0, int(at))
    try:
        cli.main(case["arguments"])
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)


for line in sys.stdin:
    case, pid = json.loads(line), os.fork()
    if pid == 0:
        child(case)
        os._exit(99)
    _, status, used = os.wait4(pid, 0)
    print(os.waitstatus_to_exitcode(status), used.ru_maxrss, flush=True)
