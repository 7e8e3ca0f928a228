"""Metropolis-Hastings steps of one block, and the tuning of the step size from counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vmcnet import kernels
from vmcnet.backend.arrays import namespace, read_only
from vmcnet.sampling.sampler import Counts, Sampler, Unseen, groups
from vmcnet.walkers import Walkers


def decided(
    own: Any,
    thresholds: Any,
    r: np.ndarray,
    log: Any,
    trial: np.ndarray,
    trial_log: Any,
    ratio: Any,
    accepted: Any,
    bad: Any,
) -> Any:
    """r, log psi and where the trial was accepted (W,); accepted and NaN proposals are added to
    `accepted` and `bad`. r, and log if it is real, are changed in place. own: the Kernels of r.
    """
    if log.dtype.kind != "c":
        accept = own.moved(thresholds, log, trial_log, ratio, r, trial, accepted, bad)
        return r, log, accept
    accept = own.moved(
        thresholds, log.real.copy(), trial_log.real.copy(), ratio, r, trial, accepted, bad
    )
    return r, namespace(r).where(accept, trial_log, log), accept


class Metropolis(Sampler):
    """Metropolis-Hastings with |psi|^2 as target; a subclass is a proposal of coordinates.

      propose(r, guide, step, noise) -> r' (W, n, d)
      noise(stream, steps, shape) -> a sequence with the random numbers of one move each; standard
      normals (W, n, d) unless told otherwise
      target      the acceptance that the step size is tuned to (None: there is no step size)

    and, where the proposal is not symmetric,

      log_ratio(r, guide, trial, trial_guide, step) -> log q(r|r')/q(r'|r) (W,)
      guided = True and guide(psi, r, s) -> log psi (W,) and what the proposal must know at r, an
      array (W, ...)

    The guide is evaluated once a proposal and kept with the walker until it moves. A move is
    accepted if
    u < |psi(r')/psi(r)|^2 q(r|r')/q(r'|r). psi = 0 at r' is a rejection; NaN is counted, and the
    caller stops.
    Metropolis et al., J. Chem. Phys. 21, 1087 (1953); Hastings, Biometrika 57, 97 (1970).
    """

    target: float | None = 0.5
    guided = False
    kinds = ("coordinates",)  # what it moves

    def check(self, system: Any, wavefunction: Any) -> None:
        """ValueError where this sampler cannot sample |psi|^2 of the wavefunction on the system."""

    def noise(self, stream: Any, steps: int, shape: tuple[int, ...]) -> Any:
        return stream.normal((steps, *shape))

    def propose(self, r: np.ndarray, guide: Any, step: float, noise: Any) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} defines no propose(r, guide, step, noise)")

    def guide(self, psi: Any, r: np.ndarray, s: np.ndarray) -> tuple:
        return psi.log(r, s), None

    def log_ratio(
        self, r: np.ndarray, guide: Any, trial: np.ndarray, trial_guide: Any, step: float
    ) -> Any:
        return 0.0

    def _trial(self, r: np.ndarray, guide: Any, step: float, move: Any) -> Any:
        """What propose gives, which must be new coordinates beside the old ones, r to read only."""
        try:
            trial = self.propose(r, guide, step, move)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise ValueError(
                f"propose of {type(self).__name__} changes r in place, which the old coordinates "
                "are needed for: return new ones, as r + step * noise"
            ) from error
        # a user's proposal may return anything
        if getattr(trial, "shape", None) != r.shape or trial.dtype != r.dtype:
            raise ValueError(
                f"propose of {type(self).__name__} returns {type(trial).__name__} of shape "
                f"{np.shape(trial)}; expected coordinates of all walkers, {r.dtype} of shape "
                f"{r.shape}"
            )
        return trial

    def sample(
        self, walkers: Walkers, psi: Any, step: float, steps: int, stream: Any
    ) -> tuple[Walkers, Counts | Unseen]:
        """`steps` moves of every walker; the walkers' log_psi must be that of psi."""
        xp = namespace(walkers.r)
        accepted, bad = (
            xp.zeros(walkers.r.shape[0], np.int64),
            xp.zeros(walkers.r.shape[0], np.int64),
        )
        r, s, log = walkers.r.copy(), walkers.s, walkers.log_psi.copy()
        guide = self.guide(psi, r, s)[1] if self.guided else None
        own, tried, seen = kernels.of(xp, r.dtype), 0, read_only(r)
        for some in groups(steps, r.size // len(stream.parts)):
            noise = self.noise(stream, some, r.shape)
            thresholds = xp.log(xp.asarray(stream.uniform((len(noise), len(accepted)))))
            tried += len(noise)
            for move, threshold in zip(noise, thresholds, strict=True):
                trial = self._trial(seen, guide, step, move)
                trial_log, trial_guide = self.guide(psi, trial, s)
                ratio = self._ratio(r, guide, trial, trial_guide, step)
                r, log, accept = decided(
                    own, threshold, r, log, trial, trial_log, ratio, accepted, bad
                )
                if self.guided:
                    guide = xp.where(
                        accept.reshape((-1,) + (1,) * (trial_guide.ndim - 1)), trial_guide, guide
                    )
        return Walkers(r, s, log), Counts.of(accepted, bad, tried)

    def _ratio(
        self, r: np.ndarray, guide: Any, trial: np.ndarray, trial_guide: Any, step: float
    ) -> Any:
        """What log_ratio gives, a number or one a walker."""
        ratio = self.log_ratio(r, guide, trial, trial_guide, step)
        if not np.isscalar(ratio) and np.shape(ratio) != (len(r),):
            raise ValueError(
                f"log_ratio of {type(self).__name__} has shape {np.shape(ratio)}; expected a "
                f"number or one a walker, {(len(r),)}"
            )
        return ratio


def tuned_step(step: float, accepted: int, tried: int, target: float | None, gain: float) -> float:
    """The step size after one look at the acceptance: multiplied by exp(gain (acceptance -
    target)).

    Only integers that all ranks share enter, so that all ranks tune alike.
    """
    return (
        step * math.exp(gain * (accepted / tried - target))
        if tried and target is not None
        else step
    )
