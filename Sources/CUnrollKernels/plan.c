// Plans. A plan says which path a pass takes, how threads share it, how much memory it needs and where arrays are in
// that memory. All of this is decided here: no other file asks for the number of threads or compares sizes.

#include <string.h>

#include "layout.h"
#include "isa/kernels.h"

// Below this many multiply-adds a second thread costs more than it saves.
enum { LEAST_WORK = 60000 };
// Recurrent weights up to this size fit in a core's L2 cache together with the other data of a step.
enum { CACHED_BYTES = 2 << 20 };
// From this number of sequences per thread on, computing takes longer than loading the weights.
enum { MANY_ROWS = 20 };

static ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static ptrdiff_t most(ptrdiff_t a, ptrdiff_t b) { return a < b ? b : a; }

static ptrdiff_t number_size(const unroll_layer *l) { return l->type == UNROLL_F64 ? 8 : 4; }

// The number of threads for a pass that can be divided into `pieces`.
static ptrdiff_t threads_for(const unroll_plan *p, ptrdiff_t pieces) {
  const unroll_layer *l = &p->layer;
  const double work = (double)l->steps * (double)l->batch * (double)gate_width(l) *
                      (double)(l->input + l->state + 20);
  return work < LEAST_WORK ? 1 : most(1, least(pieces, p->threads));
}

static ptrdiff_t panel_columns(const unroll_plan *p) {
  return p->width * unroll_kernels_of(p->isa, p->layer.type)->tile_vectors;
}

// The number of threads that share columns; 1 if sharing rows would use more threads.
static ptrdiff_t column_parts(const unroll_plan *p) {
  const ptrdiff_t parts = threads_for(p, p->layer.units / panel_columns(p));
  return parts >= threads_for(p, (p->layer.batch + 1) / 2) ? parts : 1;
}

// The conditions of the rules below.
static int is_plain_isa(const unroll_plan *p) { return p->isa == UNROLL_PLAIN; }
static int has_slow_function(const unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  return l->gate.kind > UNROLL_LAST_FAST_FUNCTION || l->candidate.kind > UNROLL_LAST_FAST_FUNCTION ||
         l->output.kind > UNROLL_LAST_FAST_FUNCTION;
}
static int has_clip(const unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  return l->gate.clip > 0 || l->candidate.clip > 0 || l->output.clip > 0 || l->cell_clip > 0 ||
         l->projection_clip > 0;
}
static int has_coupled_gates(const unroll_plan *p) { return p->layer.couples_gates; }
static int has_driver_switches(const unroll_layer *l) { return l->is_normalized || l->zoneout.is_active; }
static int has_switches(const unroll_layer *l) {
  return has_driver_switches(l) || l->has_peepholes || l->has_projection || l->is_masked;
}
static int fits_registers(const unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  return l->batch == 1 && l->units <= 2 * p->width && !has_switches(l) && !p->bf16;
}
static int is_one_sequence(const unroll_plan *p) { return p->layer.batch == 1 && !has_driver_switches(&p->layer); }
static int is_narrow(const unroll_plan *p) {
  return p->layer.units < p->width && p->layer.batch >= 3 && !has_switches(&p->layer);
}
static int exceeds_cache(const unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  const ptrdiff_t bytes = l->state * gate_width(l) * number_size(l);
  return bytes > CACHED_BYTES && !has_driver_switches(l) && l->batch < MANY_ROWS * p->threads && column_parts(p) > 1;
}
static int always(const unroll_plan *p) { return p != 0; }

enum { TRAIN = 1 << UNROLL_TRAIN, INFER = 1 << UNROLL_INFER, STREAM = 1 << UNROLL_STREAM, ANY = TRAIN | INFER | STREAM };

