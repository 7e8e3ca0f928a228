"""What every table of a job file has in common."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]


class Table(BaseModel):
    """Unknown keys are refused. A table with a `type` names in `builds` the class that it makes,
    'module:Class'; its keys are that class's arguments.

    A key without a default here has that of the argument of the same name: of `builds`, or of the
    function `defaults`.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
    builds: ClassVar[str] = ""
    defaults: ClassVar[str] = ""

    @classmethod
    def __pydantic_init_subclass__(cls, **options):
        changed = False
        for name, parameter in _arguments(cls.builds or cls.defaults).items():
            key = cls.model_fields.get(name)
            if key is not None and key.is_required() and parameter.default is not parameter.empty:
                value = parameter.default
                key.default = list(value) if isinstance(value, tuple) else value
                changed = True
        if changed:
            cls.model_rebuild(force=True)


def _arguments(path: str):
    if not path:
        return {}
    module, name = path.split(":")
    # the class or function that `path` names
    return inspect.signature(getattr(import_module(module), name)).parameters
