// Activations and their derivatives. Both precisions pass through the C library's double
// functions: float32 values are then rounded once, which makes them the nearest float32 number
// but for very rare ties (the library's own float functions are off by up to two units in the
// last place, and the notebook's comparison shows it).

static inline REAL NAME(sigmoid)(REAL x) {
  // The side on which exp cannot overflow, and on which 1 + e keeps its digits.
  const double e = exp(-fabs((double)x));
  return (REAL)((x >= 0 ? 1 : e) / (1 + e));
}

static inline REAL NAME(activation)(REAL x, unroll_activation f) {
  if (f.clip > 0) {
    const REAL limit = (REAL)f.clip;
    x = x > limit ? limit : x < -limit ? -limit : x;
  }
  switch (f.kind) {
    case UNROLL_TANH: return (REAL)tanh((double)x);
    case UNROLL_SIGMOID: return NAME(sigmoid)(x);
    case UNROLL_RELU: return x < 0 ? 0 : x;
    case UNROLL_HARD_SIGMOID: {
      const REAL y = (REAL)f.alpha * x + (REAL)f.beta;
      return y < 0 ? 0 : y > 1 ? 1 : y;
    }
    case UNROLL_LEAKY_RELU: return x < 0 ? (REAL)f.alpha * x : x;
    case UNROLL_ELU: return x < 0 ? (REAL)(f.alpha * expm1((double)x)) : x;
    case UNROLL_SOFTSIGN: return x / (1 + (x < 0 ? -x : x));
    // The larger of x and 0 first: exp cannot overflow.
    case UNROLL_SOFTPLUS: return (REAL)((x > 0 ? (double)x : 0) + log1p(exp(-fabs((double)x))));
    case UNROLL_THRESHOLDED_RELU: return x > (REAL)f.alpha ? x : 0;
    case UNROLL_SCALED_TANH: return (REAL)(f.alpha * tanh(f.beta * (double)x));
    case UNROLL_AFFINE: return (REAL)f.alpha * x + (REAL)f.beta;
    default: return x;
  }
}

// The derivative at the argument whose value is y. Where the argument was clipped, y stands at
// the value of a limit, and the derivative is 0: the functions are monotonic, so no other
// argument inside the limits has that value.
static inline REAL NAME(slope)(REAL y, unroll_activation f) {
  if (f.clip > 0) {
    unroll_activation plain = f;
    plain.clip = 0;
    const REAL a = NAME(activation)((REAL)f.clip, plain), b = NAME(activation)(-(REAL)f.clip, plain);
    // A negative factor turns the limits round.
    if (y >= (a > b ? a : b) || y <= (a > b ? b : a)) return 0;
  }
  switch (f.kind) {
    case UNROLL_TANH: return 1 - y * y;
    case UNROLL_SIGMOID: return y * (1 - y);
    case UNROLL_RELU: return y > 0 ? 1 : 0;
    case UNROLL_HARD_SIGMOID: return y > 0 && y < 1 ? (REAL)f.alpha : 0;
    case UNROLL_LEAKY_RELU: return y > 0 ? 1 : (REAL)f.alpha;
    case UNROLL_ELU: return y > 0 ? 1 : y + (REAL)f.alpha;
    case UNROLL_SOFTSIGN: {
      const REAL rest = 1 - (y < 0 ? -y : y);
      return rest * rest;
    }
    case UNROLL_SOFTPLUS: return (REAL)-expm1(-(double)y);
    case UNROLL_THRESHOLDED_RELU: return y == 0 ? 0 : 1;
    case UNROLL_SCALED_TANH: {
      if (f.alpha == 0) return 0;
      const double t = (double)y / f.alpha;
      return (REAL)(f.alpha * f.beta * (1 - t * t));
    }
    case UNROLL_AFFINE: return (REAL)f.alpha;
    default: return 1;
  }
}

void NAME(unroll_activate)(REAL *restrict values, unroll_activation function, ptrdiff_t count) {
  for (ptrdiff_t j = 0; j < count; ++j) values[j] = NAME(activation)(values[j], function);
}

static inline int NAME(is_active)(const uint8_t *active, ptrdiff_t row) {
  return !active || active[row];
}

static inline void NAME(zero)(REAL *restrict out, ptrdiff_t count) {
  for (ptrdiff_t j = 0; j < count; ++j) out[j] = 0;
}

static inline void NAME(copy)(REAL *restrict out, const REAL *restrict a, ptrdiff_t count) {
  for (ptrdiff_t j = 0; j < count; ++j) out[j] = a[j];
}
