// Runs every kind of pass that Unroll's kernels know on fixed numbers and writes all results, so that they can be
// compared with another machine's (`./run arm64`, other_machine.py) and be run under sanitizers (`./run sanitize`). In
// float, or in double with -DIN_DOUBLE:
//
//   other_machine NUMBERS      # writes doubles to NUMBERS, and a line "name count" for each array to the output
//
// Every pass runs on one thread and on three. The program stops if their bits differ, or if a result is not a number:
// memory that a pass must not read before it has written it holds NaN.

#define _POSIX_C_SOURCE 200809L  // posix_memalign

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unroll_arrays.h"
#include "unroll_dense.h"
#include "unroll_layer.h"
#include "unroll_machine.h"

#ifdef IN_DOUBLE
typedef double real;
enum { TYPE = UNROLL_F64 };
#else
typedef float real;
enum { TYPE = UNROLL_F32 };
#endif

enum { MOST = 1 << 22 };

/// The arrays that a pass returned, one after the other.
typedef struct {
  double numbers[MOST];
  ptrdiff_t count;
  char names[1 << 16];
} results;

static results one, three;
static FILE *file;
static uint64_t state;

static double next(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (double)(state >> 11) / (double)((uint64_t)1 << 53);
}

// Everything that a pass needs is freed when the next one begins.
static void *kept[4096];
static int kept_count;

// Exactly this many bytes, so that a sanitizer reports each one beyond them. All bits are set: NaN in float and in
// double.
static void *take(ptrdiff_t bytes) {
  void *memory;
  if (kept_count == sizeof kept / sizeof *kept || posix_memalign(&memory, 64, (size_t)bytes) != 0) {
    fprintf(stderr, "other_machine: no memory for %td bytes\n", bytes);
    exit(1);
  }
  memset(memory, 0xff, (size_t)bytes);
  return kept[kept_count++] = memory;
}

static void free_all(void) {
  while (kept_count > 0) free(kept[--kept_count]);
}

/// Numbers that a pass writes before it reads them.
static real *unset(ptrdiff_t count) { return take(count * (ptrdiff_t)sizeof(real)); }

/// A state of a stream: zeros, and the padding that may be written.
static real *zero_state(ptrdiff_t count) {
  real *memory = unset(count + UNROLL_STREAM_PADDING);
  for (ptrdiff_t i = 0; i < count; ++i) memory[i] = 0;
  return memory;
}

/// Numbers within `reach` of `centre`.
static real *numbers(ptrdiff_t count, double reach, double centre) {
  real *memory = unset(count);
  for (ptrdiff_t i = 0; i < count; ++i) memory[i] = (real)(centre + reach * (2 * next() - 1));
  return memory;
}

static void add(results *all, const char *name, const real *values, ptrdiff_t count) {
  if (count == 0) return;
  if (all->count + count > MOST) {
    fprintf(stderr, "other_machine: too many numbers\n");
    exit(1);
  }
  for (ptrdiff_t i = 0; i < count; ++i) {
    if (isnan(values[i])) {
      fprintf(stderr, "other_machine: %s: number %td of %td is not a number\n", name, i, count);
      exit(1);
    }
    all->numbers[all->count++] = (double)values[i];
  }
  const size_t used = strlen(all->names);
  snprintf(all->names + used, sizeof all->names - used, "%s %td\n", name, count);
}

/// A layer's switches.
typedef struct {
  const char *name;
  int cell, functions, has_second_bias, has_peepholes, projects, normalizes, has_zoneout;
} kind;

