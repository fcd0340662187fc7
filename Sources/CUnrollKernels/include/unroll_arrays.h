// Small operations on dense arrays, on the calling thread. `type` is their element type.

#ifndef UNROLL_ARRAYS_H
#define UNROLL_ARRAYS_H

#include <stddef.h>
#include <stdint.h>

#include "unroll_cells.h"

/// out[m,n] += a[m,k] b[k,n], summed over k in order, for every row alike. 2 m k n flops.
void unroll_product(int32_t type, void *out, const void *a, const void *b, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n);
/// out[n,m] = a[m,n]^T
void unroll_transpose(int32_t type, void *out, const void *a, ptrdiff_t m, ptrdiff_t n);
/// out[n] += the sum of the rows of a[m,n], in order
void unroll_column_sums(int32_t type, void *out, const void *a, ptrdiff_t m, ptrdiff_t n);
/// out[m,n] = row[n] in each row
void unroll_fill_rows(int32_t type, void *out, const void *row, ptrdiff_t m, ptrdiff_t n);
/// Rows of out[m,n] whose byte in `active` is 0 become the rows of `other`; zero if `other` is null.
void unroll_replace_inactive(int32_t type, void *out, const void *other, const uint8_t *active, ptrdiff_t m,
                             ptrdiff_t n);
/// out[count] += scale a[count]
void unroll_add_scaled(int32_t type, void *out, const void *a, double scale, ptrdiff_t count);
/// Values limited to -limit ... limit.
void unroll_clip(int32_t type, void *values, double limit, ptrdiff_t count);
/// Values passed through a function, in place, as accurately as the C library.
void unroll_activate(int32_t type, void *values, unroll_activation function, ptrdiff_t count);

/// out[i] = f(in[i]), by the vector functions that cells use.
enum { UNROLL_VECTOR_TANH = 0, UNROLL_VECTOR_SIGMOID = 1, UNROLL_VECTOR_EXP = 2 };
/// At most 2 units in the last place off; exact at 0 and the infinities, NaN stays NaN. A sigmoid whose value would be less
/// than the least normal number may be 0.
void unroll_vector_function(int32_t type, void *out, const void *in, ptrdiff_t count, int32_t function);

/// Multiply-adds on registers alone, the instruction set's limit; returns the flops done.
double unroll_multiply_add_peak(int32_t type, ptrdiff_t rounds, void *sink);

#endif
