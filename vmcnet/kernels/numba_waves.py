"""Sine and cosine of float64 in one pass.

x = k pi/2 + r with |r| <= pi/4, pi/2 in three parts of which the first two have 32 bits, so that k
times them is exact; Taylor series of r; the quadrant k mod 4 chooses and signs. Within 2 units in
the last place up to LARGEST, beyond which the caller takes another way. The same argument gives the
same bits at every place of an array. W. J. Cody and W. Waite, Software Manual for the Elementary
Functions (1980), ch. 8, for the reduction.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled, inlined

LARGEST = 1e6  # |x|: k has 20 bits
PARTS = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)  # sum: pi/2
SHIFT = 6755399441055744.0  # 1.5 2^52: adding it rounds to an integer


@inlined
def _both(x):
    shifted = x * 0.6366197723675814 + SHIFT  # its last bits are those of k
    k = shifted - SHIFT
    r = ((x - k * PARTS[0]) - k * PARTS[1]) - k * PARTS[2]
    q = r * r
    s = 1 / 6227020800 - q * (1 / 1307674368000 - q * (1 / 355687428096000))
    s = 1 / 5040 - q * (1 / 362880 - q * (1 / 39916800 - q * s))
    s = r - r * q * (1 / 6 - q * (1 / 120 - q * s))
    c = 1 / 479001600 - q * (1 / 87178291200 - q * (1 / 20922789888000))
    c = 1 / 720 - q * (1 / 40320 - q * (1 / 3628800 - q * c))
    c = 1.0 - q * (0.5 - q * (1 / 24 - q * c))
    quadrant = np.float64(shifted).view(np.int64)
    turned = (quadrant & np.int64(1)) != 0
    sine, cosine = (c if turned else s), (s if turned else c)
    sine = -sine if (quadrant & np.int64(2)) != 0 else sine
    cosine = -cosine if ((quadrant + np.int64(1)) & np.int64(2)) != 0 else cosine
    return sine, cosine


@compiled
def sine_cosine(x, sine, cosine):
    """sin and cos of flat x, and whether all |x| <= LARGEST; otherwise they are not all right."""
    beyond = 0
    for m in range(x.size):
        beyond += not (abs(x[m]) <= LARGEST)  # NaN is
        sine[m], cosine[m] = _both(x[m])
    return beyond == 0
