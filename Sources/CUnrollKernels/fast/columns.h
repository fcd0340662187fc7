// Steps whose products the threads share by columns, not by rows. A thread that owns rows reads all the
// weights at every step: where they do not fit its own cache and its rows are few, that is what it
// waits for. With columns each thread reads a part of the weights; the price is that all meet
// after every product and after the functions, which are shared by rows. No bit changes.

// Weights of so many bytes find room in a core's own cache beside what else a step touches.
#define NEAR_BYTES (2 << 20)
// With so many rows for each thread, weights come faster than they are used.
#define MANY_ROWS 20

// How many threads share the columns; 1: rows are shared, as where they would occupy more threads.
static ptrdiff_t NAME(column_parts)(const unroll_layer *l) {
  const ptrdiff_t h = l->hidden;
  const size_t bytes = (size_t)(h * NAME(gate_count)(l) * h) * sizeof(REAL);
  if (bytes <= NEAR_BYTES || l->normalizes || l->zones) return 1;
  if (l->batch >= MANY_ROWS * unroll_thread_count()) return 1;
  const ptrdiff_t parts = NAME(threads_for)(l, h / PANEL_COLUMNS);
  return parts >= NAME(threads_for)(l, (l->batch + 1) / 2) ? parts : 1;
}

// What all threads do before they meet again: by rows, and from the fifth on by columns. "Candidate" is that of
// a GRU with the reset gate before the product, whose product waits for the gate.
typedef enum {
  NAME(STEP_ROWS),         // the functions, but for the candidate's
  NAME(CANDIDATE_ROWS),    // the candidate's
  NAME(BACKWARD_ROWS),     // the gates' gradients
  NAME(RESET_ROWS),        // the reset gate's, before the candidate
  NAME(INPUT_COLUMNS),     // x W of a chunk
  NAME(STATE_COLUMNS),     // h U, but for the candidate's
  NAME(CANDIDATE_COLUMNS), // the candidate's
  NAME(SCALED_COLUMNS),    // back through the candidate's product
  NAME(BACKWARD_COLUMNS)   // back through the others, to the state before
} NAME(stage);

// One step, or one chunk's products with the inputs, as the threads see it.
struct NAME(shared_step) {
  const unroll_layer *layer;
  ptrdiff_t parts;
  NAME(panels) panels;
  NAME(stage) stage;
  NAME(step_rows) rows;
  NAME(step_gradients) gradients;
  const REAL *output_gradient;
  const REAL *inputs;
  NAME(row_groups) groups;
};

static NAME(shared_step) NAME(shared)(const unroll_layer *l, ptrdiff_t parts,
                                      NAME(panels) panels) {
  return (NAME(shared_step)){.layer = l, .parts = parts, .panels = panels};
}

// A part's columns of out = start + a b.
static void NAME(column_product)(const NAME(shared_step) * step, ptrdiff_t part, REAL *out,
                                 ptrdiff_t ldout, const REAL *a, ptrdiff_t lda, const REAL *packed,
                                 ptrdiff_t k, ptrdiff_t n, const REAL *start, int from) {
  const ptrdiff_t first = NAME(cut)(0, n, part, step->parts);
  const ptrdiff_t last = NAME(cut)(0, n, part + 1, step->parts);
  NAME(product)(out + first, ldout, a, lda, packed + first * k, k, last - first, step->groups,
                start ? start + first : start, from);
}

static void NAME(column_stage)(const NAME(shared_step) * step, ptrdiff_t part) {
  const unroll_layer *l = step->layer;
  const NAME(panels) *p = &step->panels;
  const NAME(step_rows) *s = &step->rows;
  const NAME(step_gradients) *d = &step->gradients;
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const ptrdiff_t columns = NAME(first_columns)(l);
  const int after = l->cell == UNROLL_GRU_AFTER;
  switch (step->stage) {
    case NAME(INPUT_COLUMNS):
      NAME(column_product)(step, part, s->gates, width, step->inputs, l->input, p->input,
                           l->input, width, l->bias, NAME(FROM_ROW));
      break;
    case NAME(STATE_COLUMNS):
      NAME(column_product)(step, part, s->gates, width, s->previous_hidden, h, p->recurrent, h,
                           columns, 0, NAME(FROM_OUTPUT));
      if (!after) break;
      NAME(column_product)(step, part, s->auxiliary, h, s->previous_hidden, h, p->second, h, h,
                           l->candidate_bias, NAME(FROM_ROW));
      break;
    case NAME(CANDIDATE_COLUMNS):
      NAME(column_product)(step, part, s->gates + 2 * h, width, s->auxiliary, h, p->second, h, h,
                           0, NAME(FROM_OUTPUT));
      break;
    case NAME(SCALED_COLUMNS):
      NAME(column_product)(step, part, d->scaled, h, d->gates + 2 * h, width, p->second, h, h, 0,
                           NAME(FROM_ROW));
      break;
    default:
      if (after) {
        NAME(column_product)(step, part, d->dh, h, d->auxiliary, h, p->second, h, h, 0,
                             NAME(FROM_OUTPUT));
      }
      NAME(column_product)(step, part, d->dh, h, d->gates, width, p->recurrent, columns, h, 0,
                           NAME(FROM_OUTPUT));
  }
}

