"""numba's compiler with a cache that many ranks may share, and without one where none can be written."""

from __future__ import annotations

import sys


def compiled(function):
    """`function` compiled at its first call, without fastmath: NaN stays NaN, sums keep their order; a b + c may become one rounding.

    The machine code is cached beside the source; where that folder cannot be written numba takes the user's cache, and where
    there is none the code is compiled anew in every process, which one line on standard error says.
    """
    import numba

    options = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError as error:                           # numba: cannot cache function ...: no locator available
        if not _warned:
            _warned.append(True)
            print(f"note: compiled kernels are not cached ({error}); NUMBA_CACHE_DIR names a writable folder", file=sys.stderr)
        return numba.njit(**options)(function)


_warned: list = []
