// Chooses the instruction set, once, from what the machine has and what UNROLL_ISA names; and implements the public
// functions by the kernels of the plan's or the current instruction set.

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "float_mode.h"
#include "isa/kernels.h"

static _Thread_local int forced_isa = -1;
static _Atomic int chosen_isa = -1;

const char *unroll_isa_name(int isa) {
  static const char *const names[UNROLL_ISA_COUNT] = {"plain", "baseline", "avx2", "avx512"};
  return isa >= 0 && isa < UNROLL_ISA_COUNT ? names[isa] : "";
}

int unroll_best_isa(void) {
#if UNROLL_HAS_AVX
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return UNROLL_AVX512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return UNROLL_AVX2;
#endif
  return UNROLL_BASELINE;
}

int unroll_isa(void) {
  if (forced_isa >= 0) return forced_isa;
  int isa = atomic_load_explicit(&chosen_isa, memory_order_relaxed);
  if (isa < 0) {
    const char *asked = getenv("UNROLL_ISA");
    const int best = unroll_best_isa();
    isa = best;
    for (int i = 0; asked && i <= best; ++i) {
      if (strcmp(asked, unroll_isa_name(i)) == 0) isa = i;
    }
    atomic_store(&chosen_isa, isa);
  }
  return isa;
}

int unroll_force_isa(int isa) {
  const int before = forced_isa;
  forced_isa = isa <= unroll_best_isa() ? isa : unroll_best_isa();
  return before;
}

const unroll_kernels *unroll_kernels_of(int32_t isa, int32_t type) {
  const int is_double = type == UNROLL_F64;
#if UNROLL_HAS_AVX
  if (isa == UNROLL_AVX512) return is_double ? &unroll_kernels_avx512_f64 : &unroll_kernels_avx512_f32;
  if (isa == UNROLL_AVX2) return is_double ? &unroll_kernels_avx2_f64 : &unroll_kernels_avx2_f32;
#endif
  (void)isa;
  return is_double ? &unroll_kernels_baseline_f64 : &unroll_kernels_baseline_f32;
}

static const unroll_kernels *kernels_of_plan(const unroll_plan *p) {
  if (p->path != UNROLL_PATH_PLAIN) return unroll_kernels_of(p->isa, p->layer.type);
  return p->layer.type == UNROLL_F64 ? &unroll_kernels_plain_f64 : &unroll_kernels_plain_f32;
}

// The kernels load and store whole cache lines of these.
static void require_alignment(const void *memory, const char *name) {
  if ((uintptr_t)memory % 64 == 0) return;
  fprintf(stderr, "unroll: expected %s aligned to 64 bytes, got %p\n", name, memory);
  abort();
}

void unroll_pack(unroll_plan *plan, const unroll_weights *weights, void *packed) {
  require_alignment(packed, "packed weights");
  const unroll_float_mode mode = unroll_enter_kernels(plan->layer.type == UNROLL_F32);
  kernels_of_plan(plan)->pack(plan, weights, packed);
  unroll_set_float_mode(mode);
}

void unroll_forward(const unroll_plan *plan, const unroll_weights *weights, const void *packed,
                    const unroll_sequence *sequence) {
  require_alignment(packed, "packed weights");
  require_alignment(sequence->trace, "a trace");
  require_alignment(sequence->scratch, "scratch");
  const unroll_float_mode mode = unroll_enter_kernels(plan->layer.type == UNROLL_F32);
  kernels_of_plan(plan)->forward(plan, weights, packed, sequence);
  unroll_set_float_mode(mode);
}

void unroll_backward(const unroll_plan *plan, const unroll_weights *weights, const unroll_sequence *sequence,
                     const unroll_gradients *gradients) {
  require_alignment(sequence->trace, "a trace");
  require_alignment(sequence->scratch, "scratch");
  const unroll_float_mode mode = unroll_enter_kernels(plan->layer.type == UNROLL_F32);
  kernels_of_plan(plan)->backward(plan, weights, sequence, gradients);
  unroll_set_float_mode(mode);
}

void unroll_stream_step(unroll_stream *layers, ptrdiff_t count) {
  if (count == 0) return;
  const unroll_float_mode mode = unroll_enter_kernels(layers->plan->layer.type == UNROLL_F32);
  for (ptrdiff_t i = 0; i < count; ++i) {
    if (i > 0) layers[i].inputs = layers[i - 1].hidden;
    kernels_of_plan(layers[i].plan)->stream_step(layers + i);
  }
  unroll_set_float_mode(mode);
}

