// avx512, float32.

#if defined(__x86_64__) && !defined(UNROLL_BASELINE_ONLY)

#define REAL_BITS 32
#include "avx512.h"

#include "../drivers/layer.h"

#define KERNELS unroll_kernels_avx512_f32
#include "table.h"

#pragma clang attribute pop

#endif
