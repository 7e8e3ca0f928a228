"""What the energy of an electron gas in a finite box leaves out at long wavelengths."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Any

from vmcnet.observables.pairs import AT_ORIGIN, StaticStructureFactor

NEAR = 0.25  # of the plasmons' S(k)/k^2: farther from it the correction is doubtful


@dataclass(frozen=True)
class FiniteSize:
    """Corrections of leading order in 1/N to the energy of N electrons, totals of the box in
    hartree, each with its error; `energy`: the corrected one. ratio: S(k)/k^2 at k = 0 over the
    plasmons' 1/(2 omega_p).
    """

    potential: tuple[float, float]
    kinetic: tuple[float, float]
    energy: tuple[float, float]
    ratio: tuple[float, float]

    @property
    def warnings(self) -> list[str]:
        """What is doubtful about them."""
        value, error = self.ratio
        if abs(value - 1.0) <= NEAR + 2.0 * error:
            return []
        return [
            f"S(k)/k^2 at k = 0 is {value:.2f} times that of plasmons: psi lacks their "
            "correlation, or the box is too small for the limit; the corrections are doubtful"
        ]


def finite_size(system: Any, result: Any) -> FiniteSize:
    """Corrections to an evaluation of an electron gas in three dimensions, from its S(k).

    Potential, (N/2V) lim_{k -> 0} (4 pi/k^2) S(k) = (omega_p^2/2) lim S(k)/k^2: the term k = 0 that
    the sum over a finite box's wave vectors lacks; kinetic, omega_p/4, of the long-range pair
    factor of plasmons. Where S(k) is the plasmons' k^2/(2 omega_p), both are omega_p/4. The limit
    is that of a line in k^2 through S(k)/k^2 of the two lowest shells. What the shells of plane
    waves do to the kinetic energy is not in them: twists average over it. Chiesa, Ceperley, Martin
    and Holzmann, Phys. Rev. Lett. 97, 076404 (2006), eqs. 4 to 9.

    system: an ElectronGas; result: an EvaluationResult that measured static_structure_factor.
    Raises ValueError for other systems, for two dimensions, and without S(k) of two shells.
    """
    plasmon = system.plasmon
    if plasmon is None:
        raise ValueError(
            "finite-size corrections belong to the electron gas in 3 dimensions; this is: "
            f"{system.describe()}"
        )
    observed = result.observables.get(StaticStructureFactor.name)
    if observed is None or AT_ORIGIN not in observed.derived:
        raise ValueError(
            "finite-size corrections need S(k) of at least 2 shells: evaluate with the observable "
            f"{StaticStructureFactor.name}"
        )
    value, error = observed.derived[AT_ORIGIN]
    factor = 0.5 * plasmon**2
    potential, kinetic = (factor * value, factor * error), (0.25 * plasmon, 0.0)
    energy = result.energy + potential[0] + kinetic[0]
    return FiniteSize(
        potential,
        kinetic,
        (energy, hypot(result.error, potential[1])),
        (2.0 * plasmon * value, 2.0 * plasmon * error),
    )
