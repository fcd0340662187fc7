// The gated recurrent unit with the reset gate before the product (Cho et al. 2014). Gates r, z, n; saved is q = r h:
//
//   r = s(ar)   z = s(az)   n = t(x Wn + (r h) Un + bn)   h' = (1 - z) n + z h
//
//   dn = dh' (1 - z) t'(an)   dz = dh' (h - n) s'(az)   dh = dh' z
//   dq = dn Un^T              dr = dq h s'(ar)          dh += dq r

#ifndef UNROLL_CELL_GRU_BEFORE_H
#define UNROLL_CELL_GRU_BEFORE_H

#ifdef UNROLL_PLAIN_UNITS

static void plain_gru_before_gates(unit *u, const unroll_layer *l) {
  u->gate[0] = plain_value(u->gate[0], &l->gate);
  u->gate[1] = plain_value(u->gate[1], &l->gate);
  u->saved = u->gate[0] * u->previous_hidden;
}

static void plain_gru_before_state(unit *u, const unroll_layer *l) {
  const real z = u->gate[1];
  u->gate[2] = plain_value(u->gate[2], &l->candidate);
  u->hidden = (1 - z) * u->gate[2] + z * u->previous_hidden;
}

static void plain_gru_before_state_backward(const unit *u, unit_gradient *d, const unroll_layer *l) {
  const real dh = d->hidden, z = u->gate[1], n = u->gate[2];
  d->gate[0] = 0;
  d->gate[1] = dh * (u->previous_hidden - n) * plain_slope(z, &l->gate);
  d->gate[2] = dh * (1 - z) * plain_slope(n, &l->candidate);
  d->hidden = dh * z;
}

static void plain_gru_before_gates_backward(const unit *u, unit_gradient *d, const unroll_layer *l) {
  const real r = u->gate[0];
  d->gate[0] = d->saved * u->previous_hidden * plain_slope(r, &l->gate);
  d->hidden += d->saved * r;
}

#else
#include "units.h"

INLINE void gru_before_gates(units *u, const unit_switches *s) {
  gate_values(u->gate, 2, s);
  u->saved = u->gate[0] * u->previous_hidden;
}

INLINE void gru_before_state(units *u, const unit_switches *s) {
  const vector z = u->gate[1], n = candidate_value(u->gate[2], s);
  u->gate[2] = n;
  u->hidden = MULTIPLY_ADD(z, u->previous_hidden, (1 - z) * n);
}

INLINE void gru_before_state_backward(const units *u, unit_gradients *d, const unit_switches *s) {
  const vector dh = d->hidden, z = u->gate[1], n = u->gate[2];
  d->gate[0] = splat(0);
  d->gate[1] = dh * (u->previous_hidden - n) * gate_slope(z, s);
  d->gate[2] = dh * (1 - z) * candidate_slope(n, s);
  d->hidden = dh * z;
}

INLINE void gru_before_gates_backward(const units *u, unit_gradients *d, const unit_switches *s) {
  const vector r = u->gate[0];
  d->gate[0] = d->saved * u->previous_hidden * gate_slope(r, s);
  d->hidden = MULTIPLY_ADD(d->saved, r, d->hidden);
}

#endif
#endif
