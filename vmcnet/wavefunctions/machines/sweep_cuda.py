"""CUDA C of the kernels of restricted Boltzmann machines on spins; the algebra is that of
sweep_real.py, the plain twin machine.MachineTables.

Double precision, real weights, one thread a walker (or a walker and a move): no atomics, no sums
across threads. Walkers innermost, so that neighbouring threads read neighbouring numbers: x (M, W)
= exp(-2 theta), s (n, W) +1 or -1. sites (moves, arity), table (moves, 2, M): E for s = +1 and -1
of the first site, factor (moves, 2).
"""

SOURCE = r"""
// factor prod_j (1 + x_j E_j)/(1 + x_j), groups of `size` units multiplied so that no product
// overflows
__device__ inline double machine_ratio(const double* x, const double* e, double ratio, long w,
                                       long walkers, int units, int size)
{
    for (int start = 0; start < units; start += size) {
        int stop = start + size < units ? start + size : units;
        double turned = 1, old = 1;
        for (int j = start; j < stop; j++) {
            double v = x[j * walkers + w];
            turned *= 1 + v * e[j];
            old *= 1 + v;
        }
        ratio *= turned / old;
    }
    return ratio;
}

// propose the moves `sequence` (W / block, count) of every block one after the other; accept where
// limits (count, W) < |psi'/psi|^2
extern "C" __global__ void machine_sweep(double* x, signed char* s, const long* sites, int arity,
                                         const double* table, const double* factor,
                                         const long* sequence, long count, long block,
                                         const double* limits, long* accepted, long* bad,
                                         long walkers, int units, int size)
{
    long w = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (w >= walkers) return;
    long taken = 0, lost = 0;
    const long* own = sequence + w / block * count;
    for (long k = 0; k < count; k++) {
        long m = own[k];
        signed char* first = s + sites[arity * m] * walkers + w;
        signed char* second = s + sites[arity * m + arity - 1] * walkers + w;
        if (arity == 2 && *first == *second) continue;
        long row = 2 * m + (*first < 0);
        double ratio = machine_ratio(x, table + row * units, factor[row], w, walkers, units, size);
        double p = ratio * ratio;
        if (p != p) lost++;
        if (!(limits[k * walkers + w] < p)) continue;
        taken++;
        for (int j = 0; j < units; j++) x[j * walkers + w] *= table[row * units + j];
        *first = -*first;
        if (arity == 2) *second = -*second;
    }
    accepted[w] += taken;
    bad[w] += lost;
}

// part (moves, W): elements_m psi(s^m)/psi(s), 0 where the move does not act
extern "C" __global__ void machine_connected(const double* x, const signed char* s,
                                             const long* sites, int arity, const double* table,
                                             const double* factor, const double* elements,
                                             double* part, long moves, long walkers, int units,
                                             int size)
{
    long t = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (t >= moves * walkers) return;
    long m = t / walkers, w = t % walkers;
    signed char first = s[sites[arity * m] * walkers + w];
    signed char second = s[sites[arity * m + arity - 1] * walkers + w];
    long row = 2 * m + (first < 0);
    double ratio = machine_ratio(x, table + row * units, factor[row], w, walkers, units, size);
    part[t] = arity == 2 && first == second ? 0 : elements[m] * ratio;
}

// total (W,): sums over the rows of part (moves, W), in their order
extern "C" __global__ void machine_total(const double* part, double* total, long moves,
                                         long walkers)
{
    long w = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (w >= walkers) return;
    double sum = total[w];
    for (long m = 0; m < moves; m++) sum += part[m * walkers + w];
    total[w] = sum;
}

// out (W, M) = tanh theta = (1 - x)/(1 + x), what the log-derivatives are made of
extern "C" __global__ void machine_tanh(const double* x, double* out, long walkers, int units)
{
    long t = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (t < walkers * units) out[t] = 2 / (1 + x[(t % units) * walkers + t / units]) - 1;
}
"""

NAMES = ("machine_sweep", "machine_connected", "machine_total", "machine_tanh")
