// The functions of vectors that cells and arrays use: by tables where the instruction set looks numbers up (tabled.h), else
// by quotients (quotients.h). VectorMathTests checks the errors on every 101st float and on sampled doubles.

#ifndef UNROLL_VECTOR_MATH_H
#define UNROLL_VECTOR_MATH_H

#include "quotients.h"
#include "tabled.h"

// The sigmoids of `count` vectors, at most MOST_SIGMOIDS, in place.
INLINE void vector_sigmoids(vector *x, const int count) {
#ifdef LOOK_UP
  tabled_sigmoids(x, count);
#else
  UNROLL_ALL for (int v = 0; v < count; ++v) x[v] = quotient_sigmoid(x[v]);
#endif
}

INLINE vector vector_sigmoid(vector x) {
  vector_sigmoids(&x, 1);
  return x;
}

INLINE vector vector_tanh(vector x) {
#ifdef LOOK_UP
  return tabled_tanh(x);
#else
  return quotient_tanh(x);
#endif
}

#endif
