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

    # built where a job is read, once: the defaults below come after a class is made
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True
    )
    builds: ClassVar[str] = ""
    defaults: ClassVar[str] = ""

    @classmethod
    def __pydantic_init_subclass__(cls, **options):
        for name, parameter in _arguments(cls.builds or cls.defaults).items():
            key = cls.model_fields.get(name)
            if key is not None and key.is_required() and parameter.default is not parameter.empty:
                value = parameter.default
                key.default = list(value) if isinstance(value, tuple) else value


def _arguments(path: str):
    if not path:
        return {}
    module, name = path.split(":")
    # the class or function that `path` names
    return inspect.signature(getattr(import_module(module), name)).parameters
