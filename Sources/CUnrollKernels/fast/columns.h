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
  const ptrdiff_t h = l->hidden, rows = NAME(threads_for)(l, (l->batch + 1) / 2);
  const ptrdiff_t parts = NAME(threads_for)(l, h / PANEL_COLUMNS);
  const size_t bytes = (size_t)(h * NAME(gate_count)(l) * h) * sizeof(REAL);
  const int is_far = bytes > NEAR_BYTES && l->batch < MANY_ROWS * unroll_thread_count();
  return is_far && parts >= rows && !l->normalizes && !l->zones ? parts : 1;
}

static int NAME(cuts_columns)(const unroll_layer *l) { return NAME(column_parts)(l) > 1; }

// One step, or one chunk's products with the inputs, as the threads see it.
struct NAME(shared_step) {
  const unroll_layer *layer;
  ptrdiff_t parts;
  NAME(panels) panels;
  NAME(step_rows) rows;
  NAME(step_gradients) gradients;
  const REAL *output_gradient;
  const REAL *inputs;
  NAME(row_groups) groups;
};

// A part's columns of out = start + a b.
static void NAME(column_product)(const NAME(shared_step) * step, ptrdiff_t part, REAL *out,
                                 ptrdiff_t ldout, const REAL *a, ptrdiff_t lda, const REAL *packed,
                                 ptrdiff_t k, ptrdiff_t n, NAME(row_groups) groups,
                                 const REAL *start, int from) {
  const ptrdiff_t first = NAME(cut)(0, n, part, step->parts);
  const ptrdiff_t last = NAME(cut)(0, n, part + 1, step->parts);
  const unroll_float_mode mode = unroll_flush_subnormals();
  NAME(product)(out + first, ldout, a, lda, packed + first * k, k, last - first, groups,
                start ? start + first : start, from);
  unroll_restore_float_mode(mode);
}

// A part's rows of a step.
static NAME(step_rows) NAME(part_rows)(const NAME(shared_step) * step, ptrdiff_t part,
                                       ptrdiff_t *rows) {
  const unroll_layer *l = step->layer;
  const ptrdiff_t h = l->hidden, row = l->batch * part / step->parts;
  *rows = l->batch * (part + 1) / step->parts - row;
  NAME(step_rows) s = step->rows;
  s.gates += row * NAME(gate_count)(l) * h;
  s.auxiliary = AT(REAL, s.auxiliary, row * h);
  s.hidden += row * h;
  s.cell = AT(REAL, s.cell, row * h);
  s.previous_hidden += row * h;
  s.previous_cell = AT(const REAL, s.previous_cell, row * h);
  s.active = AT(const uint8_t, s.active, row);
  return s;
}

static NAME(step_gradients) NAME(part_gradients)(const NAME(shared_step) * step, ptrdiff_t part) {
  const unroll_layer *l = step->layer;
  const ptrdiff_t h = l->hidden, row = l->batch * part / step->parts;
  NAME(step_gradients) d = step->gradients;
  d.gates += row * NAME(gate_count)(l) * h;
  d.auxiliary = AT(REAL, d.auxiliary, row * h);
  d.dh += row * h;
  d.dc = AT(REAL, d.dc, row * h);
  d.scaled += row * h;
  return d;
}

static void NAME(input_columns)(void *context, ptrdiff_t part) {
  const NAME(shared_step) *step = context;
  const unroll_layer *l = step->layer;
  const ptrdiff_t width = NAME(gate_count)(l) * l->hidden;
  NAME(column_product)(step, part, step->rows.gates, width, step->inputs, l->input,
                       step->panels.input, l->input, width, step->groups, l->bias,
                       NAME(FROM_ROW));
}

static void NAME(state_columns)(void *context, ptrdiff_t part) {
  const NAME(shared_step) *step = context;
  const unroll_layer *l = step->layer;
  const NAME(step_rows) *s = &step->rows;
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  NAME(column_product)(step, part, s->gates, width, s->previous_hidden, h, step->panels.recurrent,
                       h, NAME(first_columns)(l), step->groups, 0, NAME(FROM_OUTPUT));
  if (l->cell != UNROLL_GRU_AFTER) return;
  NAME(column_product)(step, part, s->auxiliary, h, s->previous_hidden, h, step->panels.second, h,
                       h, step->groups, l->candidate_bias, NAME(FROM_ROW));
}

static void NAME(candidate_columns)(void *context, ptrdiff_t part) {
  const NAME(shared_step) *step = context;
  const ptrdiff_t h = step->layer->hidden;
  NAME(column_product)(step, part, step->rows.gates + 2 * h, 3 * h, step->rows.auxiliary, h,
                       step->panels.second, h, h, step->groups, 0, NAME(FROM_OUTPUT));
}