static const kind kinds[] = {
    {"rnn", UNROLL_RNN, 0, 0, 0, 0, 0, 0},
    {"rnn relu", UNROLL_RNN, 1, 0, 0, 0, 0, 0},
    {"gru", UNROLL_GRU_BEFORE, 0, 0, 0, 0, 0, 0},
    {"gru-after", UNROLL_GRU_AFTER, 0, 1, 0, 0, 0, 0},
    {"lstm", UNROLL_LSTM, 0, 0, 0, 0, 0, 0},
    {"lstm peepholes", UNROLL_LSTM, 0, 0, 1, 0, 0, 0},
    {"lstm projected", UNROLL_LSTM, 0, 0, 0, 1, 0, 0},
    {"lstm other functions", UNROLL_LSTM, 2, 0, 0, 0, 0, 0},
    {"lstm clipped, coupled", UNROLL_LSTM, 3, 0, 1, 1, 0, 0},
    {"mgu", UNROLL_MGU, 0, 0, 0, 0, 0, 0},
    {"janet", UNROLL_JANET, 0, 0, 0, 0, 0, 0},
    {"gru-after normalised", UNROLL_GRU_AFTER, 0, 1, 0, 0, 1, 0},
    {"lstm normalised", UNROLL_LSTM, 0, 0, 0, 0, 1, 0},
    {"lstm zoneout", UNROLL_LSTM, 0, 0, 0, 0, 0, 1},
};

static unroll_layer layer_of(kind k, ptrdiff_t d, ptrdiff_t h, ptrdiff_t t, ptrdiff_t b) {
  unroll_layer l;
  memset(&l, 0, sizeof l);
  l.type = TYPE;
  l.cell = k.cell;
  l.has_second_bias = k.has_second_bias;
  l.has_peepholes = k.has_peepholes;
  l.has_projection = k.projects;
  l.is_normalized = k.normalizes;
  l.gate.kind = UNROLL_SIGMOID;
  l.candidate.kind = k.functions == 1 ? UNROLL_RELU : UNROLL_TANH;
  l.output.kind = UNROLL_TANH;
  if (k.functions == 2) {
    l.gate = (unroll_activation){.kind = UNROLL_HARD_SIGMOID, .alpha = 0.2, .beta = 0.5};
    l.candidate.kind = UNROLL_SOFTSIGN;
    l.output.kind = UNROLL_IDENTITY;
  }
  if (k.functions == 3) {  // what the plain path alone has
    l.candidate = (unroll_activation){.kind = UNROLL_LEAKY_RELU, .alpha = 0.2, .clip = 0.9};
    l.couples_gates = 1;
    l.cell_clip = 0.5;
    l.projection_clip = 0.2;
  }
  l.shift = k.cell == UNROLL_LSTM || k.cell == UNROLL_JANET ? 0.5 : 0;
  l.steps = t;
  l.batch = b;
  l.input = d;
  l.units = h;
  l.state = k.projects ? (h + 1) / 2 : h;
  if (k.has_zoneout) {
    l.zoneout.is_active = 1;
    l.zoneout.draws = 1;
    l.zoneout.hidden = (unroll_dropout){.rate = 0.2, .seed = 5, .step = 3, .stream = 1};
    l.zoneout.cell = (unroll_dropout){.rate = 0.3, .seed = 5, .step = 3, .stream = 2};
  }
  return l;
}

/// The count of each of a layer's arrays, in the order of unroll_weights; 0 for those that it does not have.
enum { ARRAYS = 10 };
static const char *const array_names[ARRAYS] = {"W", "U", "b", "c", "p", "Q", "gx", "gh", "gc", "oc"};
static void counts_of(const unroll_layer *l, ptrdiff_t counts[ARRAYS]) {
  const unroll_cell cell = unroll_cell_of(l->cell);
  const ptrdiff_t h = l->units, width = cell.gates * h, normal = l->is_normalized ? 1 : 0;
  const ptrdiff_t all[ARRAYS] = {l->input * width, l->state * width, width, l->has_second_bias ? width : 0,
                                 l->has_peepholes ? 3 * h : 0, l->has_projection ? h * l->state : 0, normal * width,
                                 normal * width, normal * cell.has_cell * h, normal * cell.has_cell * h};
  memcpy(counts, all, sizeof all);
}

static unroll_weights weights_of(const unroll_layer *l) {
  const double reach = 1.5 / sqrt((double)(l->units + l->input + 1));
  const double reaches[ARRAYS] = {reach, reach, 0.5, 0.5, 0.5, reach, 0.3, 0.3, 0.3, 0.3};
  const double centres[ARRAYS] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 0};
  ptrdiff_t counts[ARRAYS];
  counts_of(l, counts);
  void *arrays[ARRAYS];
  for (int i = 0; i < ARRAYS; ++i) arrays[i] = numbers(counts[i], reaches[i], centres[i]);
  unroll_weights weights;
  memcpy(&weights, arrays, sizeof weights);
  return weights;
}

