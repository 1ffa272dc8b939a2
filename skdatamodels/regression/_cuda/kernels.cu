// Kernels of the regression on a GPU: what torch would do in many passes over memory.
//
// All matrices are row-major and contiguous. A row (a target, or a run) belongs to
// blockIdx.x; the threads of all blocks with that x share its columns, a stride apart,
// so that neighbours in a warp read and write neighbours in memory.
//
// Threads never meet: there is no shared memory, no barrier and no atomic. A sum or a
// maximum over a row is left as one partial result for each thread, in order, which
// torch reduces. So results do not change from launch to launch, and g++ can build this
// very file for the tests, a thread being a turn of a loop. The host asks for few enough
// threads a row that partial results are a small part of what is read.
//
// No header is included: none has to be found on the user's machine.

using i64 = long long;  // rows times columns pass 2^31

struct Half {
    unsigned short bits;
};

struct BFloat16 {
    unsigned short bits;
};

#ifndef CUDA_SHIM  // what is not C++; the tests have their own
__device__ inline float infinity() { return __int_as_float(0x7f800000); }
__device__ inline unsigned float_bits(float x) { return __float_as_uint(x); }

__device__ inline void store(Half* to, float x)
{
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to->bits) : "f"(x));
}

__device__ inline float load(const Half* from)
{
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(from->bits));
    return x;
}
#endif

__device__ inline void store(float* to, float x) { *to = x; }
__device__ inline float load(const float* from) { return *from; }

