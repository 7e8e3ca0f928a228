"""Compilation by numba, with a cache on disk where that can be written."""

from __future__ import annotations

import sys

from numba import njit

from vmcnet.kernels.one_compiles import one_compiles

_told = False


def inlined(function):
    """As `compiled`, for a function of numbers called in a loop: always inlined there, so that the
    loop can be vectorised.
    """
    return compiled(function, forceinline=True)


def compiled(function, **more):
    """`function` compiled at its first call; IEEE arithmetic, in which only a b + c may be
    contracted to one rounding.

    Compiled code is kept beside the source, or where NUMBA_CACHE_DIR says, and of several processes
    that lack it one compiles; where neither can be written every process compiles anew (some
    seconds), which is said once.
    """
    global _told
    options = {"error_model": "numpy", "fastmath": {"contract"}, "nogil": True, **more}
    options["no_cfunc_wrapper"] = True  # nothing in C calls them: a tenth less to compile
    try:
        return one_compiles(njit(cache=True, **options)(function))
    except RuntimeError as error:
        if "cache" not in str(error):
            raise
        if not _told:
            print(
                "note: no folder for compiled kernels can be written, they are compiled anew at "
                "every start: set NUMBA_CACHE_DIR",
                file=sys.stderr,
                flush=True,
            )
            _told = True
        return njit(**options)(function)
