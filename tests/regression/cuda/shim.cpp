// The kernels as functions of a shared library that ctypes can call.
#include "cuda_shim.h"

#include KERNELS

#define LAUNCH(kernel)                                                                 \
    extern "C" void launch_##kernel(                                                   \
        unsigned grid_x, unsigned grid_y, unsigned block, void** args)                 \
    {                                                                                  \
        run(kernel, Dim3{grid_x, grid_y}, Dim3{block, 1}, args);                       \
    }

LAUNCH(expand_float32)
LAUNCH(expand_float16)
LAUNCH(expand_bfloat16)
LAUNCH(update_residuals_float32)
LAUNCH(update_residuals_float16)
LAUNCH(proximal_step)
LAUNCH(dual_terms)
LAUNCH(fista_step)
