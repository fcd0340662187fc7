// baseline, float32.

#define REAL_BITS 32
#include "baseline.h"

#include "../drivers/layer.h"

#define KERNELS unroll_kernels_baseline_f32
#include "table.h"
