// exp, sigmoid and tanh of vectors through expm1 on |r| <= ln 2 / 2 and, for the latter two, one division:
//
//   x = n ln 2 + r      expm1(r) = r + r^2 q(r)      exp(x) = 2^n (1 + expm1(r))
//
// q is a polynomial through Chebyshev's points; r^2 q is off by 7.8e-9 for float and 1.3e-17 for double at most.
// VectorMathTests checks the errors of the results on every 101st float and on sampled doubles.

#ifndef UNROLL_QUOTIENTS_H
#define UNROLL_QUOTIENTS_H

#include <math.h>

#include "vector.h"

#if REAL_BITS == 32
#define EXPONENT_BITS 23
#define EXPONENT_BIAS 127
#define LOG2_E 1.44269504088896341f
#define LN2_HIGH 0.693145751953125f
#define LN2_LOW 1.42860682030941723e-6f
// Added to a small number, it leaves the nearest integer in the low bits of the sum.
#define ROUNDER 12582912.0f
#define LEAST_ARGUMENT -104.0f  // exp of less is 0
#define MOST_ARGUMENT 89.0f     // exp of more is infinite
#define LEAST_POWER -88.0f       // about 2^-127, whose exponent bits are 0
#define TANH_LIMIT 10.0f        // tanh of more is 1
#else
#define EXPONENT_BITS 52
#define EXPONENT_BIAS 1023
#define LOG2_E 1.44269504088896340736
#define LN2_HIGH 0x1.62e42fef00000p-1
#define LN2_LOW 7.44061711001239671613e-11
#define ROUNDER 6755399441055744.0
#define LEAST_ARGUMENT -746.0
#define MOST_ARGUMENT 710.0
#define LEAST_POWER -709.0
#define TANH_LIMIT 20.0
#endif

INLINE vector from_bits(integers value) { return (vector)value; }
INLINE integers to_bits(vector value) { return (integers)value; }

// q(r) for |r| <= ln 2 / 2.
INLINE vector polynomial(vector r) {
#if REAL_BITS == 32
  vector q = splat(1.3926213466332443e-3f);
  q = MULTIPLY_ADD(q, r, splat(8.36320297157585495e-3f));
  q = MULTIPLY_ADD(q, r, splat(4.16665544376859389e-2f));
  q = MULTIPLY_ADD(q, r, splat(0.166665768459939763f));
  return MULTIPLY_ADD(q, r, splat(0.5f));
#else
  vector q = splat(2.51004241570050668e-8);
  q = MULTIPLY_ADD(q, r, splat(2.76201387197339956e-7));
  q = MULTIPLY_ADD(q, r, splat(2.75572683786841929e-6));
  q = MULTIPLY_ADD(q, r, splat(2.48015211902177277e-5));
  q = MULTIPLY_ADD(q, r, splat(1.98412698631059687e-4));
  q = MULTIPLY_ADD(q, r, splat(1.38888889172817933e-3));
  q = MULTIPLY_ADD(q, r, splat(8.33333333333005135e-3));
  q = MULTIPLY_ADD(q, r, splat(4.16666666666239915e-2));
  q = MULTIPLY_ADD(q, r, splat(0.166666666666666675));
  return MULTIPLY_ADD(q, r, splat(0.5));
#endif
}

// What is left of x after n ln 2.
INLINE vector reduced(vector x, vector n) {
  const vector r = MULTIPLY_ADD(n, splat(-LN2_HIGH), x);
  return MULTIPLY_ADD(n, splat(-LN2_LOW), r);
}

// 1 + expm1(r). 1 + r alone would leave a remainder that is worth a third of the last place.
INLINE vector reduced_exp(vector r) {
  const vector lead = 1 + r;
  return lead + MULTIPLY_ADD(r * r, polynomial(r), (1 - lead) + r);
}

INLINE vector vector_exp(vector x) {
  // Written so that NaN stays: a comparison with it is false.
  x = x < splat(LEAST_ARGUMENT) ? splat(LEAST_ARGUMENT) : x;
  x = x > splat(MOST_ARGUMENT) ? splat(MOST_ARGUMENT) : x;
  const vector shifted = MULTIPLY_ADD(x, splat(LOG2_E), splat(ROUNDER));
  const vector value = reduced_exp(reduced(x, shifted - ROUNDER));
  // Two factors, each a normal number: the result may be subnormal, or infinite.
  const integers power = to_bits(shifted) - to_bits(splat(ROUNDER));
  const integers half = power >> 1;
  const vector first = from_bits((half + EXPONENT_BIAS) << EXPONENT_BITS);
  const vector second = from_bits((power - half + EXPONENT_BIAS) << EXPONENT_BITS);
  return value * first * second;
}

