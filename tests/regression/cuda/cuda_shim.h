// What g++ lacks to build kernels.cu as C++20. A thread of the GPU is a turn of a loop,
// last one first, or with -DSHIM_THREADS (for ThreadSanitizer) a thread of the CPU. The
// kernels have no barrier, so that any order will do.
#pragma once

#include <bit>
#include <cmath>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#define CUDA_SHIM
#define __global__
#define __device__

struct Dim3 {
    unsigned x, y;
};

inline thread_local Dim3 threadIdx, blockIdx, blockDim, gridDim;

struct Half;  // kernels.cu has the layout
inline float infinity() { return std::numeric_limits<float>::infinity(); }
inline unsigned float_bits(float x) { return std::bit_cast<unsigned>(x); }

inline void store(Half* to, float x)
{
    *reinterpret_cast<unsigned short*>(to)
        = std::bit_cast<unsigned short>(static_cast<_Float16>(x));
}

inline float load(const Half* from)
{
    return std::bit_cast<_Float16>(*reinterpret_cast<const unsigned short*>(from));
}

// Run a kernel on the addresses of its arguments, as cuLaunchKernel takes them.
template <class... Args, std::size_t... I>
void run(
    void (*kernel)(Args...),
    Dim3 grid,
    Dim3 block,
    void** args,
    std::index_sequence<I...>)
{
    auto turn = [=](unsigned bx, unsigned by, unsigned t) {
        gridDim = grid, blockDim = block, blockIdx = {bx, by}, threadIdx = {t, 0};
        kernel(*static_cast<Args*>(args[I])...);
    };
    std::vector<std::jthread> threads;
    for (unsigned bx = grid.x; bx-- > 0;)
        for (unsigned by = grid.y; by-- > 0;)
            for (unsigned t = block.x; t-- > 0;)
#ifdef SHIM_THREADS
                threads.emplace_back(turn, bx, by, t);
#else
                turn(bx, by, t);
#endif
}

template <class... Args>
void run(void (*kernel)(Args...), Dim3 grid, Dim3 block, void** args)
{
    run(kernel, grid, block, args, std::index_sequence_for<Args...>());
}
