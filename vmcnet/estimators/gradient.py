"""Gradient of the energy with respect to the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array, to_host
from vmcnet.walkers import Walkers


def block_gradient(walkers: Walkers, psi: Any, weights: np.ndarray, count: int) -> np.ndarray:
    """One block's share of F = 2 Re <(E_L - <E>)* O>, (P,) float64 on the host.

    weights (W,) = conj(E_L - <E>) with <E> the mean over ALL `count` walkers: the sum over blocks
    is then exactly
    2 Re(<O* E_L> - <O*><E_L>), as a covariance, without the loss of digits of the difference.
    """
    return (
        2.0 / count * np.asarray(to_host(psi.contracted(walkers, weights)).real, dtype=np.float64)
    )


def block_sums(walkers: Walkers, psi: Any, weights: Array, blocks: int) -> Array:
    """Re sum_w weights_w O_w of several blocks whose walkers stand one after the other, (blocks, P)
    where the walkers are; 2 / count times these are the shares of F.
    """
    if blocks == 1:
        return psi.contracted(walkers, weights).real[None]
    return psi.contracted_blocks(walkers, weights, blocks).real


def separate_moments(
    walkers: Walkers, psi: Any, energies: Array
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums over the block of O (P,), O E_L (P,) and E_L: the two-term form, 2 Re(<O* E_L> - <O>*
    <E_L>).
    """
    o = to_host(psi.log_derivatives(walkers))
    e = to_host(energies)
    return o.conj().sum(axis=0), (o.conj() * e[:, None]).sum(axis=0), e.sum()
