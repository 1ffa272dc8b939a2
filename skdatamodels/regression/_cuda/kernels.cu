// Kernels of the regression on a GPU. Each does in one pass over memory what would take
// torch many passes.
//
// All matrices are row-major and contiguous. blockIdx.x is the row, of a target or a
// run. The threads of all blocks with that x share its columns with a stride, so that
// neighbouring threads of a warp access neighbouring addresses.
//
// Threads do not communicate: there is no shared memory, barrier or atomic. A sum or a
// maximum over a row is written as one partial result for each thread, in order,
// and torch reduces them. So results are the same in each launch, and g++ can compile
// this file for the tests, where a thread is an iteration of a loop. The host launches
// few threads for each row, so that partial results are small compared to the input.
//
// No header is included, so none has to be found on the user's machine.

using i64 = long long;  // rows times columns may exceed 2^31

struct Half {
    unsigned short bits;
};

struct BFloat16 {
    unsigned short bits;
};

#ifndef CUDA_SHIM  // not standard C++; the tests define their own versions
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
    // Upper half of a float, rounded to nearest, ties to even. x must be finite.
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

// The penalty is inf for a weight that must be 0, also at lam = 0.
__device__ inline float threshold(float lam, float penalty)
{
    return penalty < infinity() ? lam * penalty : penalty;
}

// Written so that NaN stays NaN: an invalid sum must not look like a zero.
__device__ inline float soft(float x, float bound)
{
    return fabsf(x) <= bound ? 0.0f : x - copysignf(bound, x);
}

// A plain maximum would ignore NaN, because a comparison with NaN is false. Return inf
// for it instead.
__device__ inline float larger(float most, float x)
{
    return x <= most ? most : (x == x ? x : infinity());
}

// out[i,k] = (bit k of row i - centre[k]) * scale, with bits in the order of
// numpy.packbits: the first bit is the highest of its byte.
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

// Changes of the residuals of a batch of runs since they were last seen, for SAGA. The
// new residuals are written to the table. The residual of a run without an output for a
// target (NaN) is 0. The change is computed from the rounded values in the table, so
// that the mean gradient remains the mean over the table.
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

// A step of SAGA for all targets: move w along the variance-reduced gradient, add the
// change of the gradient of the batch to the average, and soft-threshold w.
// penalty_stride is 0 if all targets share one row of penalties, else d.
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

// Sums over the weights for the duality gap, see CudaOps.dual_terms.
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

// A step of FISTA for all targets, and the sums for the duality gap at w.
//
// The step starts from z = w + momentum * (w - previous w), given product = z G. Since
// products are linear, the product of w follows from `product` and from the product of
// the previous w, which is in w_product: (product + momentum * w_product) / (1 +
// momentum). In each step its rounding errors shrink to less than half. So the gap at w
// needs no additional product.
//
// The new w is written to w_next, and z is extrapolated from it with next_momentum.
// `along` is positive where the step points against the momentum.
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
    // Double, because the gap is a small difference of these sums.
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