static void NAME(step_functions)(void *context, ptrdiff_t part) {
  ptrdiff_t rows;
  const NAME(step_rows) s = NAME(part_rows)(context, part, &rows);
  const unroll_float_mode mode = unroll_flush_subnormals();
  NAME(activate_step)(((NAME(shared_step) *)context)->layer, s, rows);
  unroll_restore_float_mode(mode);
}

static void NAME(candidate_functions)(void *context, ptrdiff_t part) {
  ptrdiff_t rows;
  const NAME(step_rows) s = NAME(part_rows)(context, part, &rows);
  const unroll_float_mode mode = unroll_flush_subnormals();
  NAME(finish_gru_before)(((NAME(shared_step) *)context)->layer, s, rows);
  unroll_restore_float_mode(mode);
}

static NAME(shared_step) NAME(shared)(const unroll_layer *l, NAME(panels) panels) {
  return (NAME(shared_step)){.layer = l, .parts = NAME(column_parts)(l), .panels = panels};
}

static void NAME(share)(const NAME(shared_step) * step, void (*body)(void *, ptrdiff_t)) {
  unroll_parallel(step->parts, body, (void *)step);
}

// What sequence.h's step_forward does for all rows.
static void NAME(share_step)(NAME(shared_step) * step, NAME(step_rows) s) {
  step->rows = s;
  step->groups = NAME(one_group)(step->layer->batch);
  NAME(share)(step, NAME(state_columns));
  NAME(share)(step, NAME(step_functions));
  if (step->layer->cell != UNROLL_GRU_BEFORE) return;
  NAME(share)(step, NAME(candidate_columns));
  NAME(share)(step, NAME(candidate_functions));
}

static void NAME(share_inputs)(NAME(shared_step) * step, REAL *gates, const REAL *x,
                               NAME(row_groups) groups) {
  step->rows.gates = gates;
  step->inputs = x;
  step->groups = groups;
  NAME(share)(step, NAME(input_columns));
}

static void NAME(gradient_functions)(void *context, ptrdiff_t part) {
  const NAME(shared_step) *step = context;
  const unroll_layer *l = step->layer;
  ptrdiff_t rows;
  const NAME(step_rows) s = NAME(part_rows)(step, part, &rows);
  const NAME(step_gradients) d = NAME(part_gradients)(step, part);
  const ptrdiff_t first = l->batch * part / step->parts * l->hidden;
  const unroll_float_mode mode = unroll_flush_subnormals();
  NAME(add_output_gradient)(l, s, d, AT(const REAL, step->output_gradient, first), rows);
  NAME(gates_backward)(l, s, d, rows);
  unroll_restore_float_mode(mode);
}

static void NAME(reset_functions)(void *context, ptrdiff_t part) {
  ptrdiff_t rows;
  const NAME(step_rows) s = NAME(part_rows)(context, part, &rows);
  const unroll_float_mode mode = unroll_flush_subnormals();
  NAME(reset_backward)(((NAME(shared_step) *)context)->layer, s,
                       NAME(part_gradients)(context, part), rows);
  unroll_restore_float_mode(mode);
}

static void NAME(scaled_columns)(void *context, ptrdiff_t part) {
  const NAME(shared_step) *step = context;
  const NAME(step_gradients) *d = &step->gradients;
  const ptrdiff_t h = step->layer->hidden;
  NAME(column_product)(step, part, d->scaled, h, d->gates + 2 * h, 3 * h, step->panels.second, h,
                       h, step->groups, 0, NAME(FROM_ROW));
}

static void NAME(state_gradient_columns)(void *context, ptrdiff_t part) {
  const NAME(shared_step) *step = context;
  const unroll_layer *l = step->layer;
  const NAME(step_gradients) *d = &step->gradients;
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  if (l->cell == UNROLL_GRU_AFTER) {
    NAME(column_product)(step, part, d->dh, h, d->auxiliary, h, step->panels.second, h, h,
                         step->groups, 0, NAME(FROM_OUTPUT));
  }
  NAME(column_product)(step, part, d->dh, h, d->gates, width, step->panels.recurrent,
                       NAME(first_columns)(l), h, step->groups, 0, NAME(FROM_OUTPUT));
}

// What sequence_backward.h's step_backward does for all rows, the gradient of the output before it.
static void NAME(share_step_backward)(NAME(shared_step) * step, NAME(step_rows) s,
                                      NAME(step_gradients) d, const REAL *output_gradient) {
  step->rows = s;
  step->gradients = d;
  step->output_gradient = output_gradient;
  step->groups = NAME(one_group)(step->layer->batch);
  NAME(share)(step, NAME(gradient_functions));
  if (step->layer->cell == UNROLL_GRU_BEFORE) {
    NAME(share)(step, NAME(scaled_columns));
    NAME(share)(step, NAME(reset_functions));
  }
  NAME(share)(step, NAME(state_gradient_columns));
}
