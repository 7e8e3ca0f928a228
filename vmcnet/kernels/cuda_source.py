"""CUDA C of the device kernels, for T = float and double; compiled by nvrtc at first use, in CI
also without a GPU.

Sums run inside one thread in a fixed order: no atomics, no reductions across threads. Numbers agree
with the plain rules to rounding.
"""

from vmcnet.kernels import activations

# the enum of kinds is in the order of activations.NAMES
SOURCE = r"""
typedef unsigned long long word;

__device__ inline float  tanh_(float x)   { return tanhf(x); }
__device__ inline double tanh_(double x)  { return tanh(x); }
__device__ inline float  exp_(float x)    { return expf(x); }
__device__ inline double exp_(double x)   { return exp(x); }
__device__ inline float  log1p_(float x)  { return log1pf(x); }
__device__ inline double log1p_(double x) { return log1p(x); }

enum { TANH, LOGISTIC, SOFTPLUS, LOGCOSH, GELU, SILU };

// f(v), f'(v), f''(v); NaN passes through
template <typename T, int KIND>
__device__ inline void jet(const T v, T& y, T& slope, T& curvature)
{
    const T one = 1, two = 2, half = 0.5;
    if (KIND == TANH) {
        T t = tanh_(v), d = one - t * t;
        y = t; slope = d; curvature = -two * t * d;
    } else if (KIND == LOGCOSH) {
        T a = v < 0 ? -v : v, t = tanh_(v);
        y = (a - (T)0.6931471805599453) + log1p_(exp_(-two * a));
        slope = t; curvature = one - t * t;
    } else if (KIND == GELU) {
        const T a = 0.7978845608028654, c = 0.044715;
        T t = tanh_(a * (v + c * v * v * v)), du = a * (one + 3 * c * v * v), d = one - t * t;
        y = half * v * (one + t);
        slope = half * (one + t + v * d * du);
        curvature = d * (du + half * v * (6 * a * c * v - two * t * du * du));
    } else {
        T u = exp_(v < 0 ? v : -v), w = one / (one + u), f = v > 0 ? w : u * w, d = u * w * w;
        if (KIND == LOGISTIC) {
            y = f; slope = d; curvature = d * (one - two * f);
        } else if (KIND == SOFTPLUS) {
            y = (v > 0 ? v : (T)0) + log1p_(u) + (v - v); slope = f; curvature = d;
        } else {
            y = v * f; slope = f + v * d; curvature = d * (two + v * (one - two * f));
        }
    }
}

template <typename T, int KIND>
__global__ void activation(const T* x, T* y, T* slope, T* curvature, long size)
{
    long m = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (m < size) jet<T, KIND>(x[m], y[m], slope[m], curvature[m]);
}

// z <- f(z + b), z (M, F), b (F); and f'(z + b)
template <typename T, int KIND>
__global__ void layer(T* z, const T* bias, long size, int features)
{
    long m = blockIdx.x * (long)blockDim.x + threadIdx.x;
    T slope, curvature;
    if (m < size) jet<T, KIND>(z[m] + bias[m % features], z[m], slope, curvature);
}

template <typename T, int KIND>
__global__ void layer_slope(T* z, const T* bias, T* slope, long size, int features)
{
    long m = blockIdx.x * (long)blockDim.x + threadIdx.x;
    T curvature;
    if (m < size) jet<T, KIND>(z[m] + bias[m % features], z[m], slope[m], curvature);
}

// in place on slots (S, M): y; f' j_c; f' j_L + f'' sum_c j_c^2
template <typename T>
__global__ void chain(T* slots, const T* y, const T* slope, const T* curvature, long size,
                      int count)
{
    long m = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (m >= size) return;
    T f1 = slope[m], squares = 0;
    slots[m] = y[m];
    for (int c = 1; c < count - 1; c++) {
        T j = slots[c * size + m];
        squares += j * j;
        slots[c * size + m] = f1 * j;
    }
    slots[(count - 1) * size + m] = f1 * slots[(count - 1) * size + m] + curvature[m] * squares;
}

// slots (S, M) of the product of two jets
template <typename T>
__global__ void product(const T* p, const T* q, T* out, long size, int count)
{
    long m = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (m >= size) return;
    const T p0 = p[m], q0 = q[m];
    T total = 0;
    out[m] = p0 * q0;
    for (int c = 1; c < count - 1; c++) {
        T a = p[c * size + m], b = q[c * size + m];
        total += a * b;
        out[c * size + m] = p0 * b + q0 * a;
    }
    const long last = (count - 1) * size + m;
    out[last] = p0 * q[last] + q0 * p[last] + 2 * total;
}

// derivatives jacobian (C, F) shared by all walkers, Laplacian 0; y, slope, curvature (W, F),
// out (C + 2, W, F)
template <typename T>
__global__ void chain_linear(const T* jacobian, const T* y, const T* slope, const T* curvature,
                             T* out, long size, int features, int count)
{
    long m = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (m >= size) return;
    int f = (int)(m % features);
    T f1 = slope[m], squares = 0;
    out[m] = y[m];
    for (int c = 0; c < count; c++) {
        T j = jacobian[(long)c * features + f];
        squares += j * j;
        out[(c + 1) * size + m] = f1 * j;
    }
    out[(count + 1) * size + m] = curvature[m] * squares;
}

// a Metropolis step: log (W,) and r (W, row) become those of the trial where threshold < 2 (log
// psi' - log psi) + ratio; ratio (W,), or the number `one` where it is null; -inf is a rejection
template <typename T>
__global__ void moved(const T* thresholds, T* log, const T* trial_log, const T* ratio, T one, T* r,
                      const T* trial, long* accepted, long* bad, bool* accept, long walkers,
                      long row)
{
    long w = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (w >= walkers) return;
    const T there = trial_log[w];
    const bool zero = there < 0 && there == there + there;
    const T exponent = 2 * (there - log[w]) + (ratio ? ratio[w] : one);
    const bool take = !zero && thresholds[w] < exponent;
    if (!zero && exponent != exponent) bad[w]++;
    accept[w] = take;
    if (!take) return;
    accepted[w]++;
    log[w] = there;
    for (long k = w * row; k < (w + 1) * row; k++) r[k] = trial[k];
}

// Philox 4x64-10, word for word numpy.random.Philox, of streams with counters (streams, 4): thread
// g makes words 4h .. 4h + 3, h = g % groups, of stream g / groups, at c0 + 1 + first + h
extern "C" __global__ void philox_words(word* out, word k0, word k1, const word* counters,
                                        word first, long groups, long size)
{
    long g = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (g >= size) return;
    const word m0 = 0xD2E7470EE14C6C93ULL, m1 = 0xCA5A826395121157ULL;
    const word* at = counters + 4 * (g / groups);
    word a = at[0] + 1 + first + (word)(g % groups), b = at[1], c = at[2], d = at[3];
    for (int round = 0; round < 10; round++) {
        word high_a = __umul64hi(m0, a), low_a = m0 * a, high_c = __umul64hi(m1, c), low_c = m1 * c;
        a = high_c ^ b ^ k0; b = low_c; c = high_a ^ d ^ k1; d = low_a;
        k0 += 0x9E3779B97F4A7C15ULL; k1 += 0xBB67AE8584CAA73BULL;
    }
    out[4 * g] = a; out[4 * g + 1] = b; out[4 * g + 2] = c; out[4 * g + 3] = d;
}
"""

TYPES = ("float", "double")
NAMES = [
    f"{kernel}<{t}>" for kernel in ("chain", "product", "chain_linear", "moved") for t in TYPES
] + [
    f"{kernel}<{t}, {k}>"
    for kernel in ("activation", "layer", "layer_slope")
    for t in TYPES
    for k in range(len(activations.NAMES))
]
