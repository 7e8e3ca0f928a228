"""Runs many commands of vmcnet, each in a fork of one process that has imported everything: a tenth
of a second a case, not a second.

Standard input: one JSON object a line, {"arguments": [...], "environ": {...}, "log": path};
standard output: one exit status a line, negative for a signal.
"""

import json
import os
import sys

from vmcnet import cli


def child(case):
    log = os.open(case["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ.update(case["environ"])
    try:
        cli.main(case["arguments"])
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)


for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        child(json.loads(line))
        os._exit(99)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
