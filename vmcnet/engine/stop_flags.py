"""The flag in the rows of blocks: why ranks save, or stop together. The largest counts."""

from __future__ import annotations

CHECKPOINT, FILE, WALL_TIME, SIGNAL = 1, 2, 3, 4
STOP = FILE  # this one and those above end the run
