// The plain kernels: slow and simple, for float (f32) and double (f64). They are the oracle of the
// fast ones (unroll_layer.h), and run the cells whose switches those do not know.
//
// Every array is dense and row-major unless a leading dimension (ld...) is given; sizes count
// elements. Arguments stand in the order outputs, inputs, sizes. Nothing here allocates, keeps
// state or fails. `active` holds one byte a row, 0 for a row that is past its sequence's end;
// a null pointer means that all rows are active.
//
// The bits of an output row depend on that row's inputs alone, never on the number of rows.

#ifndef UNROLL_KERNELS_H
#define UNROLL_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/// The functions that a gate or a candidate can pass through. Their derivative can be had from
/// their value, so that the tape needs to hold the value alone.
enum {
  UNROLL_TANH = 0,
  UNROLL_SIGMOID = 1,
  UNROLL_RELU = 2,
  UNROLL_HARD_SIGMOID = 3,  ///< max(0, min(1, alpha * x + beta))
  UNROLL_IDENTITY = 4,
  UNROLL_EXP = 5,  ///< of arrays only: no cell has it
  UNROLL_LEAKY_RELU = 6,         ///< x < 0 ? alpha * x : x, alpha >= 0
  UNROLL_ELU = 7,                ///< x < 0 ? alpha * (exp(x) - 1) : x, alpha >= 0
  UNROLL_SOFTSIGN = 8,           ///< x / (1 + |x|)
  UNROLL_SOFTPLUS = 9,           ///< log(1 + exp(x))
  UNROLL_THRESHOLDED_RELU = 10,  ///< x > alpha ? x : 0, alpha >= 0
  UNROLL_SCALED_TANH = 11,       ///< alpha * tanh(beta * x)
  UNROLL_AFFINE = 12,            ///< alpha * x + beta
};

/// A function and its parameters; `clip` > 0 limits the argument to -clip ... clip first.
typedef struct {
  int32_t kind;
  double alpha;
  double beta;
  double clip;
} unroll_activation;

/// The switches of an LSTM step. A clip of 0 is none.
typedef struct {
  unroll_activation gate;       ///< of the input, forget and output gate
  unroll_activation candidate;  ///< of the candidate
  unroll_activation output;     ///< of the cell state, on its way out
  double forget_offset;         ///< added to the forget gate's argument
  double cell_clip;             ///< limits the new cell state
  int32_t coupled;              ///< forget gate = 1 - input gate
} unroll_lstm_options;

