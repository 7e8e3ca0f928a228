"""[twists]."""

from __future__ import annotations

from math import prod
from typing import Annotated

from pydantic import Field, model_validator

from vmcnet.config.table import Table

MOST = 100_000  # twists of a job


class TwistsTable(Table):
    """One run for every twist of the boundary of a box, joined by the report."""

    grid: list[Annotated[int, Field(ge=1, le=1000)]] | None = Field(
        None,
        description=(
            "points along every axis of an even grid of twists, those that symmetry makes equal "
            "run once"
        ),
    )
    random: Annotated[int, Field(ge=2, le=MOST)] | None = Field(
        None, description="or so many twists drawn from the seed, uniform"
    )
    number: Annotated[int, Field(ge=1, le=100_000_000)] | None = Field(
        None, description="run this one alone, counted from 1; when absent all, one after the other"
    )

    @model_validator(mode="after")
    def _one(self):
        if (self.grid is None) == (self.random is None):
            raise ValueError("expected either grid or random")
        if self.grid and prod(self.grid) > MOST:
            raise ValueError(f"grid has {prod(self.grid)} points: expected at most {MOST}")
        return self
