// Runs every kind of pass that Unroll's kernels know on fixed numbers and writes all that they return, so that
// another machine's results can be laid beside this one's (`./run arm64`, other_machine.py). In float, or in double
// with -DIN_DOUBLE:
//
//   other_machine NUMBERS      # writes doubles to NUMBERS, and a line "name count" for each array to the output
//
// Every pass runs on one thread and on three, and stops the program if their bits differ.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unroll_arrays.h"
#include "unroll_dense.h"
#include "unroll_kernels.h"
#include "unroll_layer.h"
#include "unroll_machine.h"

#ifdef IN_DOUBLE
#define REAL double
#define IS_DOUBLE 1
#define NAME(name) unroll_##name##_f64
#else
#define REAL float
#define IS_DOUBLE 0
#define NAME(name) unroll_##name##_f32
#endif

enum { MOST = 1 << 22 };

/// What a pass returned: its arrays, one behind the other.
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

// Everything that a pass takes or needs is freed when the next one begins.
static void *kept[4096];
static int kept_count;

static void *room(ptrdiff_t bytes) {
  const size_t size = ((size_t)bytes + 4096 + 63) / 64 * 64;
  void *memory = aligned_alloc(64, size);
  memset(memory, 0, size);
  return kept[kept_count++] = memory;
}

static void free_all(void) {
  while (kept_count > 0) free(kept[--kept_count]);
}

static REAL *zeros(ptrdiff_t count) { return room(count * (ptrdiff_t)sizeof(REAL)); }

/// Numbers within `reach` of `centre`.
static REAL *numbers(ptrdiff_t count, double reach, double centre) {
  REAL *memory = zeros(count);
  for (ptrdiff_t i = 0; i < count; ++i) memory[i] = (REAL)(centre + reach * (2 * next() - 1));
  return memory;
}

static void add(results *all, const char *name, const REAL *values, ptrdiff_t count) {
  if (!values) return;
  if (all->count + count > MOST) {
    fprintf(stderr, "other_machine: too many numbers\n");
    exit(1);
  }
  for (ptrdiff_t i = 0; i < count; ++i) all->numbers[all->count++] = (double)values[i];
  const size_t used = strlen(all->names);
  snprintf(all->names + used, sizeof all->names - used, "%s %td\n", name, count);
}

/// What a layer is, for every kind of pass.
typedef struct {
  const char *name;
  int cell, gates, relu, has_peepholes, normalizes, zones;
} kind;

static const kind kinds[] = {
    {"rnn", UNROLL_RNN, 1, 0, 0, 0, 0},        {"relu", UNROLL_RNN, 1, 1, 0, 0, 0},
    {"gru", UNROLL_GRU_BEFORE, 3, 0, 0, 0, 0}, {"gru-after", UNROLL_GRU_AFTER, 3, 0, 0, 0, 0},
    {"lstm", UNROLL_LSTM, 4, 0, 0, 0, 0},      {"peepholes", UNROLL_LSTM, 4, 0, 1, 0, 0},
    {"gru-after normalised", UNROLL_GRU_AFTER, 3, 0, 0, 1, 0},
    {"lstm normalised", UNROLL_LSTM, 4, 0, 0, 1, 0},
    {"lstm zoneout", UNROLL_LSTM, 4, 0, 0, 0, 1},
};

static unroll_layer weights_of(kind k, ptrdiff_t d, ptrdiff_t h) {
  const ptrdiff_t width = k.gates * h;
  const double reach = 1.5 / sqrt((double)(h + d + 1));
  unroll_layer l;
  memset(&l, 0, sizeof l);
  l.cell = k.cell;
  l.relu = k.relu;
  l.input = d;
  l.hidden = h;
  l.forget_offset = k.cell == UNROLL_LSTM ? 0.5 : 0;
  l.input_weights = numbers(d * width, reach, 0);
  l.recurrent_weights = numbers(h * width, reach, 0);
  l.bias = numbers(width, 0.5, 0);
  if (k.cell == UNROLL_GRU_AFTER) l.candidate_bias = numbers(h, 0.5, 0);
  if (k.has_peepholes) l.peepholes = numbers(3 * h, 0.5, 0);
  l.normalizes = k.normalizes;
  if (k.normalizes) {
    l.normal.input_gain = numbers(width, 0.3, 1);
    l.normal.recurrent_gain = numbers(width, 0.3, 1);
    if (k.cell == UNROLL_LSTM) {
      l.normal.cell_gain = numbers(h, 0.3, 1);
      l.normal.cell_offset = numbers(h, 0.3, 0);
    }
  }
  l.zones = k.zones;
  if (k.zones) {
    l.zoneout.draws = 1;
    l.zoneout.hidden = (unroll_dropout){.rate = 0.2, .seed = 5, .step = 3, .stream = 1};
    l.zoneout.cell = (unroll_dropout){.rate = 0.3, .seed = 5, .step = 3, .stream = 2};
  }
  return l;
}

