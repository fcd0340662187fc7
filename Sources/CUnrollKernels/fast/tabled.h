// tanh and sigmoid of vectors by tables, where one instruction looks a vector up among 32 numbers: a
// polynomial on each of 32 intervals of -|x|, of degree 4 for tanh and 5 for sigmoid, five and six look-ups,
// no division. About half of the time that the quotients of math.h take.

#include "function_tables.h"

// What a table has for y <= 0 in the interval whose number the low five bits of `place` are. The last word
// is the last coefficient; its lower bits are the upper ones of the coefficient before it.
INLINE VECTOR NAME(tabled)(const REAL (*table)[32], const int degree, VECTOR y, INTEGERS place) {
  const VECTOR t = y - LOOK_UP(table[0], place);
  const VECTOR word = LOOK_UP(table[degree], place);
  VECTOR value = MULTIPLY_ADD(word, t, NAME(bits_of)(NAME(integers_of)(word) << TABLE_WORD_SHIFT));
  ALL_UNROLLED
  for (int k = degree - 1; k > 0; --k) value = MULTIPLY_ADD(value, t, LOOK_UP(table[k], place));
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
  const VECTOR magnitude = NAME(tabled)(unroll_tanh_table, TANH_DEGREE, y, place);
  return NAME(bits_of)((NAME(integers_of)(magnitude) & ~sign) | (NAME(integers_of)(x) & sign));
}

// The low five bits of this sum are y's place in the table, whose middles are the halves from -15.5 to 0;
// the others are those of HALF_ROUNDER, unless y is beyond the table.
#define HALF_ROUNDER (ROUNDER / 2)
INLINE INTEGERS NAME(sigmoid_place)(VECTOR y) {
  return NAME(integers_of)(y + NAME(splat)(HALF_ROUNDER + 15.5f));
}
INLINE INTEGERS NAME(beyond)(INTEGERS place) {
  return place ^ NAME(integers_of)(NAME(splat)(HALF_ROUNDER));
}

// Where a number is beyond the table, which is rare: the quotient instead of the value.
static __attribute__((noinline)) VECTOR NAME(far_sigmoid)(VECTOR x, VECTOR value) {
  const INTEGERS is_near = (NAME(beyond)(NAME(sigmoid_place)(NAME(below_zero)(x))) & ~31) == 0;
  return is_near ? value : NAME(quotient_sigmoid)(x);
}

// Of `count` vectors, in place, with one branch for all numbers beyond the table.
INLINE void NAME(sigmoids)(VECTOR *x, const int count) {
  VECTOR values[MOST_SIGMOIDS];
  INTEGERS beyond = (INTEGERS)(0);
  ALL_UNROLLED
  for (int v = 0; v < count; ++v) {
    const VECTOR y = NAME(below_zero)(x[v]);
    const INTEGERS place = NAME(sigmoid_place)(y);
    const VECTOR value = NAME(tabled)(unroll_sigmoid_table, SIGMOID_DEGREE, y, place);
    beyond |= NAME(beyond)(place);
    values[v] = x[v] < 0 ? value : 1 - value;
  }
  if (__builtin_expect(ANY_ABOVE_31(beyond), 0)) {
    ALL_UNROLLED
    for (int v = 0; v < count; ++v) values[v] = NAME(far_sigmoid)(x[v], values[v]);
  }
  ALL_UNROLLED
  for (int v = 0; v < count; ++v) x[v] = values[v];
}

#undef HALF_ROUNDER
