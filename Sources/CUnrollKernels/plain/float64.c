// The plain path and the plain functions of arrays, float64.

#define REAL_BITS 64
#include "backward.h"
#include "arrays.h"

const unroll_kernels unroll_kernels_plain_f64 = {
    .width = 1, .pack = plain_pack, .forward = plain_forward, .backward = plain_backward,
    .stream_step = plain_stream_step};
const unroll_plain_arrays unroll_plain_arrays_f64 = PLAIN_ARRAYS;
