// One sequence through a layer whose gates do not fit registers, or that tiny.h does not know: what a step
// waits for is its weights, which are read once. They are packed in the order in which they are read, and read forward and backward
// in turns: what a step read last is still in the caches when the next one begins with it. A cache that is
// a little too small for all weights then misses a few of them, not all.
//
// Gates stand in slots: a vector of weights, or the words of two vectors where weights are bfloat16; a
// GRU's candidate has slots of its own. Slots come in groups of SINGLE_VECTORS vectors at most: enough sums
// that none waits for its last addition, and small enough groups that the last one's weights are still near
// when the next step begins with them. Of each group W is packed, then U; a candidate whose reset gate
// stands before the product has its part of U after all groups. The chains are those of product.h, in the
// same order: the bits are the same.

#define SINGLE_VECTORS 8

INLINE int NAME(is_single)(const unroll_layer *l) {
  return l->batch == 1 && !l->normalizes && !l->zones;
}

// Columns of a slot.
INLINE ptrdiff_t NAME(slot)(const unroll_layer *l) { return l->half_weights ? 2 * WIDTH : WIDTH; }

INLINE ptrdiff_t NAME(slots_of)(const unroll_layer *l, ptrdiff_t columns) {
  return l->half_weights ? (columns + 2 * WIDTH - 1) / (2 * WIDTH) : (columns + WIDTH - 1) / WIDTH;
}

INLINE ptrdiff_t NAME(groups_of)(const unroll_layer *l, ptrdiff_t slots) {
  return l->half_weights ? (2 * slots + SINGLE_VECTORS - 1) / SINGLE_VECTORS
                         : (slots + SINGLE_VECTORS - 1) / SINGLE_VECTORS;
}

// Slots of the gates but a GRU's candidate, and of all; groups, and the slots of each but the last, of all
// and of a candidate that is late.
typedef struct {
  ptrdiff_t first, all, groups, group, late_groups, late_group;
} NAME(single_plan);

static NAME(single_plan) NAME(plan_single)(const unroll_layer *l) {
  const ptrdiff_t candidate = NAME(is_gru)(l) ? NAME(slots_of)(l, l->hidden) : 0;
  NAME(single_plan) p = {.first = NAME(slots_of)(l, NAME(first_columns)(l))};
  p.all = p.first + candidate;
  p.groups = NAME(groups_of)(l, p.all);
  p.group = p.groups == 1 ? p.all : (p.all + p.groups - 1) / p.groups;
  if (l->cell == UNROLL_GRU_BEFORE) {
    p.late_groups = NAME(groups_of)(l, candidate);
    p.late_group =
        p.late_groups == 1 ? candidate : (candidate + p.late_groups - 1) / p.late_groups;
  }
  return p;
}

// Slots whose part of U is multiplied with the state before the gates' functions.
INLINE ptrdiff_t NAME(early)(NAME(single_plan) p) { return p.late_groups > 0 ? p.first : p.all; }

