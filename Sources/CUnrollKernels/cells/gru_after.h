// The gated recurrent unit with the reset gate after the product (cuDNN, PyTorch). Gates r, z, n; saved is q = h Un + cn:
//
//   r = s(ar)   z = s(az)   n = t(x Wn + bn + r q)   h' = (1 - z) n + z h
//
//   dn = dh' (1 - z) t'(an)   dz = dh' (h - n) s'(az)   dr = dn q s'(ar)   dq = dn r   dh = dh' z

#ifndef UNROLL_CELL_GRU_AFTER_H
#define UNROLL_CELL_GRU_AFTER_H

#ifdef UNROLL_PLAIN_UNITS

static void plain_gru_after_gates(unit *u, const unroll_layer *l) {
  u->gate[0] = plain_value(u->gate[0], &l->gate);
  u->gate[1] = plain_value(u->gate[1], &l->gate);
}

static void plain_gru_after_state(unit *u, const unroll_layer *l) {
  const real r = u->gate[0], z = u->gate[1];
  u->gate[2] = plain_value(u->gate[2] + r * u->saved, &l->candidate);
  u->hidden = (1 - z) * u->gate[2] + z * u->previous_hidden;
}

static void plain_gru_after_state_backward(const unit *u, unit_gradient *d, const unroll_layer *l) {
  const real dh = d->hidden, r = u->gate[0], z = u->gate[1], n = u->gate[2];
  d->gate[1] = dh * (u->previous_hidden - n) * plain_slope(z, &l->gate);
  d->gate[2] = dh * (1 - z) * plain_slope(n, &l->candidate);
  d->gate[0] = d->gate[2] * u->saved * plain_slope(r, &l->gate);
  d->saved = d->gate[2] * r;
  d->hidden = dh * z;
}

static void plain_gru_after_gates_backward(const unit *u, unit_gradient *d, const unroll_layer *l) {
  (void)u, (void)d, (void)l;
}

#else
#include "units.h"

INLINE void gru_after_gates(units *u, const unit_switches *s) { gate_values(u->gate, 2, s); }

INLINE void gru_after_state(units *u, const unit_switches *s) {
  const vector z = u->gate[1];
  const vector n = candidate_value(MULTIPLY_ADD(u->gate[0], u->saved, u->gate[2]), s);
  u->gate[2] = n;
  u->hidden = MULTIPLY_ADD(z, u->previous_hidden, (1 - z) * n);
}

INLINE void gru_after_state_backward(const units *u, unit_gradients *d, const unit_switches *s) {
  const vector dh = d->hidden, r = u->gate[0], z = u->gate[1], n = u->gate[2];
  d->gate[1] = dh * (u->previous_hidden - n) * gate_slope(z, s);
  d->gate[2] = dh * (1 - z) * candidate_slope(n, s);
  d->gate[0] = d->gate[2] * u->saved * gate_slope(r, s);
  d->saved = d->gate[2] * r;
  d->hidden = dh * z;
}

INLINE void gru_after_gates_backward(const units *u, unit_gradients *d, const unit_switches *s) {
  (void)u, (void)d, (void)s;
}

#endif
#endif
