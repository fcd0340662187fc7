// One layer's pass over a whole sequence, by the instruction set that this machine has, on the
// threads that the process may use. The same bits for any number of threads, and for a sequence
// whatever else is in the batch.
//
// Arrays are dense, row-major and of one element type: the functions ending in f32 read them as
// float, those in f64 as double. T steps, B sequences, D inputs, H units, G gates.

#ifndef UNROLL_LAYER_H
#define UNROLL_LAYER_H

#include <stddef.h>
#include <stdint.h>

#include "unroll_dense.h"

enum { UNROLL_RNN = 0, UNROLL_GRU_BEFORE = 1, UNROLL_GRU_AFTER = 2, UNROLL_LSTM = 3 };

/// Layer normalisation around a cell; without a tape the arrays of the steps are null.
typedef struct {
  const void *input_gain, *recurrent_gain;  ///< [G H]
  const void *cell_gain, *cell_offset;      ///< [H], LSTM
  void *input, *product;                    ///< [T, B, G H]: x W and h U, normalised
  void *cell;                               ///< [T, B, H], LSTM: c', normalised
  void *spreads;                            ///< [T, B, 5]: what each was multiplied with
} unroll_normalization;

/// Zoneout: which units keep their state. The rates are those of keeping.
typedef struct {
  unroll_dropout hidden, cell;
  int32_t draws;  ///< 0: every unit mixes both states by the rate
} unroll_zoneout;

/// How a stream keeps weights as bfloat16.
enum {
  UNROLL_NEAREST_HALVES = 1,  ///< each off by 1 part in 256 at most
  UNROLL_EXACT_HALVES = 2,    ///< rounded as usual: they were bfloat16 already, or not finite; 40 % slower
};

/// A layer, its input, and where its states go.
typedef struct {
  int32_t cell;      ///< UNROLL_RNN ...; gates in the order n, or r z n, or i f g o
  int32_t relu;      ///< the basic cell's function: relu instead of tanh
  int32_t reversed;  ///< from the last step to the first
  int32_t is_packed; ///< `packed` holds the weights already
  int32_t half_weights;  ///< `packed` holds bfloat16 (UNROLL_NEAREST_HALVES ...): float32 streams only
  int32_t reads_backward;  ///< streams of one sequence: whether the next step begins with the last weights
  ptrdiff_t steps, batch, input, hidden;  ///< T, B, D, H
  double forget_offset;           ///< added to the LSTM's forget gate
  const void *input_weights;      ///< [D, G H]
  const void *recurrent_weights;  ///< [H, G H]
  const void *bias;               ///< [G H], second biases of r and z included
  const void *candidate_bias;     ///< [H] or null: what the GRU's reset gate scales, too
  const void *peepholes;          ///< [3, H] of i, f, o, or null
  void *packed;                   ///< unroll_packed_count numbers
  const void *inputs;             ///< [T, B, D]
  const void *initial_hidden;     ///< [B, H]
  const void *initial_cell;       ///< [B, H], LSTM
  const uint8_t *active;          ///< [T, B] bytes, or null: all
  void *gates;                    ///< [T, B, G H], or null: no tape is kept
  ptrdiff_t turned_lanes;         ///< 0, or how `gates`, `auxiliary` and `cell_states` stand: see below
  void *auxiliary;                ///< [T, B, H], GRU with tape: r h, or h Un + cn
  void *hidden_states;            ///< [T, B, H]
  void *cell_states;              ///< [T, B, H], LSTM with tape
  void *final_cell;               ///< [B, H], LSTM
  void *scratch;                  ///< unroll_forward_scratch_count numbers
  int32_t normalizes, zones;      ///< whether the next two count
  unroll_normalization normal;
  unroll_zoneout zoneout;
} unroll_layer;

/// The numbers to give as `turned_lanes`, so that a narrow layer is fast: a tape then holds, for each block
/// of so many sequences (the last one of as many as are left), [T, numbers of a row, sequences of the block].
/// The two passes must agree. 0: only a tape of rows will do.
ptrdiff_t unroll_tape_lanes(const unroll_layer *layer, int is_double);

/// The gradients of a pass. All but `output_gradient` are written; the two state gradients hold
/// the final state's on entry and the initial state's on exit.
typedef struct {
  const void *output_gradient;  ///< [T, B, H] or null
  void *hidden_gradient;        ///< [B, H]
  void *cell_gradient;          ///< [B, H], LSTM
  void *gate_gradients;         ///< [T, B, G H]
  void *product_gradients;      ///< [T, B, H], GRU with the reset gate after the product
  void *input_weights, *recurrent_weights, *bias, *candidate_bias, *peepholes;
  void *inputs;                 ///< [T, B, D] or null: not wanted
  void *packed;                 ///< unroll_packed_count numbers
  void *scratch;                ///< unroll_backward_scratch_count numbers
  // Of a layer that normalises:
  void *input_products, *recurrent_products;  ///< [T, B, G H]: of x W and h U
  void *shown_gradients;                      ///< [T, B, H], LSTM: of gain_c n(c') + offset_c
  void *input_gain, *recurrent_gain, *cell_gain, *cell_offset;
} unroll_layer_gradients;

/// The numbers of memory that a pass needs; they depend on the sizes and the level, scratch on the number of
/// threads, too: whoever asks forces one (unroll_force_thread_count) until the pass is done.
ptrdiff_t unroll_packed_count(const unroll_layer *layer, int is_double);
ptrdiff_t unroll_forward_scratch_count(const unroll_layer *layer, int is_double);
ptrdiff_t unroll_backward_scratch_count(const unroll_layer *layer, int is_double);

void unroll_layer_pack_f32(const unroll_layer *layer);
void unroll_layer_pack_f64(const unroll_layer *layer);
void unroll_layer_forward_f32(const unroll_layer *layer);
void unroll_layer_forward_f64(const unroll_layer *layer);
void unroll_layer_backward_f32(const unroll_layer *layer, const unroll_layer_gradients *gradients);
void unroll_layer_backward_f64(const unroll_layer *layer, const unroll_layer_gradients *gradients);

/// Numbers that a row of a stream's states and scratch may be written beyond its end.
enum { UNROLL_STREAM_PADDING = 32 };

/// The numbers of memory that the packed weights of a stream take.
ptrdiff_t unroll_stream_packed_count(const unroll_layer *layer, int is_double);
/// Packs the weights for steps: as they are, or as bfloat16 in half of the memory (then `half_weights`
/// is set to how).
void unroll_stream_pack_f32(unroll_layer *layer);
void unroll_stream_pack_f64(unroll_layer *layer);
/// Advances a stack by one step, each layer reading the `hidden_states` of the one below it.
///
/// The states `hidden_states` [B, H] and `final_cell` [B, H] change in place; `gates` [B, G H] and
/// `auxiliary` [B, H] are scratch, all four with UNROLL_STREAM_PADDING more; weights are packed. Of the layers
/// themselves `reads_backward` changes. No allocation, no lock, no system call.
void unroll_stack_step_f32(unroll_layer *layers, ptrdiff_t count);
void unroll_stack_step_f64(unroll_layer *layers, ptrdiff_t count);

#endif
