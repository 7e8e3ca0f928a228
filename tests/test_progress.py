"""What is printed while a run goes on: plain lines when piped, bars on a terminal, left as it was
at the end.
"""

import io
import os
import pty
import re
import subprocess

import pytest

from tests.runs import JOB, command
from vmcnet.runs.progress import Progress, _duration


def test_plain_lines():
    stream = io.StringIO()
    progress = Progress(stream, interval=0.0)
    progress("warmup", 1, 2, {"acceptance": 0.25})
    progress("warmup", 2, 2, {"acceptance": 0.5})
    progress("training", 1, 3, {"energy": 3.01, "error": 0.02, "acceptance": 0.5})
    progress("evaluation", 1, 2, {"energy": 3.0, "acceptance": 0.5})
    progress("evaluation", 2, 2, {"energy": 3.2, "acceptance": 0.5})
    assert stream.getvalue().splitlines() == [
        "warmup 1/2  acceptance 0.25",
        "warmup 2/2  acceptance 0.50",
        "training 1/3  energy 3.01(2)  acceptance 0.50",
        "evaluation 1/2  energy 3(?)  acceptance 0.50",
        "evaluation 2/2  energy 3.1(?)  acceptance 0.50",
    ]


def test_interval_keeps_first_and_last():
    stream = io.StringIO()
    progress = Progress(stream, interval=1e9)
    for k in range(1, 101):
        progress("training", k, 100, {"energy": 1.0, "error": 0.1, "acceptance": 0.5})
    lines = stream.getvalue().splitlines()
    assert (
        len(lines) == 2
        and lines[0].startswith("training 1/100")
        and lines[1].startswith("training 100/100")
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_what_is_told_fits_a_narrow_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    progress = Progress(stream, interval=0.0)
    for k in range(1, 4):
        progress("training", k, 100000, {"energy": 3.01, "error": 0.02, "acceptance": 0.5})
    progress.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    last = [line.strip() for line in re.split("[\r\n]", shown) if line.strip()][-1]
    assert "3/100000" in last and "3.01(2)" in last and len(last) <= columns, shown
    assert "…" not in shown and ("acceptance 0.50" in last) == (columns >= 80)


def test_a_terminal_that_cannot_go_back_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    Progress(stream, interval=0.0)("warmup", 1, 2, {"acceptance": 0.25})
    assert stream.getvalue() == "warmup 1/2  acceptance 0.25\n"


def test_durations():
    assert [_duration(s) for s in (3.4, 75, 3725)] == ["3 s", "1:15 min", "1:02 h"]


@pytest.mark.processes
@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_gets_bars_and_the_report(tmp_path, colours):
    (tmp_path / "job.toml").write_text(JOB)
    main, other = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    environ |= {} if colours else {"NO_COLOR": "1"}
    process = subprocess.Popen(
        command("run", tmp_path / "job.toml", "--output", tmp_path / "run.h5"),
        stdout=other,
        stderr=other,
        stdin=other,
        env=environ,
    )
    os.close(other)
    text = b""
    while True:
        try:
            chunk = os.read(main, 65536)
        except OSError:
            break
        if not chunk:
            break
        text += chunk
    assert process.wait(30) == 0
    text = text.decode()
    assert (
        "training" in text and "12/12" in text and "━" in text and "\x1b[?25h" in text
    )  # the cursor is shown again
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-8][0-9;]*m", text)) == colours
    assert text.rstrip().splitlines()[-1].lstrip().startswith(("reference", "warning"))