static void NAME(row_stage)(const NAME(shared_step) * step, ptrdiff_t part) {
  const unroll_layer *l = step->layer;
  const ptrdiff_t row = l->batch * part / step->parts;
  const ptrdiff_t rows = l->batch * (part + 1) / step->parts - row;
  const ptrdiff_t units = row * l->hidden, gates = units * NAME(gate_count)(l);
  NAME(step_rows) s = step->rows;
  s.gates += gates;
  s.auxiliary = AT(REAL, s.auxiliary, units);
  s.hidden += units;
  s.cell = AT(REAL, s.cell, units);
  s.previous_hidden += units;
  s.previous_cell = AT(const REAL, s.previous_cell, units);
  s.active = AT(const uint8_t, s.active, row);
  if (step->stage == NAME(STEP_ROWS)) {
    NAME(activate_step)(l, s, rows);
    return;
  }
  if (step->stage == NAME(CANDIDATE_ROWS)) {
    NAME(finish_gru_before)(l, s, rows);
    return;
  }
  NAME(step_gradients) d = step->gradients;
  d.gates += gates;
  d.auxiliary = AT(REAL, d.auxiliary, units);
  d.dh += units;
  d.dc = AT(REAL, d.dc, units);
  d.scaled += units;
  if (step->stage == NAME(RESET_ROWS)) {
    NAME(reset_backward)(l, s, d, rows);
    return;
  }
  NAME(add_output_gradient)(l, s, d, AT(const REAL, step->output_gradient, units), rows);
  NAME(gates_backward)(l, s, d, rows);
}

static void NAME(stage_part)(void *context, ptrdiff_t part) {
  const NAME(shared_step) *step = context;
  const unroll_float_mode mode = unroll_flush_subnormals();
  if (step->stage < NAME(INPUT_COLUMNS)) {
    NAME(row_stage)(step, part);
  } else {
    NAME(column_stage)(step, part);
  }
  unroll_restore_float_mode(mode);
}

static void NAME(share)(NAME(shared_step) * step, NAME(stage) stage) {
  step->stage = stage;
  unroll_parallel(step->parts, NAME(stage_part), step);
}

static void NAME(share_inputs)(NAME(shared_step) * step, REAL *gates, const REAL *x,
                               NAME(row_groups) groups) {
  step->rows.gates = gates;
  step->inputs = x;
  step->groups = groups;
  NAME(share)(step, NAME(INPUT_COLUMNS));
}

// What sequence.h's step_forward does for all rows.
static void NAME(share_step)(NAME(shared_step) * step, NAME(step_rows) s) {
  step->rows = s;
  step->groups = NAME(one_group)(step->layer->batch);
  NAME(share)(step, NAME(STATE_COLUMNS));
  NAME(share)(step, NAME(STEP_ROWS));
  if (step->layer->cell != UNROLL_GRU_BEFORE) return;
  NAME(share)(step, NAME(CANDIDATE_COLUMNS));
  NAME(share)(step, NAME(CANDIDATE_ROWS));
}

// What sequence_backward.h's step_backward does for all rows, the gradient of the output before it.
static void NAME(share_step_backward)(NAME(shared_step) * step, NAME(step_rows) s,
                                      NAME(step_gradients) d, const REAL *output_gradient) {
  step->rows = s;
  step->gradients = d;
  step->output_gradient = output_gradient;
  step->groups = NAME(one_group)(step->layer->batch);
  NAME(share)(step, NAME(BACKWARD_ROWS));
  if (step->layer->cell == UNROLL_GRU_BEFORE) {
    NAME(share)(step, NAME(SCALED_COLUMNS));
    NAME(share)(step, NAME(RESET_ROWS));
  }
  NAME(share)(step, NAME(BACKWARD_COLUMNS));
}
