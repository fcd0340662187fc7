// One sequence. A step reads each weight once, which takes most of its time. Weights are packed in the order in which they
// are read (unroll_plan.streamed). Every second step reads them backward: it begins with the weights that the step before
// read last and that are still cached, so that a cache which is slightly too small for all weights misses only a few.
//
// Groups have enough sums to hide the latency of an addition, and few enough weights that the last group is still cached
// when the next step begins with it. The chains of multiply-adds are those of ../products/product.h, in the same order:
// the bits are the same.

#ifndef UNROLL_STREAMED_H
#define UNROLL_STREAMED_H

#include "../products/bf16.h"
#include "pass.h"

INLINE ptrdiff_t at_most(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

// The slots that are multiplied with the state before the activations: all but a late candidate's.
INLINE ptrdiff_t early_slots(const unroll_plan *p) {
  return p->streamed.late_groups > 0 ? p->streamed.together : p->streamed.all;
}

// A group has the slots first ..< next; those below `early` have their U in it.
typedef struct {
  ptrdiff_t first, next, early;
} slot_group;

INLINE slot_group group_at(const unroll_plan *plan, ptrdiff_t group) {
  const ptrdiff_t first = group * plan->streamed.group, next = at_most(first + plan->streamed.group, plan->streamed.all);
  const ptrdiff_t early = at_most(next, early_slots(plan));
  return (slot_group){first, next, early > first ? early : first};
}

INLINE slot_group late_group_at(const unroll_plan *plan, ptrdiff_t group) {
  const ptrdiff_t first = plan->streamed.together + group * plan->streamed.late_group;
  const ptrdiff_t next = at_most(first + plan->streamed.late_group, plan->streamed.all);
  return (slot_group){first, next, next};
}

// Offsets of a group's weights, and of a late group's.
INLINE ptrdiff_t group_weights(const pass *p, ptrdiff_t slot) {
  const unroll_plan *plan = p->plan;
  const ptrdiff_t early = at_most(slot, early_slots(plan));
  return plan->streamed.weights + (slot * plan->streamed.input + early * p->layer->state) * WIDTH;
}
INLINE ptrdiff_t late_weights(const pass *p, ptrdiff_t slot) {
  const unroll_plan *plan = p->plan;
  return plan->streamed.weights + (plan->streamed.all * plan->streamed.input + slot * p->layer->state) * WIDTH;
}

// Packs slots `first` to `next` of b[k, G H].
static void pack_slots(const pass *p, real *to, const real *b, ptrdiff_t k, ptrdiff_t first,
                       ptrdiff_t next) {
  const unroll_plan *plan = p->plan;
  const unroll_layer *l = p->layer;
  const ptrdiff_t width = gate_width(l), border = together_columns(l), together = plan->streamed.together;
  for (ptrdiff_t row = 0; row < k; ++row) {
    for (ptrdiff_t s = first; s < next; ++s, to += WIDTH) {
      const ptrdiff_t column = (s < together ? s : s - together) * plan->streamed.slot + (s < together ? 0 : border);
      const ptrdiff_t end = s < together ? border : width;
      const real *from = b + row * width + column;
#if REAL_BITS == 32
      if (p->plan->bf16) {
        pack_bf16_pair((uint32_t *)to, from, end - column, p->plan->bf16);
        continue;
      }
#endif
      store(to, load_part(from, end - column));
    }
  }
}

static void pack_streamed(const pass *p, real *packed) {
  const unroll_layer *l = p->layer;
  const unroll_plan *plan = p->plan;
  const real *w = p->weights->input, *u = p->weights->recurrent;
  for (ptrdiff_t i = 0; i < plan->streamed.groups; ++i) {
    const slot_group g = group_at(plan, i);
    real *to = packed + group_weights(p, g.first);
    pack_slots(p, to, w, plan->streamed.input, g.first, g.next);
    pack_slots(p, to + (g.next - g.first) * plan->streamed.input * WIDTH, u, l->state, g.first, g.early);
  }
  for (ptrdiff_t i = 0; i < plan->streamed.late_groups; ++i) {
    const slot_group g = late_group_at(plan, i);
    pack_slots(p, packed + late_weights(p, g.first), u, l->state, g.first, g.next);
  }
  if (!l->has_projection) return;
  pack_panels(packed + plan->streamed.projection, p->weights->projection, l->state, 1, l->units, l->state);
}

// Some of a group's vectors: their sums start from `start`, or from 0 if it is null, and go to `out`. Both have `columns`
// numbers.
typedef struct {
  const real *start;
  real *out;
  ptrdiff_t columns;
} slot_place;

// The place of vector v of a group, and the offset in it.
#define IN_PLACE(v)                                             \
  const slot_place *place = places + ((v) >= border * width);   \
  const ptrdiff_t offset = ((v) >= border * width ? (v)-border * width : (v)) * WIDTH;

// out = start + a b of `slots`, the first `border` of them at one place, the others at another.
INLINE void slots_product(const slot_place *places, ptrdiff_t border, const real *a, ptrdiff_t k, const real *b,
                          const int slots, const int bf16) {
  vector sums[GROUP_VECTORS];
  const int width = bf16 ? 2 : 1, vectors = slots * width;
  // The usual case, whole vectors at one place, has no check for each vector: 3 % of a step.
  const slot_place *only = places + (border == 0);
  const int is_simple = (border == 0 || border >= slots) && only->columns >= vectors * WIDTH;
  UNROLL_ALL for (int v = 0; v < vectors && is_simple; ++v) {
    sums[v] = only->start ? load(only->start + v * WIDTH) : splat(0);
  }
  UNROLL_ALL for (int v = 0; v < vectors && !is_simple; ++v) {
    IN_PLACE(v)
    const ptrdiff_t left = place->columns - offset;
    sums[v] = place->start && left > 0 ? load_part(place->start + offset, left) : splat(0);
  }
  // With GROUP_VECTORS slots, loads are the limit: a's numbers are loaded as a vector, which is rotated (3 to 5 % faster).
  const int rotates = slots == GROUP_VECTORS;
  for (ptrdiff_t first = 0; first < k; first += WIDTH) {
    vector factors = load_part(a + first, k - first);
    const ptrdiff_t end = k - first < WIDTH ? k : first + WIDTH;
    for (ptrdiff_t row = first; row < end; ++row) {
      const vector factor = rotates ? (vector)(factors[0]) : splat(a[row]);
      factors = rotate(factors);
      UNROLL_ALL for (int s = 0; s < slots; ++s) {
#if REAL_BITS == 32
        if (bf16) {
          const words both = *(const unaligned_words *)(b + s * WIDTH);
          sums[2 * s] = MULTIPLY_ADD(factor, low_weights(both), sums[2 * s]);
          sums[2 * s + 1] = MULTIPLY_ADD(factor, high_weights(both, bf16), sums[2 * s + 1]);
          continue;
        }
#endif
        sums[s] = MULTIPLY_ADD(factor, load(b + s * WIDTH), sums[s]);
      }
      b += slots * WIDTH;
    }
  }
  UNROLL_ALL for (int v = 0; v < vectors && is_simple; ++v) store(only->out + v * WIDTH, sums[v]);
  UNROLL_ALL for (int v = 0; v < vectors && !is_simple; ++v) {
    IN_PLACE(v)
    const ptrdiff_t left = place->columns - offset;
    if (left > 0) store_part(place->out + offset, sums[v], left);
  }
}
#undef IN_PLACE

typedef void (*slots_function)(const slot_place *, ptrdiff_t, const real *, ptrdiff_t, const real *);
#define SLOTS(COUNT, BF16)                                                                                      \
  static void slots_product_##COUNT##_##BF16(const slot_place *places, ptrdiff_t border, const real *a,         \
                                             ptrdiff_t k, const real *b) {                                      \
    slots_product(places, border, a, k, b, COUNT, BF16);                                                        \
  }