// The first rule that holds decides.
static const struct {
  int modes;
  int (*holds)(const unroll_plan *);
  int32_t path;
  const char *reason;
} rules[] = {
    {ANY, is_plain_isa, UNROLL_PATH_PLAIN, "the instruction set is plain"},
    {ANY, has_slow_function, UNROLL_PATH_PLAIN, "a function that no fast path has"},
    {ANY, has_clip, UNROLL_PATH_PLAIN, "a clip, which no fast path has"},
    {ANY, has_coupled_gates, UNROLL_PATH_PLAIN, "coupled gates, which no fast path has"},
    {STREAM | INFER, fits_registers, UNROLL_PATH_REGISTERS, "one sequence, H of two vectors at most, no switches"},
    {INFER, exceeds_cache, UNROLL_PATH_COLUMNS, "U of more than 2 MB and few sequences for each thread"},
    {STREAM | INFER, is_one_sequence, UNROLL_PATH_STREAMED, "one sequence"},
    {TRAIN | INFER, is_narrow, UNROLL_PATH_LANES, "H of less than a vector, three sequences or more, no switches"},
    {TRAIN, exceeds_cache, UNROLL_PATH_COLUMNS, "U of more than 2 MB and few sequences for each thread"},
    {ANY, always, UNROLL_PATH_ROWS, 0},
};

// Why a layer takes the path for everything else: which condition of the faster paths it does not meet.
static const char *reason_for_rows(const unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  if (has_driver_switches(l)) return "layer normalization or zoneout, which no faster path has";
  if (p->mode == UNROLL_STREAM) return "more than one sequence";
  if (l->units < p->width) {
    return has_switches(l) ? "peepholes, a projection or a mask, which lanes does not have"
                           : "H of less than a vector, but fewer than three sequences";
  }
  if (l->state * gate_width(l) * number_size(l) <= CACHED_BYTES) return "H of a vector or more, U of at most 2 MB";
  return l->batch < MANY_ROWS * p->threads ? "U of more than 2 MB, but no gain from sharing its columns"
                                           : "U of more than 2 MB, but many sequences for each thread";
}

const char *unroll_plan_reason(const unroll_plan *plan) {
  const char *reason = rules[plan->rule].reason;
  return reason ? reason : reason_for_rows(plan);
}

const char *unroll_path_name(int32_t path) {
  static const char *const names[] = {"plain", "rows", "columns", "lanes", "streamed weights", "registers"};
  return path >= 0 && path <= UNROLL_PATH_REGISTERS ? names[path] : "";
}

// The number of steps whose products x W are computed together: their gates have at most 192 rows and leave space in an
// L2 cache of 2 MB, but at least 96 rows, since W is read again for each chunk.
static ptrdiff_t chunk_of(const unroll_layer *l, ptrdiff_t rows) {
  enum { CHUNK_ROWS = 192, LEAST_CHUNK_ROWS = 96, CHUNK_BYTES = 3 << 19 };
  const ptrdiff_t fitting = CHUNK_BYTES / ((gate_width(l) + 1) * number_size(l));
  const ptrdiff_t steps = least(CHUNK_ROWS, most(LEAST_CHUNK_ROWS, fitting)) / most(1, rows);
  return most(1, least(steps, l->steps));
}

// Scratch of `rows` sequences on the paths whose vectors hold units. Without a trace it holds the gates of a chunk and the
// states, which a trace would otherwise hold.
static ptrdiff_t rows_scratch(const unroll_plan *p, ptrdiff_t rows) {
  const unroll_layer *l = &p->layer;
  const ptrdiff_t gates = gate_width(l), h = l->units;
  ptrdiff_t count = normalizes_cell(l) ? whole_lines(rows * h) : 0;
  if (p->mode == UNROLL_TRAIN) return count;
  count += whole_lines(rows * p->chunk * gates) + 3 * whole_lines(rows * h);
  if (l->is_normalized) count += whole_lines(rows * gates);
  if (normalizes_cell(l)) count += whole_lines(rows * h);
  if (p->mode == UNROLL_STREAM && l->zoneout.is_active) count += whole_lines(rows * l->state);
  return count + 2 * GROUP_VECTORS * p->width;
}

static ptrdiff_t lanes_scratch(const unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  return p->width * (l->input + gate_width(l) + 4 * l->units);
}

