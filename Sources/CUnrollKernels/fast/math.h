// exp, sigmoid and tanh of vectors. All go through expm1 on |r| <= ln 2 / 2, but where a level looks
// numbers up in tables (LOOK_UP; tabled.h):
//
//   x = n ln 2 + r      expm1(r) = r + r^2 q(r)      exp(x) = 2^n (1 + expm1(r))
//
// q is a polynomial through Chebyshev's points; r^2 q is off by 7.8e-9 for float and 1.3e-17
// for double at most. The results' errors, on every 101st float and on sampled doubles,
// are stated in Documentation/Design/0006 and held by VectorMathTests.

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
#define LEAST_POWER -88.0f       // as near to 2^-127 as to anything: its exponent bits are 0
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

INLINE VECTOR NAME(bits_of)(INTEGERS value) { return (VECTOR)value; }
INLINE INTEGERS NAME(integers_of)(VECTOR value) { return (INTEGERS)value; }

// q(r) for |r| <= ln 2 / 2.
INLINE VECTOR NAME(polynomial)(VECTOR r) {
#if REAL_BITS == 32
  VECTOR q = NAME(splat)(1.3926213466332443e-3f);
  q = MULTIPLY_ADD(q, r, NAME(splat)(8.36320297157585495e-3f));
  q = MULTIPLY_ADD(q, r, NAME(splat)(4.16665544376859389e-2f));
  q = MULTIPLY_ADD(q, r, NAME(splat)(0.166665768459939763f));
  return MULTIPLY_ADD(q, r, NAME(splat)(0.5f));
#else
  VECTOR q = NAME(splat)(2.51004241570050668e-8);
  q = MULTIPLY_ADD(q, r, NAME(splat)(2.76201387197339956e-7));
  q = MULTIPLY_ADD(q, r, NAME(splat)(2.75572683786841929e-6));
  q = MULTIPLY_ADD(q, r, NAME(splat)(2.48015211902177277e-5));
  q = MULTIPLY_ADD(q, r, NAME(splat)(1.98412698631059687e-4));
  q = MULTIPLY_ADD(q, r, NAME(splat)(1.38888889172817933e-3));
  q = MULTIPLY_ADD(q, r, NAME(splat)(8.33333333333005135e-3));
  q = MULTIPLY_ADD(q, r, NAME(splat)(4.16666666666239915e-2));
  q = MULTIPLY_ADD(q, r, NAME(splat)(0.166666666666666675));
  return MULTIPLY_ADD(q, r, NAME(splat)(0.5));
#endif
}

// What is left of x after n ln 2.
INLINE VECTOR NAME(reduced)(VECTOR x, VECTOR n) {
  const VECTOR r = MULTIPLY_ADD(n, NAME(splat)(-LN2_HIGH), x);
  return MULTIPLY_ADD(n, NAME(splat)(-LN2_LOW), r);
}

// 1 + expm1(r). 1 + r alone would leave a remainder that is worth a third of the last place.
INLINE VECTOR NAME(reduced_exp)(VECTOR r) {
  const VECTOR lead = 1 + r;
  return lead + MULTIPLY_ADD(r * r, NAME(polynomial)(r), (1 - lead) + r);
}

INLINE VECTOR NAME(exp)(VECTOR x) {
  // Written so that NaN stays: a comparison with it is false.
  x = x < NAME(splat)(LEAST_ARGUMENT) ? NAME(splat)(LEAST_ARGUMENT) : x;
  x = x > NAME(splat)(MOST_ARGUMENT) ? NAME(splat)(MOST_ARGUMENT) : x;
  const VECTOR shifted = MULTIPLY_ADD(x, NAME(splat)(LOG2_E), NAME(splat)(ROUNDER));
  const VECTOR value = NAME(reduced_exp)(NAME(reduced)(x, shifted - ROUNDER));
  // Two factors, each a normal number: the result may be subnormal, or infinite.
  const INTEGERS power = NAME(integers_of)(shifted) - NAME(integers_of)(NAME(splat)(ROUNDER));
  const INTEGERS half = power >> 1;
  const VECTOR first = NAME(bits_of)((half + EXPONENT_BIAS) << EXPONENT_BITS);
  const VECTOR second = NAME(bits_of)((power - half + EXPONENT_BIAS) << EXPONENT_BITS);
  return value * first * second;
}

// sigmoid(-|x|) = m / sum, m = exp(-|x|) = 2^n (1 + expm1(r)), sum = 1 + m; what the sum's rounding
// took from the quotient is given back. sigmoid(|x|) = 1 - sigmoid(-|x|). Where m would be less
// than about the least normal number it is 0: the power's exponent bits then are.
INLINE VECTOR NAME(quotient_sigmoid)(VECTOR x) {
  const VECTOR y = -__builtin_elementwise_abs(x);
  const VECTOR z = y < NAME(splat)(LEAST_POWER) ? NAME(splat)(LEAST_POWER) : y;
  // The exponent's bias rides along: the low bits of the sum are those of 2^n.
  const VECTOR rounder = NAME(splat)(ROUNDER + EXPONENT_BIAS);
  const VECTOR shifted = MULTIPLY_ADD(z, NAME(splat)(LOG2_E), rounder);
  const VECTOR scale = NAME(bits_of)(NAME(integers_of)(shifted) << EXPONENT_BITS);
  const VECTOR r = NAME(reduced)(z, shifted - rounder);
  const VECTOR e = MULTIPLY_ADD(r * r, NAME(polynomial)(r), r);
  const VECTOR m = MULTIPLY_ADD(scale, e, scale);
  const VECTOR sum = 1 + m;
  const VECTOR lost = (1 - sum) + m;
  const VECTOR ratio = m / sum;
  // 1 / sum = 1 - m / sum.
  const VECTOR value = MULTIPLY_ADD(-ratio * lost, 1 - ratio, ratio);
  return x < 0 ? value : 1 - value;
}

