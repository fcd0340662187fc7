// Which level runs: chosen once, by what the machine has and what UNROLL_ISA asks for.

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "levels/level_table.h"
#include "unroll_arrays.h"
#include "unroll_dense.h"
#include "unroll_layer.h"
#include "unroll_machine.h"

static _Thread_local int forced_level = -1;
static _Atomic int chosen_level = -1;

const char *unroll_level_name(int level) {
  static const char *const names[UNROLL_LEVEL_COUNT] = {"plain", "baseline", "avx2",
                                                            "avx512"};
  return level >= 0 && level < UNROLL_LEVEL_COUNT ? names[level] : "";
}

int unroll_best_level(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return UNROLL_AVX512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return UNROLL_AVX2;
#endif
  return UNROLL_BASELINE;
}

int unroll_level(void) {
  if (forced_level >= 0) return forced_level;
  int level = atomic_load_explicit(&chosen_level, memory_order_relaxed);
  if (level < 0) {
    const char *asked = getenv("UNROLL_ISA");
    const int best = unroll_best_level();
    level = best;
    for (int i = 0; asked && i <= best; ++i) {
      if (strcmp(asked, unroll_level_name(i)) == 0) level = i;
    }
    atomic_store(&chosen_level, level);
  }
  return level;
}

int unroll_force_level(int level) {
  const int before = forced_level;
  forced_level = level <= unroll_best_level() ? level : unroll_best_level();
  return before;
}

static const unroll_table *table(int is_double) {
#if defined(__x86_64__)
  switch (unroll_level()) {
    case UNROLL_AVX512: return &unroll_tables_avx512[is_double];
    case UNROLL_AVX2: return &unroll_tables_avx2[is_double];
  }
#endif
  return &unroll_tables_baseline[is_double];
}

ptrdiff_t unroll_tape_lanes(const unroll_layer *layer, int is_double) {
  return table(is_double)->tape_lanes(layer);
}
ptrdiff_t unroll_packed_count(const unroll_layer *layer, int is_double) {
  return table(is_double)->packed_count(layer);
}
ptrdiff_t unroll_forward_scratch_count(const unroll_layer *layer, int is_double) {
  return table(is_double)->forward_scratch(layer);
}
ptrdiff_t unroll_backward_scratch_count(const unroll_layer *layer, int is_double) {
  return table(is_double)->backward_scratch(layer);
}
void unroll_layer_pack_f32(const unroll_layer *layer) { table(0)->pack(layer); }
void unroll_layer_pack_f64(const unroll_layer *layer) { table(1)->pack(layer); }
void unroll_layer_forward_f32(const unroll_layer *layer) { table(0)->forward(layer); }
void unroll_layer_forward_f64(const unroll_layer *layer) { table(1)->forward(layer); }
void unroll_layer_backward_f32(const unroll_layer *layer, const unroll_layer_gradients *g) {
  table(0)->backward(layer, g);
}
void unroll_layer_backward_f64(const unroll_layer *layer, const unroll_layer_gradients *g) {
  table(1)->backward(layer, g);
}
ptrdiff_t unroll_stream_packed_count(const unroll_layer *layer, int is_double) {
  return table(is_double)->stream_packed(layer);
}
void unroll_stream_pack_f32(unroll_layer *layer) { table(0)->stream_pack(layer); }
void unroll_stream_pack_f64(unroll_layer *layer) { table(1)->stream_pack(layer); }
void unroll_stack_step_f32(unroll_layer *layers, ptrdiff_t count) {
  table(0)->stack_step(layers, count);
}
void unroll_stack_step_f64(unroll_layer *layers, ptrdiff_t count) {
  table(1)->stack_step(layers, count);
}
ptrdiff_t unroll_dense_scratch_count(const unroll_dense *dense, int is_double) {
  return table(is_double)->dense_scratch(dense);
}

ptrdiff_t unroll_transposed_sum_scratch_count(ptrdiff_t m, ptrdiff_t k, int is_double) {
  return table(is_double)->transposed_sum_scratch(m, k);
}

#define FORWARD(REAL, TYPE, IS_DOUBLE)                                                             \
  double unroll_peak_##TYPE(ptrdiff_t rounds) {                                                    \
    REAL sink;                                                                                     \
    return table(IS_DOUBLE)->peak.TYPE(rounds, &sink);                                             \
  }                                                                                                \
  void unroll_function_##TYPE(REAL *out, const REAL *in, ptrdiff_t count, int32_t kind) {          \
    table(IS_DOUBLE)->function.TYPE(out, in, count, kind);                                         \
  }                                                                                                \
  void unroll_dense_forward_##TYPE(const unroll_dense *dense, REAL *out) {                         \
    table(IS_DOUBLE)->dense_forward.TYPE(dense, out);                                              \
  }                                                                                                \
  void unroll_dense_backward_##TYPE(const unroll_dense *dense, const REAL *out_gradient,           \
                                    REAL *input_gradient, REAL *weight_gradient,                   \
                                    REAL *bias_gradient, int adds) {                               \
    table(IS_DOUBLE)->dense_backward.TYPE(dense, out_gradient, input_gradient, weight_gradient,    \
                                          bias_gradient, adds);                                    \
  }                                                                                                \
  void unroll_transposed_sum_##TYPE(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t lda,      \
                                    const REAL *b, ptrdiff_t ldb, ptrdiff_t m, ptrdiff_t k,        \
                                    ptrdiff_t n, REAL *scratch) {                                  \
    table(IS_DOUBLE)->transposed_sum.TYPE(out, ldout, a, lda, b, ldb, m, k, n, scratch);           \
  }                                                                                                \
  void unroll_softmax_cross_entropy_##TYPE(REAL *logits, double *losses, const int32_t *targets,   \
                                           ptrdiff_t rows, ptrdiff_t classes, REAL scale) {        \
    table(IS_DOUBLE)->softmax_cross_entropy.TYPE(logits, losses, targets, rows, classes, scale);   \
  }                                                                                                \
  void unroll_softmax_##TYPE(REAL *logits, ptrdiff_t rows, ptrdiff_t classes) {                    \
    table(IS_DOUBLE)->softmax.TYPE(logits, rows, classes);                                         \
  }                                                                                                \
  double unroll_sum_of_squares_##TYPE(const REAL *values, ptrdiff_t count) {                       \
    return table(IS_DOUBLE)->sum_of_squares.TYPE(values, count);                                   \
  }                                                                                                \
  void unroll_drop_##TYPE(REAL *values, ptrdiff_t count, const unroll_dropout *dropout) {          \
    table(IS_DOUBLE)->drop.TYPE(values, count, dropout);                                           \
  }                                                                                                \
  void unroll_move_##TYPE(REAL *parameters, const REAL *gradient, REAL *first, REAL *second,       \
                          ptrdiff_t count, const unroll_update *update) {                          \
    table(IS_DOUBLE)->move_parameters.TYPE(parameters, gradient, first, second, count, update);    \
  }
FORWARD(float, f32, 0)
FORWARD(double, f64, 1)