// The weight gradients of a block of sequences: [1 + D + H, G H], the bias first, and the separate candidate's.
static ptrdiff_t lane_sums(const unroll_layer *l) {
  return whole_lines((1 + l->input + l->units) * gate_width(l) + l->units);
}

// The arrays of `lane_scratch` (lanes_backward.h): vectors, then the transposed weights.
static ptrdiff_t lanes_backward_scratch(const unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  const ptrdiff_t h = l->units, gates = gate_width(l);
  const ptrdiff_t steps = LANE_STEPS * (1 + l->input + 3 * h + gates);
  return p->width * (steps + gates + 5 * h + l->input + lane_sums(l)) + gates * (l->input + h + p->width);
}

static ptrdiff_t rows_backward_scratch(const unroll_layer *l, ptrdiff_t rows) {
  ptrdiff_t count = 2 * whole_lines(rows * l->units) + 4 * whole_lines(l->units);
  if (l->zoneout.is_active) count += whole_lines(rows * l->state) + whole_lines(rows * l->units);
  return count;
}

static ptrdiff_t take(ptrdiff_t *total, ptrdiff_t count) {
  const ptrdiff_t at = *total;
  *total += whole_lines(count);
  return at;
}

static void place_trace(unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  const ptrdiff_t pairs = l->steps * l->batch, gates = gate_width(l), h = l->units;
  ptrdiff_t *total = &p->trace_count;
  p->trace.gates = take(total, pairs * gates);
  p->trace.saved = take(total, saves_values(l) ? pairs * h : 0);
  p->trace.cells = take(total, has_cell_state(l) ? pairs * h : 0);
  if (!l->is_normalized) return;
  p->trace.inputs = take(total, pairs * gates);
  p->trace.products = take(total, pairs * gates);
  p->trace.normal_cells = take(total, has_cell_state(l) ? pairs * h : 0);
  p->trace.scales = take(total, pairs * SCALES);
}

static void place_gradients(unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  const ptrdiff_t pairs = l->steps * l->batch, gates = gate_width(l), h = l->units;
  ptrdiff_t *total = &p->backward_scratch_count;
  if (p->path == UNROLL_PATH_LANES) {
    p->backward_part_scratch = whole_lines(lanes_backward_scratch(p));
    p->backward.sums = take(total, (l->batch + p->width - 1) / p->width * lane_sums(l));
    p->backward.parts = take(total, p->parts * p->backward_part_scratch);
    return;
  }
  p->backward.packed = take(total, layout_of_transposed_panels(l, p->width).count);
  p->backward.gates = take(total, pairs * gates);
  p->backward.separate = take(total, has_separate_candidate(l) ? pairs * h : 0);
  p->backward.projected = take(total, l->has_projection ? pairs * l->state : 0);
  p->backward.inputs = take(total, l->is_normalized ? pairs * gates : 0);
  p->backward.products = take(total, l->is_normalized ? pairs * gates : 0);
  p->backward.output_cells = take(total, normalizes_cell(l) ? pairs * h : 0);
  const ptrdiff_t rows = (l->batch + p->parts - 1) / p->parts;
  p->backward_part_scratch = rows_backward_scratch(l, p->path == UNROLL_PATH_COLUMNS ? l->batch : rows);
  const ptrdiff_t widest = most(most(l->input, l->state), h);
  const ptrdiff_t sums =
      whole_lines(unroll_kernels_of(p->isa, l->type)->transposed_scratch(pairs, widest) + h);
  const ptrdiff_t parts = p->path == UNROLL_PATH_COLUMNS ? 1 : p->parts;
  p->backward.parts = take(total, most(parts * p->backward_part_scratch, p->threads * sums));
}

