"""Where two programs are compared, both run on the same core, one after the other. Import this
before numpy.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(
        _name, None
    )  # the matrix kernels that OpenBLAS chooses for this processor, as XLA chooses its own


def keep_to_one_core() -> None:
    """This process and those that it starts: XLA works with several threads whatever its flags say,
    and a process's CPU clock misses part of them.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
