// tanh and sigmoid of vectors by tables, where one instruction looks a vector up among 32 numbers: a polynomial on
// each of 32 intervals of -|x|, of degree 4 for tanh and 5 for sigmoid, five and six look-ups, no division. About half of
// the time that the quotients take.

#ifndef UNROLL_TABLED_H
#define UNROLL_TABLED_H

#include "quotients.h"

#ifdef LOOK_UP

#include "function_tables.h"

// What a table has for y <= 0 in the interval whose number the low five bits of `place` are. The last word
// is the last coefficient; its lower bits are the upper ones of the coefficient before it.
INLINE vector tabled(const real (*table)[32], const int degree, vector y, integers place) {
  const vector t = y - LOOK_UP(table[0], place);
  const vector word = LOOK_UP(table[degree], place);
  vector value = MULTIPLY_ADD(word, t, from_bits(to_bits(word) << TABLE_WORD_SHIFT));
  UNROLL_ALL
  for (int k = degree - 1; k > 0; --k) value = MULTIPLY_ADD(value, t, LOOK_UP(table[k], place));
  return value;
}

// -|x|; of NaN, NaN.
INLINE vector below_zero(vector x) {
  return from_bits(to_bits(x) | to_bits(splat((real)-0.0)));
}

INLINE vector tabled_tanh(vector x) {
  const integers sign = to_bits(splat((real)-0.0));
  vector y = below_zero(x);
  y = y < splat(-TANH_MOST) ? splat(-TANH_MOST) : y;
  const integers place = to_bits(splat(TANH_OFFSET) - y) >> TANH_SHIFT;
  const vector magnitude = tabled(unroll_tanh_table, TANH_DEGREE, y, place);
  return from_bits((to_bits(magnitude) & ~sign) | (to_bits(x) & sign));
}

// The low five bits of this sum are y's place in the table, whose middles are the halves from -15.5 to 0;
// the others are those of HALF_ROUNDER, unless y is beyond the table.
#define HALF_ROUNDER (ROUNDER / 2)
INLINE integers sigmoid_place(vector y) {
  return to_bits(y + splat(HALF_ROUNDER + 15.5f));
}
INLINE integers beyond_table(integers place) {
  return place ^ to_bits(splat(HALF_ROUNDER));
}

// Where a number is beyond the table, which is rare: the quotient instead of the value.
static __attribute__((noinline)) vector far_sigmoid(vector x, vector value) {
  const integers is_near = (beyond_table(sigmoid_place(below_zero(x))) & ~31) == 0;
  return is_near ? value : quotient_sigmoid(x);
}

// The largest number of vectors whose sigmoids are taken together.
#define MOST_SIGMOIDS 4

// Of `count` vectors, in place, with one branch for all numbers beyond the table.
INLINE void tabled_sigmoids(vector *x, const int count) {
  vector values[MOST_SIGMOIDS];
  integers beyond = (integers)(0);
  UNROLL_ALL
  for (int v = 0; v < count; ++v) {
    const vector y = below_zero(x[v]);
    const integers place = sigmoid_place(y);
    const vector value = tabled(unroll_sigmoid_table, SIGMOID_DEGREE, y, place);
    beyond |= beyond_table(place);
    values[v] = x[v] < 0 ? value : 1 - value;
  }
  if (__builtin_expect(ANY_ABOVE_31(beyond), 0)) {
    UNROLL_ALL
    for (int v = 0; v < count; ++v) values[v] = far_sigmoid(x[v], values[v]);
  }
  UNROLL_ALL
  for (int v = 0; v < count; ++v) x[v] = values[v];
}

#undef HALF_ROUNDER

#endif
#endif