// The number of pieces of a weight gradient [rows, columns]. It is divided by columns if it is wider than tall, else by
// rows: the pieces then copy less (products/transposed.h).
static ptrdiff_t piece_count(const unroll_plan *p, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t threads) {
  const ptrdiff_t panel = panel_columns(p);
  const ptrdiff_t least_rows = 16 * unroll_kernels_of(p->isa, p->layer.type)->tile_rows;  // a piece copies all of b
  return least(threads, columns > rows ? (columns + panel - 1) / panel : (rows + least_rows - 1) / least_rows);
}

static void divide_gradients(unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  const ptrdiff_t together = together_columns(l), gates = gate_width(l), pairs = l->steps * l->batch;
  const ptrdiff_t share = threads_for(p, pairs);
  p->pieces.recurrent = piece_count(p, l->state, together, share);
  p->pieces.candidate = together < gates ? piece_count(p, l->state, gates - together, share) : 0;
  p->pieces.input = piece_count(p, l->input, gates, share);
  p->pieces.rows = most(1, least(share, pairs / 24));
  p->pieces.projection = l->has_projection ? piece_count(p, l->units, l->state, share) : 0;
  p->pieces.sums = l->is_normalized || l->has_peepholes ? GRADIENT_SUMS : 0;
}

static void divide_sequence(unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  p->parts = 1;
  switch (p->path) {
    case UNROLL_PATH_LANES: {
      p->lanes = p->width;
      const ptrdiff_t blocks = (l->batch + p->width - 1) / p->width, rest = l->batch % p->width;
      if (p->mode == UNROLL_INFER && rest <= p->width / 4 && l->batch > p->width) p->leftover = rest;
      p->parts = threads_for(p, blocks);
      p->chunk = chunk_of(l, p->leftover);
      p->part_scratch = whole_lines(most(lanes_scratch(p), p->leftover > 0 ? rows_scratch(p, p->leftover) : 0));
      break;
    }
    case UNROLL_PATH_COLUMNS:
      p->parts = column_parts(p);
      p->chunk = chunk_of(l, l->batch);
      p->part_scratch = rows_scratch(p, l->batch);
      break;
    default: {
      p->parts = p->path == UNROLL_PATH_ROWS ? threads_for(p, (l->batch + 1) / 2) : 1;
      const ptrdiff_t rows = (l->batch + p->parts - 1) / p->parts;
      p->chunk = chunk_of(l, rows);
      p->part_scratch = rows_scratch(p, rows);
    }
  }
  p->scratch_count = (p->path == UNROLL_PATH_COLUMNS ? 1 : p->parts) * p->part_scratch;
}

static ptrdiff_t slots_of(ptrdiff_t columns, ptrdiff_t slot) { return (columns + slot - 1) / slot; }

static ptrdiff_t place_streamed(unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  const ptrdiff_t vectors = p->bf16 ? 2 : 1, largest = GROUP_VECTORS / vectors;
  const ptrdiff_t gates = gate_width(l), together = together_columns(l);
  p->streamed.slot = vectors * p->width;
  p->streamed.input = p->mode == UNROLL_STREAM ? l->input : 0;
  const ptrdiff_t candidate = slots_of(gates - together, p->streamed.slot);
  p->streamed.together = slots_of(together, p->streamed.slot);
  p->streamed.all = p->streamed.together + candidate;
  p->streamed.groups = slots_of(p->streamed.all, largest);
  p->streamed.group = slots_of(p->streamed.all, most(1, p->streamed.groups));
  if (has_late_candidate(l)) {
    p->streamed.late_groups = slots_of(candidate, largest);
    p->streamed.late_group = slots_of(candidate, most(1, p->streamed.late_groups));
  }
  p->streamed.candidate_bias = whole_lines(gates);
  p->streamed.weights = p->streamed.candidate_bias + (has_separate_candidate(l) ? whole_lines(l->units) : 0);
  p->streamed.projection = p->streamed.weights + p->streamed.all * (p->streamed.input + l->state) * p->width;
  const ptrdiff_t projection = l->has_projection ? l->units * whole_vectors(l->state, p->width) : 0;
  p->streamed.panels = whole_lines(p->streamed.projection + projection);
  return p->streamed.panels + (p->mode == UNROLL_STREAM ? 0 : layout_of_panels(l, p->width).recurrent);
}

