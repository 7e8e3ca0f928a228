"""Orbitals of particles in a periodic box: plane waves."""

from __future__ import annotations

import numpy as np

CLOSED = 1e-9  # of 2 pi/L: wave vectors that agree to this are one


def real_waves(box, integers):
    """Wave vectors K (d, m) and angles b (m,) such that cos(K.r + b) span what the plane waves of
    `integers` (m, d) span, or None where that set is not closed under k -> -k.

    Of k and -k one gives cos(k.r), the other cos(k.r - pi/2) = sin(k.r).
    """
    k = box.wave_vectors(integers)
    unit = box.wave_vectors(np.eye(box.dimensions), twisted=False).max()
    waves, angles, left = [], [], list(range(len(k)))
    while left:
        i = left.pop(0)
        partner = [j for j in left if np.abs(k[i] + k[j]).max() < CLOSED * unit]
        if np.abs(k[i]).max() < CLOSED * unit:
            waves.append(np.zeros(box.dimensions))
            angles.append(0.0)
        elif partner:
            left.remove(partner[0])
            waves += [k[i], k[i]]
            angles += [0.0, -0.5 * np.pi]
        else:
            return None
    return np.array(waves).reshape(-1, box.dimensions).T, np.array(angles)
