// The table that the file of each instruction set and number type exports, as KERNELS.

#include "../arrays/arrays.h"
#include "../arrays/dense.h"
#include "../arrays/dropout.h"
#include "../arrays/peak.h"
#include "kernels.h"

const unroll_kernels KERNELS = {
    .width = WIDTH,
    .tile_vectors = TILE_VECTORS,
    .tile_rows = TILE_ROWS,
    .transposed_scratch = transposed_scratch,
    .pack = pack_layer,
    .forward = forward,
    .backward = backward,
    .stream_step = stream_step,
    .dense_forward = dense_forward,
    .dense_backward = dense_backward,
    .dense_scratch = dense_scratch,
    .softmax = softmax,
    .sum_of_squares = sum_of_squares,
    .update = update_parameters,
    .drop = drop_values,
    .transposed_sum = transposed_sum,
    .apply_function = apply_function,
    .multiply_add_peak = multiply_add_peak,
};
