// avx2, float64.

#if defined(__x86_64__) && !defined(UNROLL_BASELINE_ONLY)

#define REAL_BITS 64
#include "avx2.h"

#include "../drivers/layer.h"

#define KERNELS unroll_kernels_avx2_f64
#include "table.h"

#pragma clang attribute pop

#endif
