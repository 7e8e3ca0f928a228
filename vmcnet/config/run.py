"""[training], [evaluation] and [run]."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator

from vmcnet.config.table import Positive, Table


class GrowthTable(Table):
    """More walkers from an iteration on: few while the energy falls, many for the last digits."""

    iteration: int = Field(ge=1, le=100_000_000, description="from this iteration on")
    walkers: int = Field(
        ge=1, le=100_000_000, description="so many walkers, a multiple of sampling.block"
    )


class TrainingTable(Table):
    """Training."""

    defaults = "vmcnet.engine.training:train"

    iterations: int = Field(ge=0, le=100_000_000, description="optimizer steps; may grow at resume")
    rollbacks: int = Field(
        3,
        ge=0,
        le=800,
        description=(
            "how often it may go back to the last good checkpoint with half the step, at NaN or "
            "divergence"
        ),
    )
    divergence: Annotated[float, Field(ge=0)] = Field(
        20.0,
        description=(
            "diverged: the energy this many standard deviations of E_L above its lowest; 0: only "
            "NaN counts"
        ),
    )
    clip: Positive | None = Field(
        description=(
            "limit local energies in the gradient to median +- clip x mean absolute deviation; no "
            "limit when absent"
        ),
    )
    start_from: str | None = Field(
        None,
        min_length=1,
        description=(
            "run file whose parameters are taken where name and shape agree, lengths in units of "
            "the two systems; the others start as usual, and walkers start afresh"
        ),
    )
    growth: list[GrowthTable] = Field(
        [], description="more walkers from an iteration on, in the order of both; none when absent"
    )

    @field_validator("growth")
    @classmethod
    def _rises(cls, growth):
        for before, after in pairwise(growth):
            if after.iteration <= before.iteration or after.walkers <= before.walkers:
                raise ValueError(
                    f"iteration = {after.iteration}, walkers = {after.walkers} after iteration = "
                    f"{before.iteration}, walkers = {before.walkers}: both must grow"
                )
        return growth


class DataTable(Table):
    """Training by maximum likelihood on data: |psi|^2 as a generative model, instead of an
    energy.
    """

    file: str = Field(
        min_length=1,
        description=(
            "samples: .npy, .txt or .csv with one a row (spins 0 and 1, or -1 and 1), or the "
            "checkpoint of a run; relative to the job file's folder"
        ),
    )


class EvaluationTable(Table):
    """Evaluation with frozen parameters after training."""

    defaults = "vmcnet.engine.evaluation:evaluate"

    steps: int = Field(
        ge=0, le=100_000_000, description="measurements; 0: no evaluation after training"
    )
    interval: int = Field(ge=1, le=1_000_000, description="Metropolis steps between measurements")
    warmup: int = Field(ge=0, le=10_000_000, description="measurements' worth of equilibration")
    target_error: Positive | None = Field(
        description=(
            "end where the error of the total energy is known and at most this; steps is the limit "
            "then; looked at after steps, 3/4 steps and halves of both down to 32 measurements"
        ),
    )

    @field_validator("steps")
    @classmethod
    def _enough(cls, value):
        if value == 1:
            raise ValueError("expected 0 (no evaluation) or at least 2 measurements, found 1")
        return value


class RunTable(Table):
    """How the run is carried out; nothing here but `threads`, `device` and `precision` changes a
    number.
    """

    defaults = "vmcnet.engine.training:train"

    device: Literal["cpu", "gpu", "auto"] = Field(
        description=(
            "where walkers live; gpu: one a rank, by its number on the machine; auto: a GPU if "
            "there is one, on lattices the CPU"
        ),
    )
    precision: Literal["float64", "float32"] = Field(
        description="of walkers, wavefunction and local energies; parameters and sums are float64",
    )
    threads: int = Field(
        ge=1,
        le=4096,
        description=(
            "threads of BLAS a rank, for natural gradients and large products; other values give "
            "other bits"
        ),
    )
    checkpoint_every: int = Field(
        50, ge=1, le=100_000_000, description="iterations (measurements) between checkpoints"
    )
    checkpoint_minutes: Positive = Field(
        10.0, description="and at the latest after so many minutes"
    )
    watchdog_minutes: Annotated[float, Field(ge=0)] = Field(
        60.0, description="a process ends itself when no iteration finished for so long; 0: never"
    )
    wall_time: float | str | None = Field(
        None, description="stop with a checkpoint after seconds, or 'HH:MM:SS'"
    )

    @field_validator("wall_time", mode="before")
    @classmethod
    def _seconds(cls, value):
        if isinstance(value, str):
            if not re.fullmatch(r"\d{1,6}:[0-5]\d:[0-5]\d", value):
                raise ValueError(
                    "expected seconds or 'HH:MM:SS' with minutes and seconds below 60, found "
                    f"{value[:40]!r}"
                )
            parts = [int(p) for p in value.split(":")]
            value = sum(p * 60**k for k, p in enumerate(reversed(parts)))
        if isinstance(value, bool) or (value is not None and not isinstance(value, int | float)):
            raise ValueError("expected seconds or 'HH:MM:SS'")
        if value is not None and not value > 0:
            raise ValueError("expected a time above 0")
        return None if value is None else float(value)
