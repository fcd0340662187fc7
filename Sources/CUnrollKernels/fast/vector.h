// One level's vectors: loads, stores and the few operations on which the rest is written.
// Included by body.h, once for each element type; the level file defines VECTOR_BYTES, LEVEL and
// FUSED (whether the machine multiplies and adds in one rounding).
//
// A vector is a clang extended vector of WIDTH numbers. Addresses need no alignment.

#define WIDTH (VECTOR_BYTES / (int)sizeof(REAL))
#define VECTOR NAME(vector)
#define INTEGERS NAME(integers)

typedef REAL VECTOR __attribute__((ext_vector_type(WIDTH)));
typedef INTEGER INTEGERS __attribute__((ext_vector_type(WIDTH)));
typedef VECTOR NAME(loose_vector) __attribute__((aligned(sizeof(REAL))));

INLINE VECTOR NAME(splat)(REAL value) { return (VECTOR)(value); }
INLINE VECTOR NAME(load)(const REAL *from) { return *(const NAME(loose_vector) *)from; }
INLINE void NAME(store)(REAL *to, VECTOR value) { *(NAME(loose_vector) *)to = value; }

#if FUSED
#define MULTIPLY_ADD(a, b, c) __builtin_elementwise_fma(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

// The first `count` numbers of a vector, the others 0; count is 1 ... WIDTH.
INLINE VECTOR NAME(load_part)(const REAL *from, ptrdiff_t count) {
  if (count >= WIDTH) return NAME(load)(from);
#ifdef PART_LOAD
  return PART_LOAD(from, count);
#else
  VECTOR value = (VECTOR)(0);
  for (int i = 0; i < WIDTH; ++i) {
    if (i < count) value[i] = from[i];
  }
  return value;
#endif
}

INLINE void NAME(store_part)(REAL *to, VECTOR value, ptrdiff_t count) {
  if (count >= WIDTH) {
    NAME(store)(to, value);
    return;
  }
#ifdef PART_STORE
  PART_STORE(to, value, count);
#else
  for (int i = 0; i < WIDTH; ++i) {
    if (i < count) to[i] = value[i];
  }
#endif
}

#define ALL_UNROLLED _Pragma("clang loop unroll(full)")

// Turns a square of vectors around its diagonal: halves are interleaved log2(WIDTH) times.
INLINE void NAME(turn)(VECTOR *square) {
  ALL_UNROLLED
  for (int step = 1; step < WIDTH; step *= 2) {
    VECTOR next[WIDTH];
    ALL_UNROLLED
    for (int i = 0; i < WIDTH / 2; ++i) {
      next[2 * i] = INTERLEAVE_LOW(square[i], square[i + WIDTH / 2]);
      next[2 * i + 1] = INTERLEAVE_HIGH(square[i], square[i + WIDTH / 2]);
    }
    for (int i = 0; i < WIDTH; ++i) square[i] = next[i];
  }
}

// Each number in its predecessor's place, the first one in the last place.
INLINE VECTOR NAME(rotated)(VECTOR value) {
  VECTOR next = value;
  ALL_UNROLLED
  for (int i = 0; i < WIDTH; ++i) next[i] = value[(i + 1) % WIDTH];
  return next;
}

// The sum of a vector's numbers, halves first: one fixed order.
INLINE REAL NAME(sum)(VECTOR value) {
  REAL parts[WIDTH];
  for (int i = 0; i < WIDTH; ++i) parts[i] = value[i];
  for (int half = WIDTH / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) parts[i] += parts[i + half];
  }
  return parts[0];
}

// Runs the statements for j = 0, WIDTH, 2 WIDTH ... with n numbers left to do in each vector; n is a
// constant but for the last, partial one.
#define FOR_VECTORS(count, ...)                              \
  {                                                          \
    ptrdiff_t j = 0;                                         \
    for (; j + WIDTH <= (count); j += WIDTH) {               \
      const ptrdiff_t n = WIDTH;                             \
      (void)n;                                               \
      __VA_ARGS__                                            \
    }                                                        \
    if (j < (count)) {                                       \
      const ptrdiff_t n = (count)-j;                         \
      (void)n;                                               \
      __VA_ARGS__                                            \
    }                                                        \
  }