static void run_layer(results *all, kind k, ptrdiff_t d, ptrdiff_t h, ptrdiff_t t, ptrdiff_t b,
                      int masked) {
  const ptrdiff_t pairs = t * b, width = k.gates * h;
  unroll_layer l = weights_of(k, d, h);
  l.steps = t;
  l.batch = b;
  l.reversed = masked;
  l.inputs = numbers(pairs * d, 1, 0);
  l.initial_hidden = numbers(b * h, 1, 0);
  l.initial_cell = numbers(b * h, 1, 0);
  if (masked) {
    uint8_t *active = room(pairs);
    for (ptrdiff_t i = 0; i < pairs; ++i) active[i] = i / b < i % b % (t + 1);
    l.active = active;
  }
  l.gates = zeros(pairs * width);
  l.auxiliary = zeros(pairs * h);
  l.cell_states = zeros(pairs * h);
  l.hidden_states = zeros(pairs * h);
  l.final_cell = zeros(b * h);
  if (k.normalizes) {
    l.normal.input = zeros(pairs * width);
    l.normal.product = zeros(pairs * width);
    l.normal.spreads = zeros(pairs * 5);
    l.normal.cell = zeros(pairs * h);
  }
  l.packed = zeros(unroll_packed_count(&l, IS_DOUBLE));
  l.scratch = zeros(unroll_forward_scratch_count(&l, IS_DOUBLE));
  NAME(layer_forward)(&l);
  add(all, "hidden", l.hidden_states, pairs * h);
  if (k.cell == UNROLL_LSTM) add(all, "cell", l.cell_states, pairs * h);

  unroll_layer_gradients g;
  memset(&g, 0, sizeof g);
  g.output_gradient = numbers(pairs * h, 1, 0);
  g.hidden_gradient = numbers(b * h, 1, 0);
  g.cell_gradient = k.cell == UNROLL_LSTM ? numbers(b * h, 1, 0) : 0;
  g.gate_gradients = zeros(pairs * width);
  if (k.cell == UNROLL_GRU_AFTER) g.product_gradients = zeros(pairs * h), g.candidate_bias = zeros(h);
  g.input_weights = zeros(d * width);
  g.recurrent_weights = zeros(h * width);
  g.bias = zeros(width);
  if (k.has_peepholes) g.peepholes = zeros(3 * h);
  g.inputs = zeros(pairs * d);
  if (k.normalizes) {
    g.input_products = zeros(pairs * width);
    g.recurrent_products = zeros(pairs * width);
    g.input_gain = zeros(width);
    g.recurrent_gain = zeros(width);
    if (k.cell == UNROLL_LSTM) {
      g.shown_gradients = zeros(pairs * h);
      g.cell_gain = zeros(h);
      g.cell_offset = zeros(h);
    }
  }
  g.packed = zeros(unroll_packed_count(&l, IS_DOUBLE));
  g.scratch = zeros(unroll_backward_scratch_count(&l, IS_DOUBLE));
  NAME(layer_backward)(&l, &g);
  add(all, "d inputs", g.inputs, pairs * d);
  add(all, "d hidden", g.hidden_gradient, b * h);
  add(all, "d cell", g.cell_gradient, b * h);
  add(all, "d input weights", g.input_weights, d * width);
  add(all, "d recurrent weights", g.recurrent_weights, h * width);
  add(all, "d bias", g.bias, width);
  add(all, "d candidate bias", g.candidate_bias, h);
  add(all, "d peepholes", g.peepholes, 3 * h);
  add(all, "d input gain", g.input_gain, width);
  add(all, "d recurrent gain", g.recurrent_gain, width);
  add(all, "d cell gain", g.cell_gain, h);
  add(all, "d cell offset", g.cell_offset, h);

  if (masked) return;
  // Inference: no tape, weights packed beforehand.
  memset(&l.normal.input, 0, sizeof l.normal - offsetof(unroll_normalization, input));
  l.gates = l.auxiliary = l.cell_states = 0;
  l.packed = zeros(unroll_packed_count(&l, IS_DOUBLE));
  NAME(layer_pack)(&l);
  l.is_packed = 1;
  l.hidden_states = zeros(pairs * h);
  l.scratch = zeros(unroll_forward_scratch_count(&l, IS_DOUBLE));
  NAME(layer_forward)(&l);
  add(all, "inferred hidden", l.hidden_states, pairs * h);
  if (k.cell == UNROLL_LSTM) add(all, "inferred cell", l.final_cell, b * h);
}