// Vectors whose sigmoids are taken together, at most.
#define MOST_SIGMOIDS 4

#ifdef LOOK_UP
#include "tabled.h"
#else
INLINE void NAME(sigmoids)(VECTOR *x, const int count) {
  ALL_UNROLLED
  for (int v = 0; v < count; ++v) x[v] = NAME(quotient_sigmoid)(x[v]);
}

// tanh x = -sign(x) m / (m + 2), m = expm1(-2 |x|) = 2^n expm1(2 h) + (2^n - 1), h = r / 2.
//
// One step takes n ln 2 off: what ln 2 lacks in its last place is multiplied by n 2^n, which is
// never worth more than a hundredth of m's last place.
INLINE VECTOR NAME(tanh)(VECTOR x) {
  const INTEGERS sign = NAME(integers_of)(NAME(splat)((REAL)-0.0));
  VECTOR y = NAME(bits_of)(NAME(integers_of)(x) | sign);
  y = y < NAME(splat)(-TANH_LIMIT) ? NAME(splat)(-TANH_LIMIT) : y;
  const VECTOR rounder = NAME(splat)(ROUNDER + EXPONENT_BIAS);
  const VECTOR shifted = MULTIPLY_ADD(y, NAME(splat)(2 * LOG2_E), rounder);
  const VECTOR n = shifted - rounder;
  const VECTOR scale = NAME(bits_of)(NAME(integers_of)(shifted) << EXPONENT_BITS);
  const VECTOR h = MULTIPLY_ADD(n, NAME(splat)((REAL)-0.34657359027997265471), y);
  // 4 q(2 h), with its factors in the coefficients.
#if REAL_BITS == 32
  VECTOR q = NAME(splat)(2.5460519237594019e-2f);
  q = MULTIPLY_ADD(q, h, NAME(splat)(8.917558952074991e-2f));
  q = MULTIPLY_ADD(q, h, NAME(splat)(0.2666659485062308f));
  q = MULTIPLY_ADD(q, h, NAME(splat)(0.6666634336324247f));
  q = MULTIPLY_ADD(q, h, NAME(splat)(1.3333333345343343f));
#else
  VECTOR q = NAME(splat)(5.14056686735463768e-5);
  q = MULTIPLY_ADD(q, h, NAME(splat)(2.82830220490076115e-4));
  q = MULTIPLY_ADD(q, h, NAME(splat)(1.41093214098863068e-3));
  q = MULTIPLY_ADD(q, h, NAME(splat)(6.34918942469573828e-3));
  q = MULTIPLY_ADD(q, h, NAME(splat)(2.539682542477564e-2));
  q = MULTIPLY_ADD(q, h, NAME(splat)(8.88888890706034772e-2));
  q = MULTIPLY_ADD(q, h, NAME(splat)(0.266666666666561643));
  q = MULTIPLY_ADD(q, h, NAME(splat)(0.666666666665983864));
  q = MULTIPLY_ADD(q, h, NAME(splat)(1.3333333333333334));
#endif
  q = MULTIPLY_ADD(q, h, NAME(splat)(2));
  const VECTOR e = MULTIPLY_ADD(h * h, q, h + h);
  // m and m + 2 each from e, so that m's rounding does not count twice; then what the two lost;
  // 1 / sum = (1 + tanh |x|) / 2.
  const VECTOR below = scale - 1;
  const VECTOR above = scale + 1;
  const VECTOR m = MULTIPLY_ADD(scale, e, below);
  const VECTOR sum = MULTIPLY_ADD(scale, e, above);
  const VECTOR ratio = m / sum;
  const VECTOR m_lost = MULTIPLY_ADD(scale, e, below - m);
  const VECTOR sum_lost = MULTIPLY_ADD(scale, e, above - sum);
  const VECTOR inverse = MULTIPLY_ADD(ratio, NAME(splat)((REAL)-0.5), NAME(splat)((REAL)0.5));
  const VECTOR magnitude =
      MULTIPLY_ADD(MULTIPLY_ADD(-ratio, sum_lost, m_lost), inverse, ratio);
  return NAME(bits_of)((NAME(integers_of)(magnitude) & ~sign) | (NAME(integers_of)(x) & sign));
}
#endif

INLINE VECTOR NAME(sigmoid)(VECTOR x) {
  NAME(sigmoids)(&x, 1);
  return x;
}

#undef EXPONENT_BITS
#undef EXPONENT_BIAS
#undef LOG2_E
#undef LN2_HIGH
#undef LN2_LOW
#undef ROUNDER
#undef MOST_SIGMOIDS
#undef LEAST_ARGUMENT
#undef MOST_ARGUMENT
#undef LEAST_POWER
#undef TANH_LIMIT
