// The long short-term memory (Hochreiter and Schmidhuber 1997; forget gate of Gers et al. 2000; peepholes p of Gers et
// al. 2002). Gates i, f, g, o; the last one is the output gate. c* is c', or its normalised value:
//
//   i = s(ai + pi c)   f = s(af + shift + pf c)   g = t(ag)   c' = clip(f c + i g)
//   o = s(ao + po c')                                         m  = o u(c*)
//
//   do = dm u s'(ao)       dc* = dm o u'(c*)      dc' += dc* + po do
//   di = dc' g s'(ai)      df = dc' c s'(af)      dg = dc' i t'(ag)     dc = dc' f + pi di + pf df
//
// Coupled gates (f = 1 - i), clips and their gradients are on the plain path alone.

#ifndef UNROLL_CELL_LSTM_H
#define UNROLL_CELL_LSTM_H

#ifdef UNROLL_PLAIN_UNITS

static void plain_lstm_gates(unit *u, const unroll_layer *l) {
  const real before = u->previous_cell, limit = (real)l->cell_clip;
  real ai = u->gate[0], af = u->gate[1] + (real)l->shift;
  if (l->has_peepholes) {
    ai += u->peephole[0] * before;
    af += u->peephole[1] * before;
  }
  u->gate[0] = plain_value(ai, &l->gate);
  u->gate[1] = l->couples_gates ? 1 - u->gate[0] : plain_value(af, &l->gate);
  u->gate[2] = plain_value(u->gate[2], &l->candidate);
  u->cell = u->gate[1] * before + u->gate[0] * u->gate[2];
  if (limit > 0) u->cell = u->cell > limit ? limit : u->cell < -limit ? -limit : u->cell;
}

static void plain_lstm_state(unit *u, const unroll_layer *l) {
  real ao = u->gate[3];
  if (l->has_peepholes) ao += u->peephole[2] * u->cell;
  u->gate[3] = plain_value(ao, &l->gate);
  u->hidden = u->gate[3] * plain_value(u->output_cell, &l->output);
}

static void plain_lstm_state_backward(const unit *u, unit_gradient *d, const unroll_layer *l) {
  const real o = u->gate[3], value = plain_value(u->output_cell, &l->output), dm = d->hidden;
  d->gate[3] = dm * value * plain_slope(o, &l->gate);
  d->output_cell = dm * o * plain_slope(value, &l->output);
  d->hidden = 0;
}

static void plain_lstm_gates_backward(const unit *u, unit_gradient *d, const unroll_layer *l) {
  const real i = u->gate[0], f = u->gate[1], g = u->gate[2], limit = (real)l->cell_clip;
  real dc = d->cell;
  if (l->has_peepholes) dc += d->gate[3] * u->peephole[2];
  if (limit > 0 && (u->cell >= limit || u->cell <= -limit)) dc = 0;
  real input = dc * g;
  if (l->couples_gates) {
    input -= dc * u->previous_cell;
    d->gate[1] = 0;
  } else {
    d->gate[1] = dc * u->previous_cell * plain_slope(f, &l->gate);
  }
  d->gate[0] = input * plain_slope(i, &l->gate);
  d->gate[2] = dc * i * plain_slope(g, &l->candidate);
  d->cell = dc * f;
  if (l->has_peepholes) d->cell += d->gate[0] * u->peephole[0] + d->gate[1] * u->peephole[1];
}

#else
#include "units.h"

INLINE void lstm_gates(units *u, const unit_switches *s) {
  const vector before = u->previous_cell;
  u->gate[1] += s->shift;
  if (s->has_peepholes) {
    u->gate[0] = MULTIPLY_ADD(u->peephole[0], before, u->gate[0]);
    u->gate[1] = MULTIPLY_ADD(u->peephole[1], before, u->gate[1]);
  }
  gate_values(u->gate, 2, s);
  u->gate[2] = candidate_value(u->gate[2], s);
  u->cell = MULTIPLY_ADD(u->gate[1], before, u->gate[0] * u->gate[2]);
}

INLINE void lstm_state(units *u, const unit_switches *s) {
  if (s->has_peepholes) u->gate[3] = MULTIPLY_ADD(u->peephole[2], u->cell, u->gate[3]);
  u->gate[3] = gate_value(u->gate[3], s);
  u->hidden = u->gate[3] * output_value(u->output_cell, s);
}

INLINE void lstm_state_backward(const units *u, unit_gradients *d, const unit_switches *s) {
  const vector o = u->gate[3], value = output_value(u->output_cell, s), dm = d->hidden;
  d->gate[3] = dm * value * gate_slope(o, s);
  if (s->is_normalized) {
    d->output_cell = dm * o * output_slope(value, s);
  } else {
    d->cell = MULTIPLY_ADD(dm * o, output_slope(value, s), d->cell);
  }
  d->hidden = splat(0);
}

INLINE void lstm_gates_backward(const units *u, unit_gradients *d, const unit_switches *s) {
  const vector i = u->gate[0], f = u->gate[1], g = u->gate[2];
  vector dc = d->cell;
  if (s->has_peepholes) dc = MULTIPLY_ADD(d->gate[3], u->peephole[2], dc);
  d->gate[0] = dc * g * gate_slope(i, s);
  d->gate[1] = dc * u->previous_cell * gate_slope(f, s);
  d->gate[2] = dc * i * candidate_slope(g, s);
  d->cell = dc * f;
  if (s->has_peepholes) {
    d->cell = MULTIPLY_ADD(d->gate[0], u->peephole[0], d->cell);
    d->cell = MULTIPLY_ADD(d->gate[1], u->peephole[1], d->cell);
  }
}

#endif
#endif