// Arrays' functions, by the calling thread's instruction set.
#define KERNELS(TYPE) unroll_kernels_of(unroll_isa(), TYPE)
#define IN_KERNEL_MODE(TYPE, CALL)                                          \
  {                                                                         \
    const unroll_float_mode mode = unroll_enter_kernels(TYPE == UNROLL_F32); \
    CALL;                                                                   \
    unroll_set_float_mode(mode);                                            \
  }

ptrdiff_t unroll_dense_scratch_count(const unroll_dense *d) { return KERNELS(d->type)->dense_scratch(d); }
void unroll_dense_forward(const unroll_dense *d, void *out) {
  IN_KERNEL_MODE(d->type, KERNELS(d->type)->dense_forward(d, out))
}
void unroll_dense_backward(const unroll_dense *d, const unroll_dense_gradients *g) {
  IN_KERNEL_MODE(d->type, KERNELS(d->type)->dense_backward(d, g))
}
ptrdiff_t unroll_transposed_sum_scratch_count(int32_t type, int32_t threads, ptrdiff_t m, ptrdiff_t k) {
  return threads * KERNELS(type)->transposed_scratch(m, k);
}
void unroll_add_transposed_product(const unroll_transposed_sum *s) {
  IN_KERNEL_MODE(s->type, KERNELS(s->type)->transposed_sum(s))
}
void unroll_apply_softmax(const unroll_softmax *s) { IN_KERNEL_MODE(s->type, KERNELS(s->type)->softmax(s)) }
double unroll_sum_of_squares(int32_t type, int32_t threads, const void *values, ptrdiff_t count) {
  double sum;
  IN_KERNEL_MODE(type, sum = KERNELS(type)->sum_of_squares(values, count, threads))
  return sum;
}
void unroll_update_parameters(const unroll_update *u, void *parameters, const void *gradient, void *first, void *second,
                              ptrdiff_t count) {
  IN_KERNEL_MODE(u->type, KERNELS(u->type)->update(u, parameters, gradient, first, second, count))
}
void unroll_drop(int32_t type, int32_t threads, void *values, ptrdiff_t count, const unroll_dropout *dropout) {
  KERNELS(type)->drop(values, count, dropout, threads);
}
void unroll_vector_function(int32_t type, void *out, const void *in, ptrdiff_t count, int32_t function) {
  KERNELS(type)->apply_function(out, in, count, function);
}
double unroll_multiply_add_peak(int32_t type, ptrdiff_t rounds, void *sink) {
  return KERNELS(type)->multiply_add_peak(rounds, sink);
}

#define ARRAYS(TYPE) ((TYPE) == UNROLL_F64 ? &unroll_plain_arrays_f64 : &unroll_plain_arrays_f32)
void unroll_product(int32_t type, void *out, const void *a, const void *b, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n) {
  ARRAYS(type)->product(out, a, b, m, k, n);
}
void unroll_transpose(int32_t type, void *out, const void *a, ptrdiff_t m, ptrdiff_t n) {
  ARRAYS(type)->transpose(out, a, m, n);
}
void unroll_column_sums(int32_t type, void *out, const void *a, ptrdiff_t m, ptrdiff_t n) {
  ARRAYS(type)->column_sums(out, a, m, n);
}
void unroll_fill_rows(int32_t type, void *out, const void *row, ptrdiff_t m, ptrdiff_t n) {
  ARRAYS(type)->fill_rows(out, row, m, n);
}
void unroll_replace_inactive(int32_t type, void *out, const void *other, const uint8_t *active, ptrdiff_t m,
                             ptrdiff_t n) {
  ARRAYS(type)->replace_inactive(out, other, active, m, n);
}
void unroll_add_scaled(int32_t type, void *out, const void *a, double scale, ptrdiff_t count) {
  ARRAYS(type)->add_scaled(out, a, scale, count);
}
void unroll_clip(int32_t type, void *values, double limit, ptrdiff_t count) { ARRAYS(type)->clip(values, limit, count); }
void unroll_activate(int32_t type, void *values, unroll_activation function, ptrdiff_t count) {
  ARRAYS(type)->activate(values, function, count);
}
