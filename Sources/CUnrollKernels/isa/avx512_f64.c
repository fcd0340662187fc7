// avx512, float64.

#if defined(__x86_64__) && !defined(UNROLL_BASELINE_ONLY)

#define REAL_BITS 64
#include "avx512.h"

#include "../drivers/layer.h"

#define KERNELS unroll_kernels_avx512_f64
#include "table.h"

#pragma clang attribute pop

#endif
