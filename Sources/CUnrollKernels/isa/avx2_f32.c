// AVX2, float32.

#if defined(__x86_64__) && !defined(UNROLL_BASELINE_ONLY)

#define REAL_BITS 32
#include "avx2.h"

#include "../drivers/layer.h"

#define KERNELS unroll_kernels_avx2_f32
#include "table.h"

#pragma clang attribute pop

#endif
