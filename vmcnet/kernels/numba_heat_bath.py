"""Compiled heat-bath sweep of classical lattice models; its plain twin is sampling/thermal.py."""

from __future__ import annotations

from vmcnet.kernels.compiled import compiled


def _sweep(colours, neighbours, factors, single, uniforms, changed):
    """One systematic sweep: colours (W, n), neighbours (n, z) with -1 for none, factors (q, q),
    single (q,), uniforms (W, n), changed (W,).
    """
    walkers, n = colours.shape
    q, z = len(single), neighbours.shape[1]
    for w in range(walkers):
        for i in range(n):
            total = 0.0
            chosen = q - 1
            for c in range(q):
                weight = single[c]
                for k in range(z):
                    j = neighbours[i, k]
                    if j >= 0:
                        weight *= factors[c, colours[w, j]]
                total += weight
            limit, total = uniforms[w, i] * total, 0.0
            for c in range(q):
                weight = single[c]
                for k in range(z):
                    j = neighbours[i, k]
                    if j >= 0:
                        weight *= factors[c, colours[w, j]]
                total += weight
                if limit < total:
                    chosen = c
                    break
            changed[w] += chosen != colours[w, i]
            colours[w, i] = chosen


sweep = compiled(_sweep)
