// tanh and sigmoid of vectors by tables, where one instruction looks a vector up among 32 numbers: a
// polynomial of degree 5 on each of 32 intervals of -|x|, seven look-ups, no division. Half to two
// thirds of the time that the quotients of math.h take.

#include "function_tables.h"

// What a table has for y <= 0 in the interval whose number the low five bits of `place` are.
INLINE VECTOR NAME(tabled)(const REAL (*table)[32], VECTOR y, INTEGERS place) {
  const VECTOR t = y - LOOK_UP(table[0], place);
  VECTOR value = LOOK_UP(table[6], place);
  ALL_UNROLLED
  for (int k = 5; k > 0; --k) value = MULTIPLY_ADD(value, t, LOOK_UP(table[k], place));
  return value;
}

// -|x|; of NaN, NaN.
INLINE VECTOR NAME(below_zero)(VECTOR x) {
  return NAME(bits_of)(NAME(integers_of)(x) | NAME(integers_of)(NAME(splat)((REAL)-0.0)));
}

INLINE VECTOR NAME(tanh)(VECTOR x) {
  const INTEGERS sign = NAME(integers_of)(NAME(splat)((REAL)-0.0));
  VECTOR y = NAME(below_zero)(x);
  y = y < NAME(splat)(-TANH_MOST) ? NAME(splat)(-TANH_MOST) : y;
  const INTEGERS place = NAME(integers_of)(NAME(splat)(TANH_OFFSET) - y) >> TANH_SHIFT;
  const VECTOR magnitude = NAME(tabled)(unroll_tanh_table, y, place);
  return NAME(bits_of)((NAME(integers_of)(magnitude) & ~sign) | (NAME(integers_of)(x) & sign));
}

// Where a number is beyond the table, which is rare.
static __attribute__((noinline)) VECTOR NAME(far_sigmoid)(VECTOR x, VECTOR value, VECTOR least) {
  return NAME(below_zero)(x) < least ? NAME(quotient_sigmoid)(x) : value;
}

INLINE VECTOR NAME(sigmoid)(VECTOR x) {
  const VECTOR y = NAME(below_zero)(x), least = NAME(splat)(-31 * SIGMOID_WIDTH);
  const VECTOR shifted = MULTIPLY_ADD(y, NAME(splat)(-1 / SIGMOID_WIDTH), NAME(splat)(ROUNDER));
  VECTOR value = NAME(tabled)(unroll_sigmoid_table, y, NAME(integers_of)(shifted));
  value = x < 0 ? value : 1 - value;
  if (__builtin_expect(ANY_LESS(y, least), 0)) value = NAME(far_sigmoid)(x, value, least);
  return value;
}
