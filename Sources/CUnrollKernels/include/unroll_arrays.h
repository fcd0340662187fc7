// Functions of whole arrays, by the instruction set that this machine has.

#ifndef UNROLL_ARRAYS_H
#define UNROLL_ARRAYS_H

#include <stddef.h>
#include <stdint.h>

/// out[i] = f(in[i]) for UNROLL_TANH, UNROLL_SIGMOID or UNROLL_EXP, at most 2 units in the last
/// place off; exact at 0 and the infinities, NaN stays NaN. A sigmoid whose value would be less
/// than the least normal number may be 0.
void unroll_function_f32(float *out, const float *in, ptrdiff_t count, int32_t kind);
void unroll_function_f64(double *out, const double *in, ptrdiff_t count, int32_t kind);

#endif