// `is_whole`: with a gradient of the outputs, and back to the inputs.
static void run_backward(results *all, const unroll_plan *plan, const unroll_weights *weights, unroll_sequence q,
                         int is_whole) {
  const unroll_layer *l = &plan->layer;
  const ptrdiff_t pairs = l->steps * l->batch, outputs = pairs * l->state, inputs = pairs * l->input;
  const ptrdiff_t hidden = l->batch * l->state, cell = unroll_cell_of(l->cell).has_cell * l->batch * l->units;
  unroll_gradients g = {.has_output = is_whole, .wants_inputs = is_whole, .hidden = numbers(hidden, 1, 0),
                        .cell = numbers(cell, 1, 0)};
  if (is_whole) {
    g.output = numbers(outputs, 1, 0);
    g.inputs = unset(inputs);
  }
  ptrdiff_t counts[ARRAYS];
  counts_of(l, counts);
  void *arrays[ARRAYS];
  for (int i = 0; i < ARRAYS; ++i) arrays[i] = unset(counts[i]);
  memcpy(&g.weights, arrays, sizeof g.weights);
  q.scratch = unset(plan->backward_scratch_count);
  unroll_backward(plan, weights, &q, &g);
  if (is_whole) add(all, "d inputs", g.inputs, inputs);
  add(all, "d hidden", g.hidden, hidden);
  add(all, "d cell", g.cell, cell);
  for (int i = 0; i < ARRAYS; ++i) add(all, array_names[i], arrays[i], counts[i]);
}

static void run_layer(results *all, kind k, ptrdiff_t d, ptrdiff_t h, ptrdiff_t t, ptrdiff_t b, int masked) {
  unroll_layer l = layer_of(k, d, h, t, b);
  l.is_masked = masked;
  l.reversed = masked;
  const unroll_cell cell = unroll_cell_of(l.cell);
  const ptrdiff_t pairs = t * b, state = l.state, cells = cell.has_cell * b * h, width = cell.gates * h;
  const unroll_weights weights = weights_of(&l);
  unroll_plan plan = unroll_plan_make(&l, UNROLL_TRAIN, unroll_thread_count(), unroll_isa(), 0);
  unroll_sequence q = {.inputs = numbers(pairs * d, 1, 0), .initial_hidden = numbers(b * state, 1, 0),
                       .initial_cell = numbers(cells, 1, 0), .hidden = unset(pairs * state),
                       .final_cell = unset(cells), .trace = unset(plan.trace_count),
                       .scratch = unset(plan.scratch_count)};
  if (masked) {
    uint8_t *active = take(pairs);
    for (ptrdiff_t i = 0; i < pairs; ++i) active[i] = i / b < i % b % (t + 1);
    q.active = active;
  }
  void *packed = unset(plan.packed_count);
  unroll_pack(&plan, &weights, packed);
  unroll_forward(&plan, &weights, packed, &q);
  add(all, "hidden", q.hidden, pairs * state);
  add(all, "final cell", q.final_cell, cells);
  real *gates = unset(pairs * width);
  unroll_trace_read(&plan, q.trace, UNROLL_TRACE_GATES, 0, width, 0, t, gates);
  add(all, "gates", gates, pairs * width);
  run_backward(all, &plan, &weights, q, 1);
  run_backward(all, &plan, &weights, q, 0);

  plan = unroll_plan_make(&l, UNROLL_INFER, unroll_thread_count(), unroll_isa(), 0);
  q.hidden = unset(pairs * state);
  q.trace = 0;
  q.scratch = unset(plan.scratch_count);
  packed = unset(plan.packed_count);
  unroll_pack(&plan, &weights, packed);
  unroll_forward(&plan, &weights, packed, &q);
  add(all, "inferred hidden", q.hidden, pairs * state);
  add(all, "inferred cell", q.final_cell, cells);
}

