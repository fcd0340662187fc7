// Dense layers over many rows, softmax and cross-entropy, and the optimizers' updates.
// All share their work among `threads` threads, with the same bits for any number of them. `type` is the element type of
// every array whose type is not given.

#ifndef UNROLL_DENSE_H
#define UNROLL_DENSE_H

#include <stddef.h>
#include <stdint.h>

/// Element types.
enum { UNROLL_F32 = 0, UNROLL_F64 = 1 };

/// out[m,n] = a[m,k] W + bias. W is [k,n], or [n,k] if `is_transposed`.
typedef struct {
  int32_t type, threads;
  int32_t is_transposed;
  ptrdiff_t m, k, n;
  const void *a;
  const void *weights;
  const void *bias;  ///< [n], or null for none
  void *scratch;     ///< unroll_dense_scratch_count numbers
} unroll_dense;

/// Where a dense layer's gradients are written; null for those that are not needed.
typedef struct {
  const void *out;  ///< dL/d out, [m,n]
  void *input;      ///< [m,k], written
  void *weights;    ///< as W; never null
  void *bias;       ///< [n]
  int32_t adds;     ///< weights and bias are added to, not written
} unroll_dense_gradients;

ptrdiff_t unroll_dense_scratch_count(const unroll_dense *dense);
/// 2 m k n flops.
void unroll_dense_forward(const unroll_dense *dense, void *out);
/// 4 m k n flops.
void unroll_dense_backward(const unroll_dense *dense, const unroll_dense_gradients *gradients);

/// out[k,n] += a[m,k]^T b[m,n], summed over m in order. 2 m k n flops.
typedef struct {
  int32_t type, threads;
  ptrdiff_t m, k, n;
  void *out;
  ptrdiff_t ldout;
  const void *a;
  ptrdiff_t lda;
  const void *b;
  ptrdiff_t ldb;
  void *scratch;  ///< unroll_transposed_sum_scratch_count numbers
} unroll_transposed_sum;

ptrdiff_t unroll_transposed_sum_scratch_count(int32_t type, int32_t threads, ptrdiff_t m, ptrdiff_t k);
void unroll_add_transposed_product(const unroll_transposed_sum *sum);

/// Rows of logits that become probabilities, or, with targets, the gradient of scale times the sum of their
/// cross-entropies; then losses[row] is -log softmax(row)[target] in nats. A negative target leaves its row out: loss 0,
/// gradient 0.
typedef struct {
  int32_t type, threads;
  ptrdiff_t rows, classes;
  void *logits;
  const int32_t *targets;  ///< [rows], or null: probabilities
  double *losses;          ///< [rows], with targets
  double scale;
} unroll_softmax;

void unroll_apply_softmax(const unroll_softmax *softmax);

/// The sum of squares, in blocks of one fixed size.
double unroll_sum_of_squares(int32_t type, int32_t threads, const void *values, ptrdiff_t count);

/// How parameters are updated. One step counts from 1; `gradient_scale` is what clipping leaves.
typedef struct {
  int32_t type, threads;
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

/// Updates parameters; `first` and `second` are the optimiser's state (null where unused).
void unroll_update_parameters(const unroll_update *update, void *parameters, const void *gradient, void *first,
                              void *second, ptrdiff_t count);

/// Which of a run of numbers dropout keeps. The mask is a function of all that stands here and of a number's index, taken
/// modulo `period`.
typedef struct {
  double rate;       ///< the probability of becoming 0, in 0 ..< 1; the others grow by 1 / (1 - rate)
  uint64_t seed;
  uint64_t step;
  uint32_t stream;   ///< below 65536: which of a step's masks
  ptrdiff_t period;  ///< after how many numbers the mask repeats, dividing their count; 0: never
} unroll_dropout;

/// Dropout in place, of values or of their gradients.
void unroll_drop(int32_t type, int32_t threads, void *values, ptrdiff_t count, const unroll_dropout *dropout);

#endif
