"""[optimizer]: one table an optimizer, with its schedule inside."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vmcnet.config.table import Positive, Table
from vmcnet.config.user import UserTable

Fraction = Annotated[float, Field(ge=0, lt=1)]
Warmup = Annotated[int, Field(ge=0, le=100_000_000)]


class ConstantTable(Table):
    """The learning rate as it is."""

    builds = "vmcnet.optimizers:Constant"
    type: Literal["constant"]
    warmup: Warmup = Field(description="iterations of a linear rise to the full rate")


class InverseDecayTable(Table):
    """1/(1 + t/delay)^power."""

    builds = "vmcnet.optimizers:InverseDecay"
    type: Literal["inverse_decay"]
    delay: Positive = Field(description="iterations until the rate has fallen to 1/2^power")
    power: Positive = Field(description="exponent")
    warmup: Warmup = Field(
        description="iterations of a linear rise to the full rate, before t counts"
    )


class CosineTable(Table):
    """Half a cosine from 1 to floor."""

    builds = "vmcnet.optimizers:Cosine"
    type: Literal["cosine"]
    iterations: int = Field(
        ge=1,
        le=100_000_000,
        description="length of the fall after the warm-up; floor from there on",
    )
    floor: Annotated[float, Field(ge=0, le=1)] = Field(description="last factor")
    warmup: Warmup = Field(
        description="iterations of a linear rise to the full rate, before t counts"
    )


ScheduleTable = Annotated[
    ConstantTable | InverseDecayTable | CosineTable, Field(discriminator="type")
]


class OptimizerBase(Table):
    schedule: ScheduleTable | None = Field(
        description="factor of the learning rate against the iteration; constant when absent"
    )
    max_norm: Positive | None = Field(
        description="longest step, Euclidean norm over all parameters; no limit when absent"
    )


class SGDTable(OptimizerBase):
    """Gradient descent."""

    builds = "vmcnet.optimizers:SGD"
    type: Literal["sgd"]
    learning_rate: Positive = Field(description="step along the gradient")
    max_norm: Positive | None = Field(
        description="longest step, Euclidean norm over all parameters, also of a natural gradient",
    )


class MomentumTable(OptimizerBase):
    """Gradient descent with momentum."""

    builds = "vmcnet.optimizers:Momentum"
    type: Literal["momentum"]
    learning_rate: Positive = Field(description="step along the velocity")
    momentum: Fraction = Field(description="share of the velocity that is kept")
    nesterov: bool = Field(description="Nesterov's look-ahead instead of the heavy ball")


class AdaGradTable(OptimizerBase):
    """AdaGrad."""

    builds = "vmcnet.optimizers:AdaGrad"
    type: Literal["adagrad"]
    learning_rate: Positive = Field(description="step size")
    epsilon: Positive = Field(description="floor of the denominator")


class RMSpropTable(OptimizerBase):
    """RMSprop."""

    builds = "vmcnet.optimizers:RMSprop"
    type: Literal["rmsprop"]
    learning_rate: Positive = Field(description="step size")
    decay: Fraction = Field(description="decay of the mean square")
    epsilon: Positive = Field(description="floor of the denominator")


class AdamTable(OptimizerBase):
    """Adam."""

    builds = "vmcnet.optimizers:Adam"
    type: Literal["adam"]
    learning_rate: Positive = Field(description="step size")
    beta1: Fraction = Field(description="decay of the mean")
    beta2: Fraction = Field(description="decay of the mean square")
    epsilon: Positive = Field(description="floor of the denominator")
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        description="decoupled weight decay (AdamW)"
    )


OptimizerTable = Annotated[
    SGDTable | MomentumTable | AdaGradTable | RMSpropTable | AdamTable | UserTable,
    Field(discriminator="type"),
]