/// A stack of two layers, advanced step by step.
static void run_stream(results *all, kind k, ptrdiff_t d, ptrdiff_t h, ptrdiff_t b, int halves) {
  if (k.normalizes || k.zones || (halves && IS_DOUBLE)) return;
  unroll_layer layers[2] = {weights_of(k, d, h), weights_of(k, h, h)};
  for (int i = 0; i < 2; ++i) {
    unroll_layer *l = &layers[i];
    l->batch = b;
    l->half_weights = halves ? UNROLL_NEAREST_HALVES : 0;
    l->packed = zeros(unroll_stream_packed_count(l, IS_DOUBLE));
    NAME(stream_pack)(l);
    l->is_packed = 1;
    l->hidden_states = zeros(b * h + UNROLL_STREAM_PADDING);
    l->final_cell = zeros(b * h + UNROLL_STREAM_PADDING);
    l->gates = zeros(b * k.gates * h + UNROLL_STREAM_PADDING);
    l->auxiliary = zeros(b * h + UNROLL_STREAM_PADDING);
    l->scratch = zeros(b * (k.gates * h + 3 * h) + UNROLL_STREAM_PADDING);
  }
  layers[1].inputs = layers[0].hidden_states;
  for (int step = 0; step < 5; ++step) {
    layers[0].inputs = numbers(b * d, 1, 0);
    NAME(stack_step)(layers, 2);
    add(all, halves ? "stream of halves" : "stream", layers[1].hidden_states, b * h);
  }
}

static void run_dense(results *all, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n, int transposed) {
  unroll_dense dense = {.m = m, .k = k, .n = n, .is_transposed = transposed};
  dense.a = numbers(m * k, 1, 0);
  dense.weights = numbers(k * n, 0.3, 0);
  dense.bias = numbers(n, 0.3, 0);
  dense.scratch = zeros(unroll_dense_scratch_count(&dense, IS_DOUBLE));
  REAL *out = zeros(m * n), *da = zeros(m * k), *dw = zeros(k * n), *db = zeros(n);
  NAME(dense_forward)(&dense, out);
  add(all, "dense", out, m * n);
  int32_t *targets = room(m * (ptrdiff_t)sizeof(int32_t));
  for (ptrdiff_t i = 0; i < m; ++i) targets[i] = i % 7 == 3 ? -1 : (int32_t)(i * 31 % n);
  double *losses = room(m * (ptrdiff_t)sizeof(double));
  NAME(softmax_cross_entropy)(out, losses, targets, m, n, (REAL)0.5);
  add(all, "gradient of the logits", out, m * n);
  double loss = 0;
  for (ptrdiff_t i = 0; i < m; ++i) loss += losses[i];
  const REAL total = (REAL)loss;
  add(all, "loss", &total, 1);
  NAME(dense_backward)(&dense, out, da, dw, db, 0);
  NAME(dense_backward)(&dense, out, da, dw, db, 1);
  add(all, "d a", da, m * k);
  add(all, "d weights", dw, k * n);
  add(all, "d bias", db, n);
  const REAL squares = (REAL)NAME(sum_of_squares)(dw, k * n);
  add(all, "sum of squares", &squares, 1);
  for (int rule = UNROLL_SGD; rule <= UNROLL_ADAM; ++rule) {
    unroll_update update = {.kind = rule, .rate = 0.1, .momentum = 0.9, .beta1 = 0.9, .beta2 = 0.99,
                            .epsilon = 1e-6, .weight_decay = 0.01, .gradient_scale = 0.7, .step = 2};
    REAL *p = numbers(k * n, 1, 0), *first = numbers(k * n, 0.1, 0), *second = numbers(k * n, 0.1, 0.2);
    NAME(move)(p, dw, first, second, k * n, &update);
    add(all, "moved", p, k * n);
  }
  unroll_dropout dropout = {.rate = 0.3, .seed = 9, .step = 4, .stream = 2};
  NAME(drop)(out, m * n, &dropout);
  add(all, "dropped", out, m * n);
}

static void run_functions(results *all) {
  enum { COUNT = 20000 };
  REAL *x = zeros(COUNT), *y = zeros(COUNT);
  for (int i = 0; i < COUNT; ++i) x[i] = (REAL)ldexp(2 * next() - 1, i % 37 - 30);
  x[0] = 0, x[1] = (REAL)-0.0, x[2] = (REAL)INFINITY, x[3] = (REAL)-INFINITY;
  const char *const names[] = {"tanh", "sigmoid", "exp"};
  const int functions[] = {UNROLL_TANH, UNROLL_SIGMOID, UNROLL_EXP};
  for (int f = 0; f < 3; ++f) {
    NAME(function)(y, x, COUNT, functions[f]);
    // exp of more than 88 overflows in float32, where a difference says nothing.
    for (int i = 0; i < COUNT; ++i) y[i] = fabs((double)y[i]) < 1e30 ? y[i] : 0;
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
  fprintf(stderr, "level %s\n", unroll_level_name(unroll_level()));
  // D, H, T, B: on both sides of every width and tile, and weights that threads share by columns.
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
        for (int halves = 0; halves < 2; ++halves) {
          snprintf(title, sizeof title, "%s D %d H %d stream of %d", kinds[k].name, n[0], n[1], batch);
          BOTH(title, run_stream(all, kinds[k], n[0], n[1], batch, halves));
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
