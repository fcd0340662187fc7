// baseline, float64.

#define REAL_BITS 64
#include "baseline.h"

#include "../drivers/layer.h"

#define KERNELS unroll_kernels_baseline_f64
#include "table.h"
