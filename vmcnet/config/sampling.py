"""[sampling]."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vmcnet.config.table import Positive, Table
from vmcnet.config.user import UserTable
from vmcnet.sampling.defaults import SAMPLERS

MOVES_SPINS = ("spin_flip", "exchange")


class SamplingTable(Table):
    """Metropolis walkers."""

    defaults = "vmcnet.engine.training:train"

    walkers: int = Field(
        ge=2, le=100_000_000, description="walkers on all ranks together, a multiple of block"
    )
    block: int = Field(
        ge=1,
        le=1_000_000,
        description=(
            "walkers a block: unit of ownership, randomness and arithmetic; small networks are "
            "faster in larger blocks, up to walkers over ranks"
        ),
    )
    steps: int = Field(ge=1, le=1_000_000, description="Metropolis steps an iteration")
    warmup: int = Field(
        ge=0,
        le=10_000_000,
        description="warm-up iterations before training, the step size is tuned in them",
    )
    proposal: Literal[tuple(SAMPLERS)] | UserTable | None = Field(
        None,
        description=(
            "moves of all particles, of one at a time (n moves count as one step), or of all "
            "along the drift (importance sampling); alternating: of all particles, then an "
            "exchange of two spins, which checks that fixed labels lose nothing; on lattices flips "
            "of single spins, exchanges "
            "of neighbours (a sweep counts as one step), or block Gibbs sampling of a real "
            "binary_rbm; heat bath of a classical model with the wavefunction boltzmann; the "
            "system's usual one when absent: gaussian, on lattices exchange where the "
            "magnetisation is fixed, thermal for boltzmann, otherwise spin_flip; a class of your "
            'own is "my_module:MyProposal", or a table with this type and its arguments'
        ),
    )
    scan: Literal["random", "systematic"] | None = Field(
        None, description="order of the proposals that move spins; random when absent"
    )
    acceptance: Literal["metropolis", "heat_bath"] | None = Field(
        None, description="acceptance of proposals that move spins; metropolis when absent"
    )
    step_size: Positive = Field(
        description=(
            "first step size of proposals that move coordinates, in units of the system's length"
        ),
    )

    @model_validator(mode="after")
    def _spins(self):
        for key in ("scan", "acceptance"):
            if dict(self)[key] is not None and self.proposal not in (None, *MOVES_SPINS):
                own = isinstance(self.proposal, UserTable)
                name = self.proposal.source if own else self.proposal
                raise ValueError(
                    f'{key} has no meaning for proposal = "{name}": it belongs to '
                    f"{', '.join(MOVES_SPINS)}"
                )
        return self

    @model_validator(mode="after")
    def _blocks(self):
        if self.walkers % self.block:
            nearest = self.block * max(1, round(self.walkers / self.block))
            raise ValueError(
                f"walkers = {self.walkers} is no multiple of block = {self.block}: use walkers = "
                f"{nearest}"
            )
        return self