/// A stack of two layers, advanced step by step.
static void run_stream(results *all, kind k, ptrdiff_t d, ptrdiff_t h, ptrdiff_t b, int bf16) {
  if (bf16 && (k.normalizes || k.has_zoneout || TYPE == UNROLL_F64)) return;
  k.has_zoneout = 0;  // masks are for training
  unroll_layer layers[2];
  unroll_plan plans[2];
  unroll_weights weights[2];
  unroll_stream streams[2];
  for (int i = 0; i < 2; ++i) {
    layers[i] = layer_of(k, i == 0 ? d : layers[0].state, h, 1, b);
    weights[i] = weights_of(&layers[i]);
    const ptrdiff_t cells = unroll_cell_of(layers[i].cell).has_cell * b * h;
    plans[i] = unroll_plan_make(&layers[i], UNROLL_STREAM, 1, unroll_isa(), bf16 ? UNROLL_BF16_NEAREST : 0);
    void *packed = unset(plans[i].packed_count);
    unroll_pack(&plans[i], &weights[i], packed);
    streams[i] = (unroll_stream){.plan = &plans[i], .weights = &weights[i], .packed = packed,
                                 .hidden = zero_state(b * layers[i].state),
                                 .cell = zero_state(cells), .scratch = unset(plans[i].scratch_count)};
  }
  for (int step = 0; step < 5; ++step) {
    streams[0].inputs = numbers(b * d, 1, 0);
    unroll_stream_step(streams, 2);
    add(all, bf16 ? "bf16 stream" : "stream", streams[1].hidden, b * layers[1].state);
  }
}

static void run_dense(results *all, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n, int transposed) {
  const int threads = unroll_thread_count();
  unroll_dense dense = {.type = TYPE, .threads = threads, .m = m, .k = k, .n = n, .is_transposed = transposed};
  dense.a = numbers(m * k, 1, 0);
  dense.weights = numbers(k * n, 0.3, 0);
  dense.bias = numbers(n, 0.3, 0);
  dense.scratch = unset(unroll_dense_scratch_count(&dense));
  real *out = unset(m * n);
  unroll_dense_forward(&dense, out);
  add(all, "dense", out, m * n);
  int32_t *targets = take(m * (ptrdiff_t)sizeof(int32_t));
  for (ptrdiff_t i = 0; i < m; ++i) targets[i] = i % 7 == 3 ? -1 : (int32_t)(i * 31 % n);
  double *losses = take(m * (ptrdiff_t)sizeof(double));
  const unroll_softmax softmax = {.type = TYPE, .threads = threads, .rows = m, .classes = n, .logits = out,
                                  .targets = targets, .losses = losses, .scale = 0.5};
  unroll_apply_softmax(&softmax);
  add(all, "gradient of the logits", out, m * n);
  double loss = 0;
  for (ptrdiff_t i = 0; i < m; ++i) loss += losses[i];
  const real total = (real)loss;
  add(all, "loss", &total, 1);
  unroll_dense_gradients g = {.out = out, .input = unset(m * k), .weights = unset(k * n), .bias = unset(n)};
  unroll_dense_backward(&dense, &g);
  g.adds = 1;
  unroll_dense_backward(&dense, &g);
  add(all, "d a", g.input, m * k);
  add(all, "d weights", g.weights, k * n);
  add(all, "d bias", g.bias, n);
  const real squares = (real)unroll_sum_of_squares(TYPE, threads, g.weights, k * n);
  add(all, "sum of squares", &squares, 1);
  for (int rule = UNROLL_SGD; rule <= UNROLL_ADAM; ++rule) {
    unroll_update update = {.type = TYPE, .threads = threads, .kind = rule, .rate = 0.1, .momentum = 0.9, .beta1 = 0.9,
                            .beta2 = 0.99, .epsilon = 1e-6, .weight_decay = 0.01, .gradient_scale = 0.7, .step = 2};
    real *p = numbers(k * n, 1, 0), *first = numbers(k * n, 0.1, 0), *second = numbers(k * n, 0.1, 0.2);
    unroll_update_parameters(&update, p, g.weights, first, second, k * n);
    add(all, "updated", p, k * n);
  }
  unroll_dropout dropout = {.rate = 0.3, .seed = 9, .step = 4, .stream = 2};
  unroll_drop(TYPE, threads, out, m * n, &dropout);
  add(all, "dropped", out, m * n);
}