#define FOUR_SLOTS(BF16) SLOTS(1, BF16) SLOTS(2, BF16) SLOTS(3, BF16) SLOTS(4, BF16)
#define NAMES(BF16)                                                                                             \
  slots_product_1_##BF16, slots_product_2_##BF16, slots_product_3_##BF16, slots_product_4_##BF16
FOUR_SLOTS(0)
SLOTS(5, 0)
SLOTS(6, 0)
SLOTS(7, 0)
SLOTS(8, 0)
#if REAL_BITS == 32
FOUR_SLOTS(1)  // UNROLL_BF16_NEAREST
FOUR_SLOTS(2)  // UNROLL_BF16_EXACT
#endif
static const slots_function slots_products[][GROUP_VECTORS] = {
    {NAMES(0), slots_product_5_0, slots_product_6_0, slots_product_7_0, slots_product_8_0},
#if REAL_BITS == 32
    {NAMES(1)},
    {NAMES(2)},
#endif
};
#undef SLOTS
#undef FOUR_SLOTS
#undef NAMES

// A group's products with x, if `x` is not null (else the gates hold them already), and with the state.
static void advance_group(const pass *p, const step_rows *s, const real *x, ptrdiff_t group) {
  const unroll_plan *plan = p->plan;
  const unroll_layer *l = p->layer;
  const slot_group g = group_at(p->plan, group);
  const slots_function *products = slots_products[p->plan->bf16];
  const ptrdiff_t h = l->units, border = together_columns(l), count = g.next - g.first;
  const ptrdiff_t firsts = g.first < plan->streamed.together ? at_most(g.next, plan->streamed.together) - g.first : 0;
  const ptrdiff_t column = g.first * plan->streamed.slot;
  const ptrdiff_t later = firsts > 0 ? 0 : (g.first - plan->streamed.together) * plan->streamed.slot;  // of the candidate
  const real *bias = p->packed, *b = p->packed + group_weights(p, g.first);
  slot_place places[2] = {{bias + column, s->gates + column, border - column},
                          {bias + border + later, s->gates + border + later, h - later}};
  if (x) {
    products[count - 1](places, firsts, x, plan->streamed.input, b);
    b += count * plan->streamed.input * WIDTH;
  }
  places[0].start = places[0].out;
  if (has_separate_candidate(l)) {
    places[1] = (slot_place){p->packed + plan->streamed.candidate_bias + later, s->saved + later, h - later};
  }
  if (g.early > g.first) products[g.early - g.first - 1](places, firsts, s->previous_hidden, l->state, b);
}

// A group of the late candidate's product.
static void advance_late_group(const pass *p, const step_rows *s, ptrdiff_t group) {
  const unroll_plan *plan = p->plan;
  const slot_group g = late_group_at(p->plan, group);
  const ptrdiff_t column = (g.first - plan->streamed.together) * plan->streamed.slot, count = g.next - g.first;
  real *out = s->gates + together_columns(p->layer) + column;
  const slot_place place = {out, out, p->layer->units - column};
  slots_products[p->plan->bf16][count - 1](&place, count, s->saved, p->layer->state,
                                           p->packed + late_weights(p, g.first));
}

static void streamed_products(const pass *p, const step_rows *s, const real *x, int reads_backward) {
  const unroll_plan *plan = p->plan;
  for (ptrdiff_t i = 0; i < plan->streamed.groups; ++i) {
    advance_group(p, s, x, reads_backward ? plan->streamed.groups - 1 - i : i);
  }
}

static void late_streamed_products(const pass *p, const step_rows *s, int reads_backward) {
  const unroll_plan *plan = p->plan;
  for (ptrdiff_t i = 0; i < plan->streamed.late_groups; ++i) {
    advance_late_group(p, s, reads_backward ? plan->streamed.late_groups - 1 - i : i);
  }
}

#endif