static ptrdiff_t packed_count(unroll_plan *p) {
  switch (p->path) {
    case UNROLL_PATH_REGISTERS: return layout_of_registers(&p->layer, p->width).count;
    case UNROLL_PATH_STREAMED: return place_streamed(p);
    default:
      return p->bf16 ? layout_of_bf16(&p->layer, p->width).count : layout_of_panels(&p->layer, p->width).count;
  }
}

// The plain path packs nothing and has one scratch (plain/layer.h).
static void plan_plain(unroll_plan *p) {
  const unroll_layer *l = &p->layer;
  const ptrdiff_t rows = l->batch, gates = gate_width(l), pairs = l->steps * rows, widest = most(l->units, l->state);
  p->parts = 1;
  p->packed_count = 1;
  p->scratch_count = rows * (4 * gates + 12 * widest) + 64;
  p->backward_scratch_count = p->scratch_count + 2 * pairs * gates + 2 * pairs * widest + rows * SCALES;
  if (p->mode != UNROLL_STREAM) place_trace(p);
  if (p->mode == UNROLL_INFER) p->trace_count = 0;
}

unroll_plan unroll_plan_make(const unroll_layer *layer, int32_t mode, int32_t threads, int32_t isa, int32_t bf16) {
  unroll_plan p;
  memset(&p, 0, sizeof p);
  p.layer = *layer;
  p.mode = mode;
  p.isa = isa;
  p.threads = threads < 1 ? 1 : threads;
  p.width = unroll_kernels_of(isa, layer->type)->width;
  p.is_usual = layer->gate.kind == UNROLL_SIGMOID && layer->candidate.kind == UNROLL_TANH &&
               layer->output.kind == UNROLL_TANH;
  p.pairs_gates = pairs_gates(layer, p.width);
  p.bf16 = mode == UNROLL_STREAM && layer->type == UNROLL_F32 && !has_driver_switches(layer) ? bf16 : 0;
  while (!(rules[p.rule].modes & 1 << mode) || !rules[p.rule].holds(&p)) p.rule += 1;
  p.path = rules[p.rule].path;
  if (p.path == UNROLL_PATH_PLAIN) {
    p.bf16 = 0;
    plan_plain(&p);
    return p;
  }
  divide_sequence(&p);
  p.packed_count = packed_count(&p);
  if (mode != UNROLL_TRAIN) return p;
  place_trace(&p);
  divide_gradients(&p);
  place_gradients(&p);
  return p;
}

void unroll_trace_read(const unroll_plan *p, const void *trace, int32_t array, ptrdiff_t column, ptrdiff_t columns,
                       ptrdiff_t first, ptrdiff_t count, void *out) {
  const unroll_layer *l = &p->layer;
  const size_t size = (size_t)number_size(l);
  const ptrdiff_t row = array == UNROLL_TRACE_GATES ? gate_width(l) : l->units;
  const ptrdiff_t start = array == UNROLL_TRACE_GATES   ? p->trace.gates
                          : array == UNROLL_TRACE_CELLS ? p->trace.cells
                                                        : p->trace.saved;
  const char *from = (const char *)trace + (size_t)start * size;
  char *to = out;
  for (ptrdiff_t time = first; time < first + count; ++time) {
    for (ptrdiff_t i = 0; i < l->batch; ++i, to += (size_t)columns * size) {
      if (p->lanes == 0) {
        memcpy(to, from + (size_t)((time * l->batch + i) * row + column) * size, (size_t)columns * size);
        continue;
      }
      const ptrdiff_t block = i / p->lanes * p->lanes, lanes = least(p->lanes, l->batch - block);
      const ptrdiff_t place = (block * l->steps + time * lanes) * row + (i - block);
      for (ptrdiff_t j = 0; j < columns; ++j) {
        memcpy(to + (size_t)j * size, from + (size_t)(place + (column + j) * lanes) * size, size);
      }
    }
  }
}
