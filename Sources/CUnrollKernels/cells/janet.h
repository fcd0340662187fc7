// JANET, the forget gate is all you need (van der Westhuizen and Lasenby 2018, arXiv:1804.04849). Gates f, n; saved is
// the update gate v, whose argument is smaller by `shift` (beta):
//
//   f = s(af)   v = 1 - s(af - shift)   n = t(an)   h' = f h + v n
//
//   dn = dh' v t'(an)   df = dh' (h s'(af) - n s'(af - shift))   dh = dh' f

#ifndef UNROLL_CELL_JANET_H
#define UNROLL_CELL_JANET_H

#ifdef UNROLL_PLAIN_UNITS

static void plain_janet_gates(unit *u, const unroll_layer *l) {
  const real a = u->gate[0];
  u->gate[0] = plain_value(a, &l->gate);
  u->saved = 1 - plain_value(a - (real)l->shift, &l->gate);
}

static void plain_janet_state(unit *u, const unroll_layer *l) {
  u->gate[1] = plain_value(u->gate[1], &l->candidate);
  u->hidden = u->gate[0] * u->previous_hidden + u->saved * u->gate[1];
}

static void plain_janet_state_backward(const unit *u, unit_gradient *d, const unroll_layer *l) {
  const real dh = d->hidden, f = u->gate[0], n = u->gate[1];
  d->gate[0] = dh * (u->previous_hidden * plain_slope(f, &l->gate) - n * plain_slope(1 - u->saved, &l->gate));
  d->gate[1] = dh * u->saved * plain_slope(n, &l->candidate);
  d->hidden = dh * f;
}

static void plain_janet_gates_backward(const unit *u, unit_gradient *d, const unroll_layer *l) {
  (void)u, (void)d, (void)l;
}

#else
#include "units.h"

INLINE void janet_gates(units *u, const unit_switches *s) {
  vector a[2] = {u->gate[0], u->gate[0] - s->shift};
  gate_values(a, 2, s);
  u->gate[0] = a[0];
  u->saved = 1 - a[1];
}

INLINE void janet_state(units *u, const unit_switches *s) {
  u->gate[1] = candidate_value(u->gate[1], s);
  u->hidden = MULTIPLY_ADD(u->gate[0], u->previous_hidden, u->saved * u->gate[1]);
}

INLINE void janet_state_backward(const units *u, unit_gradients *d, const unit_switches *s) {
  const vector dh = d->hidden, f = u->gate[0], n = u->gate[1];
  const vector kept = u->previous_hidden * gate_slope(f, s), updated = n * gate_slope(1 - u->saved, s);
  d->gate[0] = dh * (kept - updated);
  d->gate[1] = dh * u->saved * candidate_slope(n, s);
  d->hidden = dh * f;
}

INLINE void janet_gates_backward(const units *u, unit_gradients *d, const unit_switches *s) {
  (void)u, (void)d, (void)s;
}

#endif
#endif
