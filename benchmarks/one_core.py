"""Where two programs are compared, both run on the same core, one after the other."""

from __future__ import annotations

import os


def keep_to_one_core() -> None:
    """This process and those that it starts: XLA works with several threads whatever its flags say, and a process's CPU clock misses part of them."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