INLINE ptrdiff_t NAME(at_most)(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

// Slots of a group begin at `first`, those of the next one at `next`; `early` is where U ends in it.
typedef struct {
  ptrdiff_t first, next, early;
} NAME(single_group);

INLINE NAME(single_group) NAME(group_at)(NAME(single_plan) p, ptrdiff_t group) {
  const ptrdiff_t first = group * p.group, next = NAME(at_most)(first + p.group, p.all);
  const ptrdiff_t early = NAME(at_most)(next, NAME(early)(p));
  return (NAME(single_group)){first, next, early > first ? early : first};
}

INLINE NAME(single_group) NAME(late_group_at)(NAME(single_plan) p, ptrdiff_t group) {
  const ptrdiff_t first = p.first + group * p.late_group;
  const ptrdiff_t next = NAME(at_most)(first + p.late_group, p.all);
  return (NAME(single_group)){first, next, next};
}

static ptrdiff_t NAME(single_count)(const unroll_layer *l) {
  return NAME(plan_single)(l).all * (l->input + l->hidden) * WIDTH;
}

// Where a group's weights stand.
INLINE const REAL *NAME(group_weights)(const unroll_layer *l, NAME(single_plan) p, ptrdiff_t slot) {
  const ptrdiff_t rows = slot * l->input + NAME(at_most)(slot, NAME(early)(p)) * l->hidden;
  return (const REAL *)l->packed + rows * WIDTH;
}

INLINE const REAL *NAME(late_weights)(const unroll_layer *l, NAME(single_plan) p, ptrdiff_t slot) {
  const ptrdiff_t rows = p.all * l->input + slot * l->hidden;
  return (const REAL *)l->packed + rows * WIDTH;
}

// Packs slots `first` to `next` of b[k, G h].
static void NAME(pack_slots)(const unroll_layer *l, NAME(single_plan) plan, const REAL *packed,
                             const REAL *b, ptrdiff_t k, ptrdiff_t first, ptrdiff_t next) {
  const ptrdiff_t width = NAME(gate_count)(l) * l->hidden, border = NAME(first_columns)(l);
  const ptrdiff_t slot = NAME(slot)(l);
  REAL *to = (REAL *)packed;
  for (ptrdiff_t p = 0; p < k; ++p) {
    for (ptrdiff_t s = first; s < next; ++s, to += WIDTH) {
      const ptrdiff_t column = s < plan.first ? s * slot : border + (s - plan.first) * slot;
      const ptrdiff_t end = s < plan.first ? border : width;
      const REAL *from = b + p * width + column;
#if REAL_BITS == 32
      if (l->half_weights) {
        NAME(pack_pair)((uint32_t *)to, from, end - column, l->half_weights);
        continue;
      }
#endif
      NAME(store)(to, NAME(load_part)(from, end - column));
    }
  }
}

static void NAME(single_pack)(const unroll_layer *l) {
  const NAME(single_plan) p = NAME(plan_single)(l);
  const REAL *w = l->input_weights, *u = l->recurrent_weights;
  for (ptrdiff_t i = 0; i < p.groups; ++i) {
    const NAME(single_group) g = NAME(group_at)(p, i);
    const REAL *to = NAME(group_weights)(l, p, g.first);
    NAME(pack_slots)(l, p, to, w, l->input, g.first, g.next);
    to += (g.next - g.first) * l->input * WIDTH;
    NAME(pack_slots)(l, p, to, u, l->hidden, g.first, g.early);
  }
  for (ptrdiff_t i = 0; i < p.late_groups; ++i) {
    const NAME(single_group) g = NAME(late_group_at)(p, i);
    NAME(pack_slots)(l, p, NAME(late_weights)(l, p, g.first), u, l->hidden, g.first, g.next);
  }
}

// Where some of a group's vectors begin (zero if null) and end; both hold `columns` numbers from there on.
typedef struct {
  const REAL *start;
  REAL *out;
  ptrdiff_t columns;
} NAME(single_place);

// Vector v of a group: which place, and how far from there.
#define IN_PLACE(v)                                                   \
  const NAME(single_place) *place = places + ((v) >= border * width); \
  const ptrdiff_t offset = ((v) >= border * width ? (v)-border * width : (v)) * WIDTH;

// out = start + a b of `slots`, the first `border` of them at one place, the others at another.
INLINE void NAME(single_pass)(const NAME(single_place) * places, ptrdiff_t border, const REAL *a,
                              ptrdiff_t k, const REAL *b, const int slots, const int kind) {
  VECTOR sums[SINGLE_VECTORS];
  const int width = kind ? 2 : 1, vectors = slots * width;
  // Mostly all are whole and at one place: to look at each of them would take 3 % of a step.
  const NAME(single_place) *only = places + (border == 0);
  const int is_plain = (border == 0 || border >= slots) && only->columns >= vectors * WIDTH;
  UNROLL_ALL for (int v = 0; v < vectors && is_plain; ++v) {
    sums[v] = only->start ? NAME(load)(only->start + v * WIDTH) : NAME(splat)(0);
  }
  UNROLL_ALL for (int v = 0; v < vectors && !is_plain; ++v) {
    IN_PLACE(v)
    const ptrdiff_t left = place->columns - offset;
    sums[v] = place->start && left > 0 ? NAME(load_part)(place->start + offset, left) : NAME(splat)(0);
  }
  // Where loads are what bounds it, a's numbers are loaded once and handed on in registers (3 to 5 %).
  const int hands_on = slots == SINGLE_VECTORS;
  for (ptrdiff_t first = 0; first < k; first += WIDTH) {
    VECTOR near = NAME(load_part)(a + first, k - first);
    const ptrdiff_t end = k - first < WIDTH ? k : first + WIDTH;
    for (ptrdiff_t p = first; p < end; ++p) {
      const VECTOR factor = hands_on ? (VECTOR)(near[0]) : NAME(splat)(a[p]);
      near = NAME(rotated)(near);
      UNROLL_ALL for (int s = 0; s < slots; ++s) {
#if REAL_BITS == 32
        if (kind) {
          const NAME(words) both = *(const NAME(loose_words) *)(b + s * WIDTH);
          sums[2 * s] = MULTIPLY_ADD(factor, NAME(low_halves)(both), sums[2 * s]);
          sums[2 * s + 1] = MULTIPLY_ADD(factor, NAME(high_halves)(both, kind), sums[2 * s + 1]);
          continue;
        }
#endif
        sums[s] = MULTIPLY_ADD(factor, NAME(load)(b + s * WIDTH), sums[s]);
      }
      b += slots * WIDTH;
    }
  }
  UNROLL_ALL for (int v = 0; v < vectors && is_plain; ++v) NAME(store)(only->out + v * WIDTH, sums[v]);
  UNROLL_ALL for (int v = 0; v < vectors && !is_plain; ++v) {
    IN_PLACE(v)
    const ptrdiff_t left = place->columns - offset;
    if (left > 0) NAME(store_part)(place->out + offset, sums[v], left);
  }
}
#undef IN_PLACE

typedef void (*NAME(single_function))(const NAME(single_place) *, ptrdiff_t, const REAL *, ptrdiff_t,
                                      const REAL *);
#define SINGLE_PASS(SLOTS, KIND)                                                                  \
  static void NAME(single_pass_##SLOTS##_##KIND)(const NAME(single_place) * places,               \
                                                 ptrdiff_t border, const REAL *a, ptrdiff_t k,    \
                                                 const REAL *b) {                                 \
    NAME(single_pass)(places, border, a, k, b, SLOTS, KIND);                                      \
  }
#define SINGLE_PASSES(KIND) \
  SINGLE_PASS(1, KIND) SINGLE_PASS(2, KIND) SINGLE_PASS(3, KIND) SINGLE_PASS(4, KIND)
#define SINGLE_NAMES(KIND)                                                                        \
  NAME(single_pass_1_##KIND), NAME(single_pass_2_##KIND), NAME(single_pass_3_##KIND),             \
      NAME(single_pass_4_##KIND)
SINGLE_PASSES(0)
SINGLE_PASS(5, 0)
SINGLE_PASS(6, 0)
SINGLE_PASS(7, 0)
SINGLE_PASS(8, 0)
#if REAL_BITS == 32
SINGLE_PASSES(1)  // UNROLL_NEAREST_HALVES
SINGLE_PASSES(2)  // UNROLL_EXACT_HALVES
#endif
static const NAME(single_function) NAME(single_passes)[][SINGLE_VECTORS] = {
    {SINGLE_NAMES(0), NAME(single_pass_5_0), NAME(single_pass_6_0), NAME(single_pass_7_0),
     NAME(single_pass_8_0)},
#if REAL_BITS == 32
    {SINGLE_NAMES(1)},
    {SINGLE_NAMES(2)},
#endif
};
#undef SINGLE_PASS
#undef SINGLE_PASSES
#undef SINGLE_NAMES

// A group's products with x and, where U comes with W, with the state.
static void NAME(advance_group)(const unroll_layer *l, NAME(single_plan) p, ptrdiff_t group) {
  const NAME(single_group) g = NAME(group_at)(p, group);
  const NAME(single_function) *passes = NAME(single_passes)[l->half_weights];
  const ptrdiff_t h = l->hidden, border = NAME(first_columns)(l), count = g.next - g.first;
  const ptrdiff_t firsts = g.first < p.first ? NAME(at_most)(g.next, p.first) - g.first : 0;
  const ptrdiff_t column = g.first * NAME(slot)(l);
  const ptrdiff_t later = firsts > 0 ? 0 : (g.first - p.first) * NAME(slot)(l);  // of the candidate
  const REAL *bias = l->bias, *b = NAME(group_weights)(l, p, g.first);
  REAL *gates = l->gates;
  NAME(single_place) places[2] = {
      {bias + column, gates + column, border - column},
      {bias + border + later, gates + border + later, h - later}};
  passes[count - 1](places, firsts, l->inputs, l->input, b);
  b += count * l->input * WIDTH;
  places[0].start = places[0].out;
  if (p.late_groups == 0) {  // the reset gate scales h Un + cn
    places[1] = (NAME(single_place)){AT(const REAL, l->candidate_bias, later),
                                     AT(REAL, l->auxiliary, later), h - later};
  }
  if (g.early > g.first) passes[g.early - g.first - 1](places, firsts, l->hidden_states, h, b);
}

// A group of the candidate's product with r h.
static void NAME(advance_late_group)(const unroll_layer *l, NAME(single_plan) p, ptrdiff_t group) {
  const NAME(single_group) g = NAME(late_group_at)(p, group);
  const ptrdiff_t column = (g.first - p.first) * NAME(slot)(l), count = g.next - g.first;
  REAL *out = (REAL *)l->gates + NAME(first_columns)(l) + column;
  const NAME(single_place) place = {out, out, l->hidden - column};
  NAME(single_passes)[l->half_weights][count - 1](&place, count, l->auxiliary, l->hidden,
                                                  NAME(late_weights)(l, p, g.first));
}

static void NAME(single_step)(unroll_layer *l) {
  const NAME(single_plan) p = NAME(plan_single)(l);
  const int back = l->reads_backward;
  l->reads_backward = !back;
  for (ptrdiff_t i = 0; i < p.groups; ++i) NAME(advance_group)(l, p, back ? p.groups - 1 - i : i);
  NAME(step_rows) s = {.gates = l->gates, .auxiliary = l->auxiliary, .hidden = l->hidden_states,
                       .cell = l->final_cell, .previous_hidden = l->hidden_states,
                       .previous_cell = l->final_cell};
  NAME(activate_step)(l, s, 1);
  for (ptrdiff_t i = 0; i < p.late_groups; ++i) {
    NAME(advance_late_group)(l, p, back ? p.late_groups - 1 - i : i);
  }
  if (p.late_groups > 0) NAME(finish_gru_before)(l, s, 1);
}
