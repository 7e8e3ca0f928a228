"""What every table of a job file has in common."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]


class Table(BaseModel):
    """Unknown keys are refused. A table with a `type` names in `builds` the class that it makes,
    'module:Class'; its keys are that class's arguments.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
    builds: ClassVar[str] = ""
