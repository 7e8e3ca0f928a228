"""Activations, float32 and float64: y = f(x), f'(x), f''(x) of every element in one pass, and of
network layers f(z + b), and f'(z + b) where f does not tell it.

The loops take arrays of one dtype T, flat x, y, slope, curvature or z (M, F) and b (F,); every
constant takes that type too, or numba would compute in float64. The same argument gives the same
bits in every loop and at every place in an array. tanh, float64: e/(e + 2), e = e^(2|x|) - 1 = 2^k
p(r) + (2^k - 1), p(r) = e^r - 1 a polynomial on |r| <= log(2)/2; within 2.5 units in the last
place. float32: the minimax quotient of x P(x^2), Q(x^2), within 5. Both clamp the argument where
tanh is 1 to the last digit. exp: 2^k times the polynomial of the remainder. log(1 + u), 0 <= u <=
1: 2 artanh(u/(2 + u)) by its series. Selections are written so that NaN passes through them. The
sixteen loops are written out: numba's disk cache never finds a closure over another compiled
function again, and would grow with every process.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled, inlined

HIGH, LOW = (
    0.693145751953125,
    1.42860682030941723212e-6,
)  # log 2 = HIGH + LOW; HIGH has 16 bits, so that k HIGH is exact
SHIFT = 6755399441055744.0 + 1023.0  # 1.5 2^52: adding it rounds to an integer
TINY = 1e-300  # T(TINY) > 0 tells float64 from float32, and the compiler knows it


@inlined
def _tanh(v, T):
    wide = T(TINY) > T(0.0)
    top = T(19.1) if wide else T(9.1)
    a = abs(v)
    a = top if a > top else a
    if wide:
        shifted = a * T(2.8853900817779268) + T(SHIFT)  # its last bits are k + 1023
        k = shifted - T(SHIFT)
        r = (a - k * T(0.5 * HIGH)) - k * T(0.5 * LOW)
        p = T(0.0031745947123478693) + r * (
            T(0.0007054660704943153)
            + r * (T(0.00014141511024503805) + r * T(2.570283433677319e-05))
        )
        p = T(0.13333333333328082) + r * (
            T(0.04444444453530174) + r * (T(0.01269841271238782) + r * p)
        )
        p = r + r * r * (
            T(1.0000000000000002)
            + r * (T(0.6666666666666667) + r * (T(0.3333333333329919) + r * p))
        )
        power = T(np.int64(np.float64(shifted).view(np.int64) << np.int64(52)).view(np.float64))
        e = power * p + (T(0.5) * power - T(0.5))  # (e^(2a) - 1)/2
        t = e / (e + T(1.0))
    else:
        s = a * a
        n = a * (
            T(1.0)
            + s
            * (
                T(0.1337749783832989)
                + s
                * (
                    T(0.0034912881304968942)
                    + s * (T(2.0534054111221340e-05) + s * T(1.3242806858218509e-08))
                )
            )
        )
        q = T(1.0) + s * (
            T(0.4671081811133888)
            + s
            * (
                T(0.025860905608108751)
                + s * (T(0.00032784170472115637) + s * T(7.7324422701900401e-07))
            )
        )
        t = n / q
        t = T(1.0) if t > T(1.0) else t
    return t if v > T(0.0) else -t


@inlined
def _exp(v, T):
    """exp of v <= 0; 0 where the result would be no normal number."""
    low = T(-708.0) if T(TINY) > T(0.0) else T(-87.0)
    z = low if v < low else v
    k = np.floor(z * T(1.4426950408889634) + T(0.5))
    r = (z - k * T(HIGH)) - k * T(LOW)
    p = T(1 / 40320) + r * (
        T(1 / 362880)
        + r
        * (T(1 / 3628800) + r * (T(1 / 39916800) + r * (T(1 / 479001600) + r * T(1 / 6227020800))))
    )
    p = T(1 / 120) + r * (T(1 / 720) + r * (T(1 / 5040) + r * p))
    p = T(1.0) + r * (T(1.0) + r * (T(0.5) + r * (T(1 / 6) + r * (T(1 / 24) + r * p))))
    power = np.int64((np.int64(k) + np.int64(1023)) << np.int64(52)).view(np.float64)
    return T(0.0) if v < low else p * T(power)


@inlined
def _log1p(u, T):
    s = u / (T(2.0) + u)
    z = s * s
    p = T(1 / 25) + z * (T(1 / 27) + z * (T(1 / 29) + z * (T(1 / 31) + z * T(1 / 33))))
    p = T(1 / 15) + z * (T(1 / 17) + z * (T(1 / 19) + z * (T(1 / 21) + z * (T(1 / 23) + z * p))))
    p = T(1 / 5) + z * (T(1 / 7) + z * (T(1 / 9) + z * (T(1 / 11) + z * (T(1 / 13) + z * p))))
    return T(2.0) * s * (T(1.0) + z * (T(1 / 3) + z * p))


@inlined
def _sides(v, T):
    """u = e^-|v|, f = 1/(1 + e^-v) and f' = f (1 - f), without overflow or lost digits on either
    side of 0.
    """
    u = _exp(-abs(v), T)
    w = T(1.0) / (T(1.0) + u)
    return u, w if v > T(0.0) else u * w, u * w * w


@inlined
def _tanh_jet(v, T):
    t = _tanh(v, T)
    d = T(1.0) - t * t
    return t, d, T(-2.0) * t * d


@inlined
def _logistic_jet(v, T):
    """1/2 + tanh(x/2)/2 loses the small values: by e^-|x|."""
    _, f, d = _sides(v, T)
    return f, d, d * (T(1.0) - T(2.0) * f)


@inlined
def _softplus_jet(v, T):
    u, f, d = _sides(v, T)
    return (v if v > T(0.0) else T(0.0)) + _log1p(u, T), f, d


@inlined
def _logcosh_jet(v, T):
    a = abs(v)
    t = _tanh(v, T)
    return (a - T(0.6931471805599453)) + _log1p(_exp(T(-2.0) * a, T), T), t, T(1.0) - t * t


@inlined
def _silu_jet(v, T):
    _, f, d = _sides(v, T)
    return v * f, f + v * d, d * (T(2.0) + v * (T(1.0) - T(2.0) * f))


@inlined
def _gelu_jet(v, T):
    a, c = T(0.7978845608028654), T(0.044715)
    t = _tanh(a * (v + c * v * v * v), T)
    du = a * (T(1.0) + T(3.0) * c * v * v)
    d = T(1.0) - t * t
    return (
        T(0.5) * v * (T(1.0) + t),
        T(0.5) * (T(1.0) + t + v * d * du),
        d * (du + T(0.5) * v * (T(6.0) * a * c * v - T(2.0) * t * du * du)),
    )


@compiled
def tanh(x, y, slope, curvature):
    for m in range(x.size):
        y[m], slope[m], curvature[m] = _tanh_jet(x[m], x.dtype.type)


@compiled
def tanh_layer(z, b):
    for w in range(z.shape[0]):
        for f in range(z.shape[1]):
            z[w, f] = _tanh_jet(z[w, f] + b[f], z.dtype.type)[0]


@compiled
def logistic(x, y, slope, curvature):
    for m in range(x.size):
        y[m], slope[m], curvature[m] = _logistic_jet(x[m], x.dtype.type)


@compiled
def logistic_layer(z, b):
    for w in range(z.shape[0]):
        for f in range(z.shape[1]):
            z[w, f] = _logistic_jet(z[w, f] + b[f], z.dtype.type)[0]


@compiled
def softplus(x, y, slope, curvature):
    for m in range(x.size):
        y[m], slope[m], curvature[m] = _softplus_jet(x[m], x.dtype.type)


@compiled
def softplus_layer(z, b):
    for w in range(z.shape[0]):
        for f in range(z.shape[1]):
            z[w, f] = _softplus_jet(z[w, f] + b[f], z.dtype.type)[0]


@compiled
def softplus_layer_slope(z, b, slope):
    for w in range(z.shape[0]):
        for f in range(z.shape[1]):
            z[w, f], slope[w, f], _ = _softplus_jet(z[w, f] + b[f], z.dtype.type)


@compiled
def logcosh(x, y, slope, curvature):
    for m in range(x.size):
        y[m], slope[m], curvature[m] = _logcosh_jet(x[m], x.dtype.type)


@compiled
def logcosh_layer(z, b):
    for w in range(z.shape[0]):
        for f in range(z.shape[1]):
            z[w, f] = _logcosh_jet(z[w, f] + b[f], z.dtype.type)[0]


@compiled
def logcosh_layer_slope(z, b, slope):
    for w in range(z.shape[0]):
        for f in range(z.shape[1]):
            z[w, f], slope[w, f], _ = _logcosh_jet(z[w, f] + b[f], z.dtype.type)


@compiled
def gelu(x, y, slope, curvature):
    for m in range(x.size):
        y[m], slope[m], curvature[m] = _gelu_jet(x[m], x.dtype.type)


@compiled
def gelu_layer(z, b):
    for w in range(z.shape[0]):
        for f in range(z.shape[1]):
            z[w, f] = _gelu_jet(z[w, f] + b[f], z.dtype.type)[0]


@compiled
def gelu_layer_slope(z, b, slope):
    for w in range(z.shape[0]):
        for f in range(z.shape[1]):
            z[w, f], slope[w, f], _ = _gelu_jet(z[w, f] + b[f], z.dtype.type)


@compiled
def silu(x, y, slope, curvature):
    for m in range(x.size):
        y[m], slope[m], curvature[m] = _silu_jet(x[m], x.dtype.type)


@compiled
def silu_layer(z, b):
    for w in range(z.shape[0]):
        for f in range(z.shape[1]):
            z[w, f] = _silu_jet(z[w, f] + b[f], z.dtype.type)[0]


@compiled
def silu_layer_slope(z, b, slope):
    for w in range(z.shape[0]):
        for f in range(z.shape[1]):
            z[w, f], slope[w, f], _ = _silu_jet(z[w, f] + b[f], z.dtype.type)
