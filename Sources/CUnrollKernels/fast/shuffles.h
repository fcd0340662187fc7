// The shuffles of narrow.h, for each number of lanes: the low or high halves of two vectors
// interleaved, the same within each half, two low halves joined, and the high half brought down.

#undef INTERLEAVE_LOW
#undef INTERLEAVE_HIGH
#undef INTERLEAVE_LOW_HALVES
#undef INTERLEAVE_HIGH_HALVES
#undef LOW_HALVES
#undef HIGH_HALF

#if VECTOR_BYTES * 8 / REAL_BITS == 16
#define INTERLEAVE_LOW(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define INTERLEAVE_HIGH(a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, \
                          31)
#define INTERLEAVE_LOW_HALVES(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 8, 24, 9, 25, 10, 26, 11, 27)
#define INTERLEAVE_HIGH_HALVES(a, b) \
  __builtin_shufflevector(a, b, 4, 20, 5, 21, 6, 22, 7, 23, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW_HALVES(a, b) \
  __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define HIGH_HALF(a) \
  __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15)
#elif VECTOR_BYTES * 8 / REAL_BITS == 8
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define INTERLEAVE_LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define INTERLEAVE_HIGH_HALVES(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HIGH_HALF(a) __builtin_shufflevector(a, a, 4, 5, 6, 7, 4, 5, 6, 7)
#elif VECTOR_BYTES * 8 / REAL_BITS == 4
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define INTERLEAVE_LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 4, 2, 6)
#define INTERLEAVE_HIGH_HALVES(a, b) __builtin_shufflevector(a, b, 1, 5, 3, 7)
#define LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define HIGH_HALF(a) __builtin_shufflevector(a, a, 2, 3, 2, 3)
#elif VECTOR_BYTES * 8 / REAL_BITS == 2
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 2)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 1, 3)
#define INTERLEAVE_LOW_HALVES(a, b) (a)  // halves of one number need no turning
#define INTERLEAVE_HIGH_HALVES(a, b) (b)
#define LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 2)
#define HIGH_HALF(a) __builtin_shufflevector(a, a, 1, 1)
#endif
