// The plain path and the plain functions of arrays, float32.

#define REAL_BITS 32
#include "backward.h"
#include "arrays.h"

const unroll_kernels unroll_kernels_plain_f32 = {
    .width = 1, .pack = plain_pack, .forward = plain_forward, .backward = plain_backward,
    .stream_step = plain_stream_step};
const unroll_plain_arrays unroll_plain_arrays_f32 = PLAIN_ARRAYS;
