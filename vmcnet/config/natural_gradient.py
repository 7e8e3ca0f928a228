"""[natural_gradient]: one table a method."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vmcnet.config.table import Positive, Table
from vmcnet.config.user import UserTable

FORM = "matrix that is solved: parameters (metric), walkers (gram), or the smaller of them"


class Shifted(Table):
    """What all natural gradients share: (S + D) d = F/2 with D_p = c_k (shift + relative_shift
    S_pp), c_k = max(shift_decay^k, shift_floor).
    """

    shift: float = Field(ge=0, description="shift of the metric's diagonal")
    relative_shift: float = Field(
        ge=0, description="further shift, in units of the diagonal itself"
    )
    shift_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        description="both shifts are multiplied by this at every iteration"
    )
    shift_floor: Annotated[float, Field(ge=0, le=1)] = Field(
        description="but never below this share of their first value"
    )
    max_norm: Positive | None = Field(
        description="longest direction (Euclidean); longer ones are scaled down to it"
    )


class SRTable(Shifted):
    """Stochastic reconfiguration with the whole matrix: up to some thousand parameters."""

    builds = "vmcnet.optimizers:SR"
    type: Literal["sr"]


class SRCGTable(Shifted):
    """Stochastic reconfiguration by conjugate gradients, without the matrix."""

    builds = "vmcnet.optimizers:SRCG"
    type: Literal["sr_cg"]
    tolerance: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="residual, in units of the gradient's half"
    )
    max_products: int = Field(ge=1, le=1_000_000, description="products with the metric, at most")


class MinSRTable(Shifted):
    """The same direction through the Gram matrix of the walkers: any number of parameters, some
    thousand walkers.
    """

    builds = "vmcnet.optimizers:MinSR"
    type: Literal["minsr"]


class SPRINGTable(Shifted):
    """MinSR with the previous direction as a start of the next one."""

    builds = "vmcnet.optimizers:SPRING"
    type: Literal["spring"]
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="share of the previous direction"
    )
    form: Literal["auto", "metric", "gram"] = Field(description=FORM)


class MARCHTable(Shifted):
    """SPRING with a shift of its own for every parameter, from how much its direction changed."""

    builds = "vmcnet.optimizers:MARCH"
    type: Literal["march"]
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="share of the previous direction"
    )
    beta: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="memory of the squared changes of the direction"
    )
    form: Literal["auto", "metric", "gram"] = Field(description=FORM)


class RobustSRTable(Shifted):
    """Stochastic reconfiguration that falls back to the gradient where the metric is below the
    shift.
    """

    builds = "vmcnet.optimizers:RobustSR"
    type: Literal["robust_sr"]
    gamma: float = Field(ge=0, description="factor of the gradient where the metric says nothing")
    form: Literal["auto", "metric", "gram"] = Field(description=FORM)


NaturalGradientTable = Annotated[
    SRTable | SRCGTable | MinSRTable | SPRINGTable | MARCHTable | RobustSRTable | UserTable,
    Field(discriminator="type"),
]
