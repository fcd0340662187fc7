// Activations and their derivatives, unit by unit. Both precisions go through the C library's double functions:
// float32 values are then rounded once, which makes them the nearest float32 number but for very rare ties (the library's
// own float functions are off by up to two units in the last place, and the notebook's comparison shows it).

#ifndef UNROLL_PLAIN_FUNCTIONS_H
#define UNROLL_PLAIN_FUNCTIONS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../layout.h"

#ifndef REAL_BITS  // a header that is read alone
#define REAL_BITS 32
#endif
#ifdef __FAST_MATH__
#error "Unroll's results depend on the order of operations; do not compile it with -ffast-math"
#endif
#pragma clang fp contract(off)

#if REAL_BITS == 32
typedef float real;
#else
typedef double real;
#endif

static real plain_sigmoid(real x) {
  // The side on which exp cannot overflow, and on which 1 + e keeps its digits.
  const double e = exp(-fabs((double)x));
  return (real)((x >= 0 ? 1 : e) / (1 + e));
}

static real limit_to(real x, double limit) {
  const real most = (real)limit;
  return limit > 0 ? (x > most ? most : x < -most ? -most : x) : x;
}

static real plain_value(real x, const unroll_activation *f) {
  x = limit_to(x, f->clip);
  switch (f->kind) {
    case UNROLL_TANH: return (real)tanh((double)x);
    case UNROLL_SIGMOID: return plain_sigmoid(x);
    case UNROLL_RELU: return x < 0 ? 0 : x;
    case UNROLL_HARD_SIGMOID: {
      const real y = (real)f->alpha * x + (real)f->beta;
      return y < 0 ? 0 : y > 1 ? 1 : y;
    }
    case UNROLL_LEAKY_RELU: return x < 0 ? (real)f->alpha * x : x;
    case UNROLL_ELU: return x < 0 ? (real)(f->alpha * expm1((double)x)) : x;
    case UNROLL_SOFTSIGN: return x / (1 + (x < 0 ? -x : x));
    // The larger of x and 0 first: exp cannot overflow.
    case UNROLL_SOFTPLUS: return (real)((x > 0 ? (double)x : 0) + log1p(exp(-fabs((double)x))));
    case UNROLL_THRESHOLDED_RELU: return x > (real)f->alpha ? x : 0;
    case UNROLL_SCALED_TANH: return (real)(f->alpha * tanh(f->beta * (double)x));
    case UNROLL_AFFINE: return (real)f->alpha * x + (real)f->beta;
    default: return x;
  }
}

// The derivative at the argument whose value is y. Where the argument was clipped, y is the value of a limit, and the
// derivative is 0: the functions are monotonic, so no other argument inside the limits has that value.
static real plain_slope(real y, const unroll_activation *f) {
  if (f->clip > 0) {
    unroll_activation unclipped = *f;
    unclipped.clip = 0;
    const real a = plain_value((real)f->clip, &unclipped), b = plain_value(-(real)f->clip, &unclipped);
    // A negative factor exchanges the limits.
    if (y >= (a > b ? a : b) || y <= (a > b ? b : a)) return 0;
  }
  switch (f->kind) {
    case UNROLL_TANH: return 1 - y * y;
    case UNROLL_SIGMOID: return y * (1 - y);
    case UNROLL_RELU: return y > 0 ? 1 : 0;
    case UNROLL_HARD_SIGMOID: return y > 0 && y < 1 ? (real)f->alpha : 0;
    case UNROLL_LEAKY_RELU: return y > 0 ? 1 : (real)f->alpha;
    case UNROLL_ELU: return y > 0 ? 1 : y + (real)f->alpha;
    case UNROLL_SOFTSIGN: {
      const real rest = 1 - (y < 0 ? -y : y);
      return rest * rest;
    }
    case UNROLL_SOFTPLUS: return (real)-expm1(-(double)y);
    case UNROLL_THRESHOLDED_RELU: return y == 0 ? 0 : 1;
    case UNROLL_SCALED_TANH: {
      if (f->alpha == 0) return 0;
      const double t = (double)y / f->alpha;
      return (real)(f->alpha * f->beta * (1 - t * t));
    }
    case UNROLL_AFFINE: return (real)f->alpha;
    default: return 1;
  }
}

#endif
