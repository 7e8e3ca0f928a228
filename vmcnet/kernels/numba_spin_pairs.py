"""Compiled sweep of spins under psi = exp(sum_{i<j} J_ij s_i s_j); its plain twin is the sweep that
every LocalUpdate has.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled

TILE = 128  # walkers at a time, the length of the innermost loops


@compiled
def sweep(fields, s, coupling, sites, sequence, limits, accepted, bad):
    """Propose the moves `sequence` (K,) one after the other; accept where limits (K, W) <
    log |psi'/psi|^2. fields (n, W), s (n, W) +1 or -1 as floats, and the counts (W,), in place.

    coupling (n, n), symmetric, its diagonal 0; sites (moves, 1 or 2).
    """
    n, walkers = fields.shape
    turned = np.empty(TILE)
    for lo in range(0, walkers, TILE):
        width = min(TILE, walkers - lo)
        for k in range(len(sequence)):
            m = sequence[k]
            i, j = sites[m, 0], sites[m, -1]
            si, sj = s[i, lo : lo + width], s[j, lo : lo + width]
            fi, fj = fields[i, lo : lo + width], fields[j, lo : lo + width]
            pair, both, taken = i != j, 8.0 * coupling[i, j], 0
            for w in range(width):
                exponent = -4.0 * si[w] * fi[w]
                if pair:
                    exponent += both * si[w] * sj[w] - 4.0 * sj[w] * fj[w]
                acts = (not pair) or si[w] != sj[w]
                yes = acts and limits[k, lo + w] < exponent
                bad[lo + w] += 1 if acts and exponent != exponent else 0
                accepted[lo + w] += 1 if yes else 0
                taken += 1 if yes else 0
                turned[w] = -2.0 * si[w] if yes else 0.0
            if taken == 0:
                continue
            for w in range(width):
                si[w] += turned[w]
            if pair:
                for w in range(width):
                    sj[w] -= turned[w]
            for row in range(n):
                force = coupling[row, i] - (coupling[row, j] if pair else 0.0)
                field = fields[row, lo : lo + width]
                for w in range(width):
                    field[w] += force * turned[w]