static void run_functions(results *all) {
  enum { COUNT = 20000 };
  real *x = unset(COUNT), *y = unset(COUNT);
  for (int i = 0; i < COUNT; ++i) x[i] = (real)ldexp(2 * next() - 1, i % 37 - 30);
  x[0] = 0, x[1] = (real)-0.0, x[2] = (real)INFINITY, x[3] = (real)-INFINITY;
  const char *const names[] = {"tanh", "sigmoid", "exp"};
  const int functions[] = {UNROLL_VECTOR_TANH, UNROLL_VECTOR_SIGMOID, UNROLL_VECTOR_EXP};
  for (int f = 0; f < 3; ++f) {
    unroll_vector_function(TYPE, y, x, COUNT, functions[f]);
    // exp of more than 88 overflows in float32, where a difference says nothing.
    for (int i = 0; i < COUNT; ++i) y[i] = fabs((double)y[i]) >= 1e30 ? 0 : y[i];
    add(all, names[f], y, COUNT);
  }
}

/// Runs `body` on one thread and on three, from the same numbers.
#define BOTH(title, ...)                                                                           \
  do {                                                                                             \
    results *const both[2] = {&one, &three};                                                       \
    for (int i = 0; i < 2; ++i) {                                                                  \
      results *all = both[i];                                                                      \
      all->count = 0;                                                                              \
      all->names[0] = 0;                                                                           \
      state = 20261127;                                                                            \
      unroll_force_thread_count(1 + 2 * i);                                                        \
      __VA_ARGS__;                                                                                 \
      free_all();                                                                                  \
    }                                                                                              \
    if (one.count != three.count ||                                                                \
        memcmp(one.numbers, three.numbers, (size_t)one.count * sizeof(double)) != 0) {             \
      fprintf(stderr, "other_machine: %s: three threads give other bits than one\n", title);       \
      exit(1);                                                                                     \
    }                                                                                              \
    printf("# %s\n%s", title, one.names);                                                          \
    fwrite(one.numbers, sizeof(double), (size_t)one.count, file);                                  \
  } while (0)

int main(int count, char **arguments) {
  if (count != 2 || !(file = fopen(arguments[1], "wb"))) {
    fprintf(stderr, "usage: other_machine NUMBERS\n");
    return 1;
  }
  fprintf(stderr, "instruction set %s\n", unroll_isa_name(unroll_isa()));
  // D, H, T, B: on both sides of every width and tile, one sequence, and weights that threads share by columns.
  static const int sizes[][4] = {{3, 4, 5, 7},   {5, 8, 6, 37},  {1, 1, 3, 1},   {2, 15, 4, 20},
                                 {17, 16, 3, 5}, {9, 33, 4, 13}, {70, 67, 3, 2}, {103, 130, 3, 150},
                                 {7, 430, 4, 3}};
  char title[128];
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; ++k) {
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
      const int *n = sizes[s];
      for (int masked = 0; masked < 2; ++masked) {
        snprintf(title, sizeof title, "%s D %d H %d T %d B %d%s", kinds[k].name, n[0], n[1], n[2], n[3],
                 masked ? " masked, backward" : "");
        BOTH(title, run_layer(all, kinds[k], n[0], n[1], n[2], n[3], masked));
      }
      for (int batch = 1; batch < 20; batch *= 3) {
        for (int bf16 = 0; bf16 < 2; ++bf16) {
          snprintf(title, sizeof title, "%s D %d H %d stream of %d", kinds[k].name, n[0], n[1], batch);
          BOTH(title, run_stream(all, kinds[k], n[0], n[1], batch, bf16));
        }
      }
    }
  }
  static const int shapes[][3] = {{5, 9, 33}, {70, 65, 131}, {250, 40, 300}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; ++s) {
    for (int transposed = 0; transposed < 2; ++transposed) {
      const int *n = shapes[s];
      snprintf(title, sizeof title, "dense %d x %d x %d%s", n[0], n[1], n[2],
               transposed ? " transposed" : "");
      BOTH(title, run_dense(all, n[0], n[1], n[2], transposed));
    }
  }
  BOTH("functions", run_functions(all));
  return fclose(file) != 0;
}