__device__ inline void store(BFloat16* to, float x)
{
    // The upper half of a float, rounded to nearest, ties to even; x is finite.
    const unsigned bits = float_bits(x);
    to->bits = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

__device__ inline i64 thread_of_row()
{
    return blockIdx.y * static_cast<i64>(blockDim.x) + threadIdx.x;
}

__device__ inline i64 threads_of_row()
{
    return gridDim.y * static_cast<i64>(blockDim.x);
}

// The penalty is inf for a weight that has to stay 0, and does so at lam = 0 too.
__device__ inline float threshold(float lam, float penalty)
{
    return penalty < infinity() ? lam * penalty : penalty;
}

// Written so that NaN comes out as NaN: a sum gone wrong must not look like a zero.
__device__ inline float soft(float x, float bound)
{
    return fabsf(x) <= bound ? 0.0f : x - copysignf(bound, x);
}

// A comparison with NaN is false, so a maximum would pass it by: as inf it counts.
__device__ inline float larger(float most, float x)
{
    return x <= most ? most : (x == x ? x : infinity());
}

// out[i,k] = (bit k of row i - centre[k]) * scale, with bits in the order of
// numpy.packbits: the first is the highest of its byte.
template <class T>
__device__ void expand(
    const unsigned char* bits, const float* centre, float scale, T* out, i64 d)
{
    const i64 i = blockIdx.x;
    const unsigned char* row = bits + i * ((d + 7) / 8);
    for (i64 k = thread_of_row(); k < d; k += threads_of_row()) {
        const int bit = row[k >> 3] >> (7 - (k & 7)) & 1;
        store(out + i * d + k, (bit - centre[k]) * scale);
    }
}

// What SAGA needs to know of a batch of runs: how much their residuals have changed
// since they were last seen. The new ones go to the table. A run without an output for
// a target (NaN) has no residual. The difference is to what the table holds, rounded as
// it is: so the mean gradient stays the mean over the table.
template <class T>
__device__ void update_residuals(
    const float* fitted,
    const float* y,
    const float* intercept,
    T* table_rows,
    float* delta,
    i64 n)
{
    const i64 i = blockIdx.x;
    for (i64 j = thread_of_row(); j < n; j += threads_of_row()) {
        const i64 at = i * n + j;
        const float r = y[at] == y[at] ? y[at] - fitted[at] - intercept[j] : 0.0f;
        const float old = load(table_rows + at);
        store(table_rows + at, r);
        delta[at] = load(table_rows + at) - old;
    }
}

extern "C" {

__global__ void expand_float32(
    const unsigned char* bits, const float* centre, float scale, float* out, i64 d)
{
    expand(bits, centre, scale, out, d);
}

__global__ void expand_float16(
    const unsigned char* bits, const float* centre, float scale, Half* out, i64 d)
{
    expand(bits, centre, scale, out, d);
}

__global__ void expand_bfloat16(
    const unsigned char* bits, const float* centre, float scale, BFloat16* out, i64 d)
{
    expand(bits, centre, scale, out, d);
}

__global__ void update_residuals_float32(
    const float* fitted,
    const float* y,
    const float* intercept,
    float* table_rows,
    float* delta,
    i64 n)
{
    update_residuals(fitted, y, intercept, table_rows, delta, n);
}

__global__ void update_residuals_float16(
    const float* fitted,
    const float* y,
    const float* intercept,
    Half* table_rows,
    float* delta,
    i64 n)
{
    update_residuals(fitted, y, intercept, table_rows, delta, n);
}

// A step of SAGA for all targets: w moves along the variance-reduced gradient, the
// change of the batch's gradient is taken into the average, and w is shrunk. All
// targets share one row of penalties if penalty_stride is 0, else it is d.
__global__ void proximal_step(
    float* w,
    float* average,
    const float* gradient,
    const float* batch_scale,
    const float* table_scale,
    const float* step,
    const float* lam,
    const float* penalty,
    i64 penalty_stride,
    float* change,  // (n, threads of a row): largest |new w - w|
    i64 d)
{
    const i64 j = blockIdx.x;
    const float rate = step[j], lam_j = lam[j];
    const float of_batch = batch_scale[j], of_table = table_scale[j];
    float most = 0;
    for (i64 k = thread_of_row(); k < d; k += threads_of_row()) {
        const i64 at = j * d + k;
        const float g = gradient[at], old = w[at], mean = average[at];
        const float bound = threshold(rate * lam_j, penalty[j * penalty_stride + k]);
        const float updated = soft(old + rate * (mean + of_batch * g), bound);
        average[at] = mean + of_table * g;
        w[at] = updated;
        most = larger(most, fabsf(updated - old));
    }
    change[j * threads_of_row() + thread_of_row()] = most;
}

// The sums over the weights that a duality gap is made of, see CudaOps.dual_terms.
__global__ void dual_terms(
    const float* correlation,
    const float* w,
    const float* penalty,
    i64 penalty_stride,
    double* sums,  // (2, n, threads of a row): correlation.w and penalty
    float* excess,  // (n, threads of a row): largest |correlation| / penalty
    i64 d)
{
    const i64 j = blockIdx.x, n = gridDim.x;
    double product = 0, l1 = 0;
    float most = 0;
    for (i64 k = thread_of_row(); k < d; k += threads_of_row()) {
        const float q = correlation[j * d + k], here = w[j * d + k];
        const float p = penalty[j * penalty_stride + k];
        most = larger(most, fabsf(q) / p);
        product += static_cast<double>(q) * here;
        if (here != 0)  // 0 * inf is not 0
            l1 += static_cast<double>(p) * fabsf(here);
    }
    const i64 mine = j * threads_of_row() + thread_of_row();
    sums[mine] = product;
    sums[n * threads_of_row() + mine] = l1;
    excess[mine] = most;
}

// A step of FISTA for all targets, and what the duality gap at w needs.
//
// The step is taken from z = w + momentum * (w - w before), given product = z G. Since
// products are linear, that of w follows from product and that of w before, which
// w_product holds: (product + momentum * w_product) / (1 + momentum). Its rounding
// errors more than halve at each step. So the gap at w costs no product of its own.
//
// The new w goes to w_next, and z is extrapolated from it with next_momentum. `along`
// is positive where the step points back against the momentum.
__global__ void fista_step(
    float* z,
    const float* product,
    const float* cov,
    const float* w,
    float* w_next,
    float* w_product,
    const float* momentum,
    const float* next_momentum,
    float step,
    const float* lam,
    const float* penalty,
    i64 penalty_stride,
    double* sums,  // (4, n, threads of a row): cov.w, q.w, penalty and `along`
    float* excess,  // (n, threads of a row): largest |q| / threshold, at least 1
    i64 d)
{
    const i64 j = blockIdx.x, n = gridDim.x;
    const float made_with = momentum[j], carry_on = next_momentum[j], lam_j = lam[j];
    // Double: the gap is a small difference of these sums.
    double cov_w = 0, q_w = 0, l1 = 0, along = 0;
    float most = 1;
    for (i64 k = thread_of_row(); k < d; k += threads_of_row()) {
        const i64 at = j * d + k;
        const float bound = threshold(lam_j, penalty[j * penalty_stride + k]);
        const float here = w[at], c = cov[at];

        const float p = (product[at] + made_with * w_product[at]) / (1 + made_with);
        const float q = c - p;
        w_product[at] = p;
        cov_w += static_cast<double>(c) * here;
        q_w += static_cast<double>(q) * here;
        if (here != 0)  // 0 * inf is not 0
            l1 += static_cast<double>(bound) * fabsf(here);
        if (!(fabsf(q) <= most * bound))
            most = larger(most, fabsf(q) / bound);

        const float updated = soft(z[at] + step * (c - product[at]), step * bound);
        const float move = updated - here;
        along += static_cast<double>(z[at] - updated) * move;
        w_next[at] = updated;
        z[at] = updated + carry_on * move;
    }
    const double parts[4] = {cov_w, q_w, l1, along};
    const i64 mine = j * threads_of_row() + thread_of_row();
    for (int s = 0; s < 4; ++s)
        sums[s * n * threads_of_row() + mine] = parts[s];
    excess[mine] = most;
}

}  // extern "C"
