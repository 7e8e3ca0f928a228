"""Small functions of coordinates and parameters through every operation and every support: `CASES`.

A case is (operation name, label, number of particles, function(ops, theta, x) -> handle of any
shape). Every file of this folder adds its own.
"""

import importlib
import pkgutil

from tests.calculus.cases.sources import (
    CASES,
    DIMENSIONS,
    by_operation,
    check_each,
    coordinates,
    evaluated,
    parameters,
)

for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

__all__ = [
    "CASES",
    "DIMENSIONS",
    "by_operation",
    "check_each",
    "coordinates",
    "evaluated",
    "parameters",
]
