"""CUDA C of the Ewald sums; the algebra is that of numba_ewald.py.

Walkers innermost, so that neighbouring threads read neighbouring numbers; every sum runs inside
one thread in a fixed order.
"""

SOURCE = r"""
// cosines and sines (d, top + 1, n, W) of 2 pi m x/L: one thread a walker and particle
template <typename T>
__global__ void ewald_powers(const T* r, const double* lengths, double* c, double* s, long walkers,
                             int n, int d, int top)
{
    long t = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (t >= walkers * n) return;
    long i = t / walkers, w = t % walkers, step = n * walkers;
    for (int a = 0; a < d; a++) {
        double x = 6.283185307179586 * (double)r[(w * n + i) * d + a] / lengths[a];
        double c1 = cos(x), s1 = sin(x);
        double* cm = c + (long)a * (top + 1) * step + t;
        double* sm = s + (long)a * (top + 1) * step + t;
        cm[0] = 1; sm[0] = 0;
        for (int m = 1; m <= top; m++) {
            double u = cm[(m - 1) * step], v = sm[(m - 1) * step];
            cm[m * step] = u * c1 - v * s1;
            sm[m * step] = u * s1 + v * c1;
        }
    }
}

// weight_g (|sum_i q_i exp(i G.r_i)|^2 - squares) of every wave vector and walker, out (G, W)
extern "C" __global__ void ewald_waves(const double* c, const double* s, const double* charges,
                                       const long* integers, const double* weight, double* out,
                                       double squares, long walkers, long waves, int n, int d,
                                       int top)
{
    long t = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (t >= waves * walkers) return;
    long g = t / walkers, w = t % walkers, step = n * walkers;
    double real = 0, imaginary = 0;
    for (int i = 0; i < n; i++) {
        double u = charges[i], v = 0;
        for (int a = 0; a < d; a++) {
            long m = integers[g * d + a];
            long k = ((long)a * (top + 1) + (m < 0 ? -m : m)) * step + i * walkers + w;
            double x = c[k], y = m < 0 ? -s[k] : s[k], z = u * x - v * y;
            v = u * y + v * x;
            u = z;
        }
        real += u;
        imaginary += v;
    }
    out[t] = weight[g] * (real * real + imaginary * imaginary - squares);
}

// sum_{j > i} q_i q_j sum of erfc(kappa x)/x over images nearer than the shortest length,
// out (n, W)
template <typename T>
__global__ void ewald_short(const T* r, const double* lengths, const double* charges, double* out,
                            double kappa, long walkers, int n, int d)
{
    long t = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (t >= walkers * n) return;
    long i = t / walkers, w = t % walkers;
    double limit = lengths[0], total = 0, x[3][2];
    for (int a = 1; a < d; a++) limit = lengths[a] < limit ? lengths[a] : limit;
    limit *= limit;
    for (int j = i + 1; j < n; j++) {
        for (int a = 0; a < d; a++) {
            double u = (double)r[(w * n + i) * d + a] - (double)r[(w * n + j) * d + a];
            u /= lengths[a];
            u = (u - floor(u)) * lengths[a];
            x[a][0] = u * u;
            x[a][1] = (u - lengths[a]) * (u - lengths[a]);
        }
        double part = 0;
        for (int image = 0; image < 1 << d; image++) {
            double square = 0;
            for (int a = 0; a < d; a++) square += x[a][(image >> a) & 1];
            if (square < limit) {
                double distance = sqrt(square);
                part += erfc(kappa * distance) / distance;
            }
        }
        total += charges[i] * charges[j] * part;
    }
    out[t] = total;
}

// sum of near (n, W) and half of far (G, W): one thread a walker
extern "C" __global__ void ewald_total(const double* near, const double* far, double* out,
                                       long walkers, long waves, int n)
{
    long w = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (w >= walkers) return;
    double a = 0, b = 0;
    for (int i = 0; i < n; i++) a += near[i * walkers + w];
    for (long g = 0; g < waves; g++) b += far[g * walkers + w];
    out[w] = a + 0.5 * b;
}
"""

NAMES = (
    *(f"ewald_{kernel}<{t}>" for kernel in ("powers", "short") for t in ("float", "double")),
    "ewald_waves",
    "ewald_total",
)
