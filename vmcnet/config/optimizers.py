"""[optimizer]: one table an optimizer."""

from __future__ import annotations

from typing import Annotated, Literal, Union

from pydantic import Field

from vmcnet.config.table import Positive, Table


class SGDTable(Table):
    """Gradient descent."""

    builds = "vmcnet.optimizers:SGD"
    type: Literal["sgd"]
    learning_rate: Positive = Field(0.01, description="step along the gradient")


class AdamTable(Table):
    """Adam."""

    builds = "vmcnet.optimizers:Adam"
    type: Literal["adam"]
    learning_rate: Positive = Field(0.01, description="step size")
    beta1: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="decay of the mean")
    beta2: Annotated[float, Field(ge=0, lt=1)] = Field(0.999, description="decay of the mean square")
    epsilon: Positive = Field(1e-8, description="floor of the denominator")


OptimizerTable = Annotated[Union[SGDTable, AdamTable], Field(discriminator="type")]
