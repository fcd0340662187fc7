// A dense layer over many rows at once, what a language model ends with, and what turns gradients
// into new parameters. All run on the pool's threads with the same bits for any number of them.

#ifndef UNROLL_DENSE_H
#define UNROLL_DENSE_H

#include <stddef.h>
#include <stdint.h>

/// out[m,n] = a[m,k] W + bias. `bias` may be null; W is [k,n], or [n,k] if `is_transposed`.
typedef struct {
  ptrdiff_t m, k, n;
  int32_t is_transposed;
  const void *a;
  const void *weights;
  const void *bias;  ///< [n] or null
  void *scratch;     ///< unroll_dense_scratch_count numbers
} unroll_dense;

/// They depend on the number of threads: whoever asks forces one (unroll_force_thread_count) until the work is done.
ptrdiff_t unroll_transposed_sum_scratch_count(ptrdiff_t m, ptrdiff_t k, int is_double);
ptrdiff_t unroll_dense_scratch_count(const unroll_dense *dense, int is_double);

/// How parameters move. One step counts from 1; `gradient_scale` is what clipping leaves.
typedef struct {
  int32_t kind;  ///< UNROLL_SGD ...
  double rate, momentum, beta1, beta2, epsilon;
  double weight_decay;  ///< SGD, momentum, RMSprop: added to the gradient; Adam: decoupled
  double gradient_scale;
  int64_t step;
} unroll_update;

enum {
  UNROLL_SGD = 0,       ///< p -= rate g
  UNROLL_MOMENTUM = 1,  ///< first = momentum first + g, p -= rate first
  UNROLL_RMSPROP = 2,   ///< second = beta2 second + (1 - beta2) g^2, p -= rate g / (sqrt second + epsilon)
  UNROLL_ADAM = 3,      ///< Kingma and Ba with bias correction; weight decay as in AdamW
};

/// Which of a run of numbers dropout keeps. The mask is a function of all that stands here and of a
/// number's index, taken modulo `period`.
typedef struct {
  double rate;       ///< the probability of becoming 0, in 0 ..< 1; the others grow by 1 / (1 - rate)
  uint64_t seed;
  uint64_t step;
  uint32_t stream;   ///< below 65536: which of a step's masks
  ptrdiff_t period;  ///< after how many numbers the mask repeats, dividing their count; 0: never
} unroll_dropout;

#define UNROLL_DECLARE(REAL, SUFFIX)                                                              \
  /* 2mkn flops. */                                                                               \
  void unroll_dense_forward_##SUFFIX(const unroll_dense *dense, REAL *out);                       \
  /* input_gradient[m,k] = dout W^T (null: not wanted); weight_gradient (as W) and                \
     bias_gradient[n] (null: none) are written, or added to if `adds`. 4mkn flops. */             \
  void unroll_dense_backward_##SUFFIX(const unroll_dense *dense, const REAL *out_gradient,        \
                                      REAL *input_gradient, REAL *weight_gradient,                \
                                      REAL *bias_gradient, int adds);                             \
  /* out[k,n] += a[m,k]^T b[m,n], summed over m in order; `scratch` holds                         \
     unroll_transposed_sum_scratch_count numbers. 2mkn flops. */                                  \
  void unroll_transposed_sum_##SUFFIX(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t lda,   \
                                      const REAL *b, ptrdiff_t ldb, ptrdiff_t m, ptrdiff_t k,     \
                                      ptrdiff_t n, REAL *scratch);                                \
  /* Rows of logits become the gradient of scale * sum of cross-entropies; losses[row] is         \
     -log softmax(row)[target] in nats. A negative target is left out: loss 0, gradient 0. */     \
  void unroll_softmax_cross_entropy_##SUFFIX(REAL *logits, double *losses,                        \
                                             const int32_t *targets, ptrdiff_t rows,              \
                                             ptrdiff_t classes, REAL scale);                      \
  /* Rows of logits become probabilities. */                                                      \
  void unroll_softmax_##SUFFIX(REAL *logits, ptrdiff_t rows, ptrdiff_t classes);                  \
  /* The sum of squares, in blocks of one fixed size. */                                          \
  double unroll_sum_of_squares_##SUFFIX(const REAL *values, ptrdiff_t count);                     \
  /* Dropout in place, of values or of their gradients. */                                        \
  void unroll_drop_##SUFFIX(REAL *values, ptrdiff_t count, const unroll_dropout *dropout);        \
  /* Moves parameters; `first` and `second` are the optimiser's memory (null where unused). */    \
  void unroll_move_##SUFFIX(REAL *parameters, const REAL *gradient, REAL *first, REAL *second,    \
                            ptrdiff_t count, const unroll_update *update);

UNROLL_DECLARE(float, f32)
UNROLL_DECLARE(double, f64)
#undef UNROLL_DECLARE

#endif
