"""CUDA C of determinants, inverses, Pfaffians and traces of small matrices, T = float and double.

One thread a matrix, a (m, m, count), so that neighbouring threads read neighbouring numbers. Sums
run inside one thread in a fixed order: no atomics, nothing shared.
"""

SOURCE = r"""
__device__ inline float  log_(float x)  { return logf(x); }
__device__ inline double log_(double x) { return log(x); }
template <typename T> __device__ inline T abs_(T x) { return x < 0 ? -x : x; }

// a running product of pivots, and the logarithms taken out of it
template <typename T> struct Pivots { T product, sign, log; };

template <typename T>
__device__ inline void take_out(Pivots<T>& p)
{
    p.log += log_(abs_(p.product));
    if (p.product < 0) p.sign = -p.sign;
    p.product = 1 + (p.product - p.product);
}
template <typename T>
__device__ inline void multiply(Pivots<T>& p, T pivot)
{
    T size = abs_(p.product) * abs_(pivot);
    if (!(size > (T)1e-12 && size < (T)1e12)) take_out(p);
    p.product *= pivot;
}
template <typename T>
__device__ inline void read(Pivots<T>& p, T& sign, T& log)
{
    take_out(p);
    log = p.log;
    sign = p.sign + (p.log - p.log);
}
template <typename T>
__device__ inline void read_zero(T& sign, T& log)
{
    sign = 0;
    log = log_(sign);
}

#define A(i, j) a[((long)(i) * m + (j)) * count + w]

// the row from k on with the largest entry of column k, exchanged with row k
template <typename T>
__device__ inline int pivot_row(T* a, int k, int m, long count, long w)
{
    int p = k;
    T big = abs_(A(k, k));
    for (int i = k + 1; i < m; i++) if (abs_(A(i, k)) > big) { p = i; big = abs_(A(i, k)); }
    if (p != k) for (int j = 0; j < m; j++) { T t = A(k, j); A(k, j) = A(p, j); A(p, j) = t; }
    return p;
}

// sign and log|det| of a (m, m, count), overwritten
template <typename T>
__global__ void eliminate(T* a, T* sign, T* log, long count, int m)
{
    long w = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (w >= count) return;
    Pivots<T> pivots = {1, 1, 0};
    for (int k = 0; k < m; k++) {
        if (pivot_row(a, k, m, count, w) != k) pivots.sign = -pivots.sign;
        T top = A(k, k), back = 1 / top;
        if (top == 0) { read_zero(sign[w], log[w]); return; }
        multiply(pivots, top);
        for (int i = k + 1; i < m; i++) {
            T f = A(i, k) * back;
            for (int j = k + 1; j < m; j++) A(i, j) -= f * A(k, j);
        }
    }
    read(pivots, sign[w], log[w]);
}

// the same, and a becomes its inverse; swapped (m, count) is scratch
template <typename T>
__global__ void invert(T* a, T* sign, T* log, int* swapped, long count, int m)
{
    long w = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (w >= count) return;
    Pivots<T> pivots = {1, 1, 0};
    for (int k = 0; k < m; k++) {
        int p = pivot_row(a, k, m, count, w);
        swapped[k * count + w] = p;
        if (p != k) pivots.sign = -pivots.sign;
        T top = A(k, k), back = 1 / top;
        if (top == 0) {
            read_zero(sign[w], log[w]);
            for (int i = 0; i < m; i++) for (int j = 0; j < m; j++) A(i, j) = log[w] - log[w];
            return;
        }
        multiply(pivots, top);
        for (int i = 0; i < m; i++) {
            if (i == k) continue;
            T f = A(i, k) * back;
            A(i, k) = 0;
            for (int j = 0; j < m; j++) A(i, j) -= f * A(k, j);
            A(i, k) = -f;
        }
        A(k, k) = 1;
        for (int j = 0; j < m; j++) A(k, j) *= back;
    }
    read(pivots, sign[w], log[w]);
    for (int k = m - 1; k >= 0; k--) {
        int p = swapped[k * count + w];
        if (p != k) for (int i = 0; i < m; i++) { T t = A(i, k); A(i, k) = A(i, p); A(i, p) = t; }
    }
}

// sign and log|Pf| of antisymmetric a (m, m, count), overwritten
template <typename T>
__global__ void pfaffian(T* a, T* sign, T* log, long count, int m)
{
    long w = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (w >= count) return;
    Pivots<T> pivots = {1, 1, 0};
    for (int k = 0; k < m; k += 2) {
        int p = k + 1;
        for (int j = k + 2; j < m; j++) if (abs_(A(k, j)) > abs_(A(k, p))) p = j;
        T top = A(k, p), back = 1 / top;
        if (top == 0) { read_zero(sign[w], log[w]); return; }
        if (p != k + 1) {
            pivots.sign = -pivots.sign;
            for (int j = 0; j < m; j++) { T t = A(k + 1, j); A(k + 1, j) = A(p, j); A(p, j) = t; }
            for (int i = 0; i < m; i++) { T t = A(i, k + 1); A(i, k + 1) = A(i, p); A(i, p) = t; }
        }
        multiply(pivots, top);
        for (int i = k + 2; i < m; i++) {
            T f = A(k, i) * back, g = A(k + 1, i) * back;
            for (int j = k + 2; j < m; j++) A(i, j) += g * A(k, j) - f * A(k + 1, j);
        }
    }
    read(pivots, sign[w], log[w]);
}
#undef A

// with M = back slots_c, back (m, m, count), slots (S, m, m, count): tr M and tr(M M), (S, count)
template <typename T>
__global__ void traces(const T* back, const T* slots, T* trace, T* squares, long count, int m,
                       long size)
{
    long t = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (t >= size) return;
    long w = t % count, first = (t / count) * m * m;
    T sum = 0, total = 0;
    for (int i = 0; i < m; i++)
        for (int j = 0; j <= i; j++) {
            T x = 0, y = 0;
            for (int k = 0; k < m; k++) {
                const T* column = slots + (first + (long)k * m) * count + w;
                x += back[((long)i * m + k) * count + w] * column[j * count];
                y += back[((long)j * m + k) * count + w] * column[i * count];
            }
            if (i == j) { sum += x; total += x * x; }
            else total += 2 * x * y;
        }
    trace[t] = sum;
    squares[t] = total;
}

// the last of the slots of trace (S, count) less the squares of slots 1 .. S - 2
template <typename T>
__global__ void fold(T* trace, const T* squares, long count, int slots)
{
    long w = blockIdx.x * (long)blockDim.x + threadIdx.x;
    if (w >= count) return;
    T total = 0;
    for (int c = 1; c < slots - 1; c++) total += squares[c * count + w];
    trace[(slots - 1) * count + w] -= total;
}
"""

TYPES = ("float", "double")
NAMES = [
    f"{kernel}<{t}>"
    for kernel in ("eliminate", "invert", "pfaffian", "traces", "fold")
    for t in TYPES
]
