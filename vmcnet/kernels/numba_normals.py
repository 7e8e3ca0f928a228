"""Uniforms and standard normals from random words, the latter by Box and Muller; float64, without a
call of a library: the same bits with any NumPy.

log u = e log 2 + log m with 1/sqrt 2 <= m < sqrt 2, log m = 2 s + s^3 R(s^2), s = (m - 1)/(m + 1).
sin and cos by their polynomials on |x| <= pi/4 after subtracting k pi/2. All within about a unit in
the last place; R and the polynomials are Chebyshev fits below 1e-17.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled, inlined

HIGH, LOW = 0.693145751953125, 1.42860682030941723212e-6  # log 2; k HIGH is exact
QUARTER, QUARTER_REST = 1.5707963267948966, 6.123233995736766e-17  # pi/2
ROOT_HALF = 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2)


@inlined
def _log(x):
    """log of a normal number x > 0."""
    bits = np.float64(x).view(np.int64)
    k = (bits - np.int64(ROOT_HALF)) >> np.int64(52)
    m = np.int64(bits - (k << np.int64(52))).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    r = 0.22222211089379496 + z * (
        0.1818289243253687 + z * (0.15331611722055008 + z * 0.14617807153417325)
    )
    r = 0.666666666666667 + z * (0.3999999999989889 + z * (0.28571428626253836 + z * r))
    e = np.float64(k)
    return e * HIGH + (2.0 * s + (s * z * r + e * LOW))


@inlined
def _cos_sin(x):
    """cos and sin of 0 <= x <= 2 pi."""
    k = np.floor(x * 0.6366197723675814 + 0.5)
    r = (x - k * QUARTER) - k * QUARTER_REST
    z = r * r
    s = 2.755731608381636e-06 + z * (-2.5051127944014188e-08 + z * 1.5917848524808262e-10)
    s = r + r * z * (
        -0.16666666666666666 + z * (0.008333333333330925 + z * (-0.00019841269836722418 + z * s))
    )
    c = -2.7557317260008837e-07 + z * (2.0876143827993133e-09 + z * -1.1382456778061306e-11)
    c = (
        1.0
        - 0.5 * z
        + z
        * z
        * (
            0.041666666666666664
            + z * (-0.0013888888888887382 + z * (2.480158729874307e-05 + z * c))
        )
    )
    turned = k == 1.0 or k == 3.0
    cosine, sine = s if turned else c, c if turned else s
    return -cosine if k == 1.0 or k == 2.0 else cosine, -sine if k == 2.0 or k == 3.0 else sine


@inlined
def _uniform(word):
    return (np.float64(np.int64(word >> np.uint64(11))) + 0.5) * 2.0**-53


@compiled
def uniforms(words, out):
    for m in range(out.size):
        out[m] = _uniform(words[m])


@compiled
def normals(words, out):
    """out (2h,): radius cos, then radius sin, of the 2h words: radius from the first half, angle
    from the second.
    """
    half = out.size // 2
    for m in range(half):
        radius = np.sqrt(-2.0 * _log(_uniform(words[m])))
        c, s = _cos_sin(6.283185307179586 * _uniform(words[half + m]))
        out[m], out[half + m] = radius * c, radius * s