#define UNROLL_DECLARE(REAL, SUFFIX)                                                              \
  /* out[m,n] += a[m,k] b[k,n]; summed over k in order, for every row alike. 2mkn flops. */       \
  void unroll_product_##SUFFIX(REAL *restrict out, ptrdiff_t ldout, const REAL *restrict a,       \
                               ptrdiff_t lda, const REAL *restrict b, ptrdiff_t ldb, ptrdiff_t m, \
                               ptrdiff_t k, ptrdiff_t n);                                         \
  /* out[k,n] += a[m,k]^T b[m,n]; summed over m in order. 2mkn flops. */                          \
  void unroll_product_tn_##SUFFIX(REAL *restrict out, ptrdiff_t ldout, const REAL *restrict a,    \
                                  ptrdiff_t lda, const REAL *restrict b, ptrdiff_t ldb,           \
                                  ptrdiff_t m, ptrdiff_t k, ptrdiff_t n);                         \
  /* out[n,m] = a[m,n]^T */                                                                       \
  void unroll_transpose_##SUFFIX(REAL *restrict out, const REAL *restrict a, ptrdiff_t m,         \
                                 ptrdiff_t n);                                                    \
  /* out[n] += the sum of the rows of a[m,n], in order */                                         \
  void unroll_column_sums_##SUFFIX(REAL *restrict out, const REAL *restrict a, ptrdiff_t m,       \
                                   ptrdiff_t n);                                                  \
  /* out[i,:] = row for each of m rows */                                                         \
  void unroll_fill_rows_##SUFFIX(REAL *restrict out, const REAL *restrict row, ptrdiff_t m,       \
                                 ptrdiff_t n);                                                    \
  /* inactive rows of out become the rows of other (zero if other is null) */                     \
  void unroll_replace_inactive_##SUFFIX(REAL *restrict out, const REAL *restrict other,           \
                                        const uint8_t *active, ptrdiff_t m, ptrdiff_t n);         \
  /* out += scale * a, for active rows */                                                         \
  void unroll_add_rows_##SUFFIX(REAL *restrict out, const REAL *restrict a, REAL scale,           \
                                const uint8_t *active, ptrdiff_t m, ptrdiff_t n);                 \
  /* values limited to -limit ... limit */                                                        \
  void unroll_clip_##SUFFIX(REAL *restrict values, REAL limit, ptrdiff_t count);                  \
  /* gradient set to 0 where the value stands at the limit */                                     \
  void unroll_clip_backward_##SUFFIX(REAL *restrict gradient, const REAL *restrict values,        \
                                     REAL limit, ptrdiff_t count);                                \
  /* values passed through the function, in place */                                              \
  void unroll_activate_##SUFFIX(REAL *restrict values, unroll_activation function,                \
                                ptrdiff_t count);                                                 \
                                                                                                  \
  void unroll_rnn_forward_##SUFFIX(REAL *restrict gates, REAL *restrict hidden,                   \
                                   const REAL *restrict previous, const uint8_t *active,          \
                                   ptrdiff_t rows, ptrdiff_t size, unroll_activation function);   \
  void unroll_rnn_backward_##SUFFIX(REAL *restrict gate_gradient, REAL *restrict previous_gradient, \
                                    const REAL *restrict hidden_gradient,                         \
                                    const REAL *restrict gates, const uint8_t *active,            \
                                    ptrdiff_t rows, ptrdiff_t size, unroll_activation function);  \
                                                                                                  \
  void unroll_gru_before_gates_##SUFFIX(REAL *restrict gates, REAL *restrict scaled,              \
                                        const REAL *restrict previous, const uint8_t *active,     \
                                        ptrdiff_t rows, ptrdiff_t size, unroll_activation gate);  \
  void unroll_gru_before_output_##SUFFIX(REAL *restrict gates, REAL *restrict hidden,             \
                                         const REAL *restrict previous, const uint8_t *active,    \
                                         ptrdiff_t rows, ptrdiff_t size,                          \
                                         unroll_activation candidate);                            \
  void unroll_gru_after_forward_##SUFFIX(REAL *restrict gates, REAL *restrict product,            \
                                         REAL *restrict hidden, const REAL *restrict recurrent,   \
                                         const REAL *restrict previous, const uint8_t *active,    \
                                         ptrdiff_t rows, ptrdiff_t size, unroll_activation gate,  \
                                         unroll_activation candidate);                            \
  void unroll_gru_backward_##SUFFIX(REAL *restrict gate_gradient, REAL *restrict previous_gradient, \
                                    const REAL *restrict hidden_gradient,                         \
                                    const REAL *restrict gates, const REAL *restrict previous,    \
                                    const uint8_t *active, ptrdiff_t rows, ptrdiff_t size,        \
                                    unroll_activation gate, unroll_activation candidate);         \
  void unroll_gru_before_backward_##SUFFIX(REAL *restrict gate_gradient,                          \
                                           REAL *restrict previous_gradient,                      \
                                           const REAL *restrict scaled_gradient,                  \
                                           const REAL *restrict gates,                            \
                                           const REAL *restrict previous, const uint8_t *active,  \
                                           ptrdiff_t rows, ptrdiff_t size,                        \
                                           unroll_activation gate);                               \
  void unroll_gru_after_backward_##SUFFIX(REAL *restrict gate_gradient,                           \
                                          REAL *restrict recurrent_gradient,                      \
                                          const REAL *restrict gates,                             \
                                          const REAL *restrict product, const uint8_t *active,    \
                                          ptrdiff_t rows, ptrdiff_t size, unroll_activation gate); \
                                                                                                  \
  void unroll_lstm_forward_##SUFFIX(REAL *restrict gates, REAL *restrict cell,                    \
                                    REAL *restrict output, const REAL *restrict previous_cell,    \
                                    const REAL *restrict peepholes, const uint8_t *active,        \
                                    ptrdiff_t rows, ptrdiff_t size,                               \
                                    const unroll_lstm_options *options);                          \
  void unroll_lstm_backward_##SUFFIX(REAL *restrict gate_gradient, REAL *restrict cell_gradient,  \
                                     REAL *restrict peephole_gradient,                            \
                                     const REAL *restrict output_gradient,                        \
                                     const REAL *restrict gates, const REAL *restrict cell,       \
                                     const REAL *restrict previous_cell,                          \
                                     const REAL *restrict peepholes, const uint8_t *active,       \
                                     ptrdiff_t rows, ptrdiff_t size,                              \
                                     const unroll_lstm_options *options);

UNROLL_DECLARE(float, f32)
UNROLL_DECLARE(double, f64)
#undef UNROLL_DECLARE

#endif
