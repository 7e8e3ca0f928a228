"""Activations with both derivatives in one pass over the argument: y = f(x), f'(x), f''(x) of every element, float32 and float64.

The loops take flat arrays x, y, slope, curvature of one dtype T; every constant takes that type too, or numba would compute in float64.
tanh: the argument clamped where tanh is 1 to the last digit, halved k times, Pade [7/6], doubled back by 2nq/(q^2 + n^2): one
division. exp: 2^k times the polynomial of the remainder. log(1 + u), 0 <= u <= 1: 2 artanh(u/(2 + u)) by its series.
Selections are written so that NaN passes through them.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled

HIGH, LOW = 0.693145751953125, 1.42860682030941723212e-6       # log 2 = HIGH + LOW; HIGH has 16 bits, so that k HIGH is exact


@compiled
def _tanh(v, wide, T):
    top = T(19.1) if wide else T(9.1)
    v = top if v > top else v
    v = -top if v < -top else v
    v *= T(0.03125) if wide else T(0.125)
    s = v * v
    n = v * (T(1.0) + s * (T(17325 / 135135) + s * (T(378 / 135135) + s * T(1 / 135135))))
    q = T(1.0) + s * (T(62370 / 135135) + s * (T(3150 / 135135) + s * T(28 / 135135)))
    for _ in range(5 if wide else 3):
        n, q = T(2.0) * n * q, q * q + n * n
    return n / q


@compiled
def _exp(v, wide, T):
    """exp of v <= 0; 0 where the result would be no normal number."""
    low = T(-708.0) if wide else T(-87.0)
    z = low if v < low else v
    k = np.floor(z * T(1.4426950408889634) + T(0.5))
    r = (z - k * T(HIGH)) - k * T(LOW)
    p = T(1 / 40320) + r * (T(1 / 362880) + r * (T(1 / 3628800) + r * (T(1 / 39916800) + r * (T(1 / 479001600) + r * T(1 / 6227020800)))))
    p = T(1 / 120) + r * (T(1 / 720) + r * (T(1 / 5040) + r * p))
    p = T(1.0) + r * (T(1.0) + r * (T(0.5) + r * (T(1 / 6) + r * (T(1 / 24) + r * p))))
    power = np.int64((np.int64(k) + np.int64(1023)) << np.int64(52)).view(np.float64)
    return T(0.0) if v < low else p * T(power)


@compiled
def _log1p(u, T):
    s = u / (T(2.0) + u)
    z = s * s
    p = T(1 / 25) + z * (T(1 / 27) + z * (T(1 / 29) + z * (T(1 / 31) + z * T(1 / 33))))
    p = T(1 / 15) + z * (T(1 / 17) + z * (T(1 / 19) + z * (T(1 / 21) + z * (T(1 / 23) + z * p))))
    p = T(1 / 5) + z * (T(1 / 7) + z * (T(1 / 9) + z * (T(1 / 11) + z * (T(1 / 13) + z * p))))
    return T(2.0) * s * (T(1.0) + z * (T(1 / 3) + z * p))


@compiled
def _sides(v, wide, T):
    """u = e^-|v|, f = 1/(1 + e^-v) and f' = f (1 - f), without overflow or lost digits on either side of 0."""
    u = _exp(-abs(v), wide, T)
    w = T(1.0) / (T(1.0) + u)
    return u, w if v > T(0.0) else u * w, u * w * w


@compiled
def tanh(x, y, slope, curvature):
    T, wide = x.dtype.type, x.itemsize == 8
    for m in range(x.size):
        t = _tanh(x[m], wide, T)
        d = T(1.0) - t * t
        y[m], slope[m], curvature[m] = t, d, T(-2.0) * t * d


@compiled
def tanh_reverse(adjoint, y, out):
    T = y.dtype.type
    for m in range(y.size):
        out[m] = adjoint[m] * (T(1.0) - y[m] * y[m])


@compiled
def logistic(x, y, slope, curvature):
    """1/2 + tanh(x/2)/2 loses the small values: by e^-|x|."""
    T, wide = x.dtype.type, x.itemsize == 8
    for m in range(x.size):
        v = x[m]
        u, f, d = _sides(v, wide, T)
        y[m], slope[m], curvature[m] = f, d, d * (T(1.0) - T(2.0) * f)


@compiled
def softplus(x, y, slope, curvature):
    T, wide = x.dtype.type, x.itemsize == 8
    for m in range(x.size):
        v = x[m]
        u, f, d = _sides(v, wide, T)
        y[m], slope[m], curvature[m] = (v if v > T(0.0) else T(0.0)) + _log1p(u, T), f, d


@compiled
def logcosh(x, y, slope, curvature):
    T, wide = x.dtype.type, x.itemsize == 8
    for m in range(x.size):
        a = abs(x[m])
        t = _tanh(x[m], wide, T)
        y[m] = (a - T(0.6931471805599453)) + _log1p(_exp(T(-2.0) * a, wide, T), T)
        slope[m], curvature[m] = t, T(1.0) - t * t


@compiled
def silu(x, y, slope, curvature):
    T, wide = x.dtype.type, x.itemsize == 8
    for m in range(x.size):
        v = x[m]
        u, f, d = _sides(v, wide, T)
        y[m], slope[m], curvature[m] = v * f, f + v * d, d * (T(2.0) + v * (T(1.0) - T(2.0) * f))


@compiled
def gelu(x, y, slope, curvature):
    T, wide = x.dtype.type, x.itemsize == 8
    a, c = T(0.7978845608028654), T(0.044715)
    for m in range(x.size):
        v = x[m]
        t = _tanh(a * (v + c * v * v * v), wide, T)
        du = a * (T(1.0) + T(3.0) * c * v * v)
        d = T(1.0) - t * t
        y[m] = T(0.5) * v * (T(1.0) + t)
        slope[m] = T(0.5) * (T(1.0) + t + v * d * du)
        curvature[m] = d * (du + T(0.5) * v * (T(6.0) * a * c * v - T(2.0) * t * du * du))