// sigmoid(-|x|) = m / sum, m = exp(-|x|) = 2^n (1 + expm1(r)), sum = 1 + m; what the sum's rounding
// took from the quotient is given back. sigmoid(|x|) = 1 - sigmoid(-|x|). Where m would be less
// than about the least normal number it is 0: the power's exponent bits then are.
INLINE vector quotient_sigmoid(vector x) {
  const vector y = -__builtin_elementwise_abs(x);
  const vector z = y < splat(LEAST_POWER) ? splat(LEAST_POWER) : y;
  // The exponent's bias rides along: the low bits of the sum are those of 2^n.
  const vector rounder = splat(ROUNDER + EXPONENT_BIAS);
  const vector shifted = MULTIPLY_ADD(z, splat(LOG2_E), rounder);
  const vector scale = from_bits(to_bits(shifted) << EXPONENT_BITS);
  const vector r = reduced(z, shifted - rounder);
  const vector e = MULTIPLY_ADD(r * r, polynomial(r), r);
  const vector m = MULTIPLY_ADD(scale, e, scale);
  const vector sum = 1 + m;
  const vector lost = (1 - sum) + m;
  const vector ratio = m / sum;
  // 1 / sum = 1 - m / sum.
  const vector value = MULTIPLY_ADD(-ratio * lost, 1 - ratio, ratio);
  return x < 0 ? value : 1 - value;
}

// tanh x = -sign(x) m / (m + 2), m = expm1(-2 |x|) = 2^n expm1(2 h) + (2^n - 1), h = r / 2.
//
// One step takes n ln 2 off: what ln 2 lacks in its last place is multiplied by n 2^n, which is
// never worth more than a hundredth of m's last place.
INLINE vector quotient_tanh(vector x) {
  const integers sign = to_bits(splat((real)-0.0));
  vector y = from_bits(to_bits(x) | sign);
  y = y < splat(-TANH_LIMIT) ? splat(-TANH_LIMIT) : y;
  const vector rounder = splat(ROUNDER + EXPONENT_BIAS);
  const vector shifted = MULTIPLY_ADD(y, splat(2 * LOG2_E), rounder);
  const vector n = shifted - rounder;
  const vector scale = from_bits(to_bits(shifted) << EXPONENT_BITS);
  const vector h = MULTIPLY_ADD(n, splat((real)-0.34657359027997265471), y);
  // 4 q(2 h), with its factors in the coefficients.
#if REAL_BITS == 32
  vector q = splat(2.5460519237594019e-2f);
  q = MULTIPLY_ADD(q, h, splat(8.917558952074991e-2f));
  q = MULTIPLY_ADD(q, h, splat(0.2666659485062308f));
  q = MULTIPLY_ADD(q, h, splat(0.6666634336324247f));
  q = MULTIPLY_ADD(q, h, splat(1.3333333345343343f));
#else
  vector q = splat(5.14056686735463768e-5);
  q = MULTIPLY_ADD(q, h, splat(2.82830220490076115e-4));
  q = MULTIPLY_ADD(q, h, splat(1.41093214098863068e-3));
  q = MULTIPLY_ADD(q, h, splat(6.34918942469573828e-3));
  q = MULTIPLY_ADD(q, h, splat(2.539682542477564e-2));
  q = MULTIPLY_ADD(q, h, splat(8.88888890706034772e-2));
  q = MULTIPLY_ADD(q, h, splat(0.266666666666561643));
  q = MULTIPLY_ADD(q, h, splat(0.666666666665983864));
  q = MULTIPLY_ADD(q, h, splat(1.3333333333333334));
#endif
  q = MULTIPLY_ADD(q, h, splat(2));
  const vector e = MULTIPLY_ADD(h * h, q, h + h);
  // m and m + 2 each from e, so that m's rounding does not count twice; then what the two lost;
  // 1 / sum = (1 + tanh |x|) / 2.
  const vector below = scale - 1;
  const vector above = scale + 1;
  const vector m = MULTIPLY_ADD(scale, e, below);
  const vector sum = MULTIPLY_ADD(scale, e, above);
  const vector ratio = m / sum;
  const vector m_lost = MULTIPLY_ADD(scale, e, below - m);
  const vector sum_lost = MULTIPLY_ADD(scale, e, above - sum);
  const vector inverse = MULTIPLY_ADD(ratio, splat((real)-0.5), splat((real)0.5));
  const vector magnitude =
      MULTIPLY_ADD(MULTIPLY_ADD(-ratio, sum_lost, m_lost), inverse, ratio);
  return from_bits((to_bits(magnitude) & ~sign) | (to_bits(x) & sign));
}

#endif
