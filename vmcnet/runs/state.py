"""Where a run stands: running, stopped or done."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Any

from vmcnet.config import parse_job
from vmcnet.storage.lock import alive, holder_of

RUNNING, STOPPED, DONE = "running", "stopped", "done"


@dataclass(frozen=True)
class Standing:
    """word: running, stopped or done; text: one line about it; since: of a running one, when this
    start of it began, as "2026-11-27 03:40:12 UTC", else "".
    """

    word: str
    text: str
    since: str = ""

    def __str__(self) -> str:
        return self.text


def standing(file: Any) -> Standing:
    """Where the run of a RunFile stands, from its attributes and the process that wrote them."""
    attributes, rows = file.attributes, file.rows
    written = f", written {_ago(attributes.get('written', ''))}" if "written" in attributes else ""
    word = attributes.get("state")
    if word is None:  # files of version 0.1
        job = parse_job(attributes["job"], (), str(file.path))
        ended = rows >= job.training.iterations and (file.evaluations or not job.evaluation.steps)
        word = DONE if ended else STOPPED
    phase = attributes.get("phase", "")
    if word != RUNNING:
        return Standing(word, f"{word}, {rows} iterations")
    holder = holder_of(file.path)
    where = f"{phase or f'{rows} iterations'}{written}"
    if not holder or (holder["host"] == socket.gethostname() and not alive(holder)):
        return Standing(STOPPED, f"stopped without an end at {where}; vmcnet resume goes on")
    by = f" on {holder['host']}, process {holder['pid']}" if holder else ""
    begun, resumed = (attributes.get(name, "") for name in ("started", "resumed"))
    since = moment(resumed or begun)
    told = f" since {since}, {_ago(resumed or begun)}" if since else ""
    told += f", begun {moment(begun)}" if resumed and begun else ""
    return Standing(RUNNING, f"running{by}{told}: {where}", since)


def moment(text: str) -> str:
    """A time of a run file as people write it."""
    return text.replace("T", " ").replace("+0000", " UTC")


def _ago(text: str) -> str:
    try:
        then = time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return "at an unknown time"
    seconds = max(0, round(time.time() - then))
    for size, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {word} ago"
    return f"{seconds} second{'s' if seconds != 1 else ''} ago"
