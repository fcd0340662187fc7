// One layer over a whole sequence, or step by step. A plan says how: it is made once for a layer, its sizes, a
// number of threads and an instruction set, and every size query and every pass reads it.
//
// Arrays are dense, row-major and of the plan's element type. T steps, B sequences, D inputs, H units, G gates,
// P numbers of a state (H, unless the output is projected). `packed`, `trace` and `scratch` are aligned to 64 bytes
// (checked); other arrays need the alignment of their numbers only. Nothing here allocates. The bits of a result depend
// on neither the batch, nor where a sequence was cut, nor the number of threads.

#ifndef UNROLL_LAYER_H
#define UNROLL_LAYER_H

#include <stddef.h>
#include <stdint.h>

#include "unroll_cells.h"
#include "unroll_dense.h"

/// Zoneout: units keep their previous state, each with the probability `rate`.
typedef struct {
  int32_t is_active;
  int32_t draws;  ///< 0: every unit takes the mean of both states, weighted by the rate
  unroll_dropout hidden, cell;
} unroll_zoneout;

/// What a layer computes: cell, switches, sizes.
typedef struct {
  int32_t type;      ///< UNROLL_F32, UNROLL_F64
  int32_t cell;      ///< UNROLL_RNN ...
  int32_t reversed;  ///< from the last step to the first
  int32_t has_second_bias, has_peepholes, has_projection;
  int32_t is_normalized;  ///< layer normalisation
  int32_t is_masked;      ///< some steps are inactive
  int32_t couples_gates;  ///< LSTM: forget gate = 1 - input gate
  unroll_activation gate, candidate, output;
  double shift;                       ///< LSTM: added to the forget gate; JANET: beta
  double cell_clip, projection_clip;  ///< limit c' and the projected h'; 0 does not
  ptrdiff_t steps, batch, input, units, state;  ///< T, B, D, H, P
  unroll_zoneout zoneout;
} unroll_layer;

/// A layer's weights, or their gradients. Arrays that the layer does not have are not read.
typedef struct {
  void *input;        ///< [D, G H]
  void *recurrent;    ///< [P, G H]
  void *bias;         ///< [G H]
  void *second_bias;  ///< [G H], added to h U
  void *peepholes;    ///< [3, H] of i, f, o
  void *projection;   ///< [H, P]
  void *input_gain, *recurrent_gain;  ///< [G H]
  void *cell_gain, *cell_offset;      ///< [H], LSTM
} unroll_weights;

/// What a plan is for.
enum {
  UNROLL_TRAIN = 0,  ///< a sequence forward, which leaves a trace, and backward
  UNROLL_INFER = 1,  ///< a sequence forward
  UNROLL_STREAM = 2, ///< steps that change a state in place
};

/// The paths.
enum {
  UNROLL_PATH_PLAIN = 0,      ///< unit by unit: slow, knows every switch
  UNROLL_PATH_ROWS = 1,       ///< vectors hold units; threads share sequences
  UNROLL_PATH_COLUMNS = 2,    ///< vectors hold units; threads share the columns of each product
  UNROLL_PATH_LANES = 3,      ///< vectors hold sequences; threads share blocks of them
  UNROLL_PATH_STREAMED = 4,   ///< one sequence; weights in the order in which a step reads them
  UNROLL_PATH_REGISTERS = 5,  ///< one sequence; gates stay in registers
};

/// How a stream keeps its weights.
enum {
  UNROLL_WEIGHTS_FULL = 0,
  UNROLL_BF16_NEAREST = 1,  ///< bfloat16, each off by 1 part in 256 at most
  UNROLL_BF16_EXACT = 2,    ///< bfloat16, rounded as usual: for weights that are bfloat16 already, or not finite
};

/// How a layer runs. Counts are numbers of the element type.
typedef struct {
  unroll_layer layer;
  int32_t mode, path, isa, threads;
  int32_t bf16;            ///< UNROLL_WEIGHTS_FULL ...
  int32_t is_usual;        ///< gates, candidate and output have sigmoid, tanh and tanh, as constants of the kernels
  int32_t pairs_gates;     ///< REGISTERS: two gates share a vector
  int32_t rule;            ///< why this path: see unroll_plan_reason
  ptrdiff_t width;         ///< numbers in a vector
  ptrdiff_t packed_count;  ///< packed weights
  ptrdiff_t trace_count;   ///< what a forward pass leaves for the backward one
  ptrdiff_t scratch_count, backward_scratch_count;
  /// LANES: the trace is batch-interleaved, in blocks of at most `lanes` sequences; a block is [T, numbers of a row,
  /// sequences]. The last `leftover` sequences of a batch run on ROWS, since they would fill a fraction of a block.
  ptrdiff_t lanes, leftover;
  /// Parts of the forward and of the backward pass, for threads to share, and the scratch of each.
  ptrdiff_t parts, part_scratch, backward_part_scratch;
  /// Steps whose products x W are computed together.
  ptrdiff_t chunk;
  /// STREAMED: the order of packed weights. The gates' columns are divided into slots of one vector; a slot of bf16
  /// weights has the columns of two vectors. A separate or late candidate begins a new slot. Slots form groups. Each
  /// group stores its W, then its U; the U of a late candidate follows after all groups.
  struct {
    ptrdiff_t slot;                     ///< columns of a slot
    ptrdiff_t together, all;            ///< slots of the gates that enter together, and of all
    ptrdiff_t groups, group;            ///< groups, and the slots of each but the last
    ptrdiff_t late_groups, late_group;  ///< of a late candidate
    ptrdiff_t input;  ///< streamed rows of W: D, or 0 in a sequence, whose products x W are computed in chunks
    ptrdiff_t candidate_bias, weights, projection, panels;  ///< offsets in the packed weights
  } streamed;
  /// Where arrays begin in the trace: gates [T, B, G H], saved [T, B, H], cells [T, B, H]; of normalised layers x W
  /// and h U [T, B, G H], c' [T, B, H] and the inverse standard deviations [T, B, 5].
  struct { ptrdiff_t gates, saved, cells, inputs, products, normal_cells, scales; } trace;
  /// Where arrays begin in the backward pass' scratch, the parts' last.
  struct {
    ptrdiff_t packed, gates, separate, projected, inputs, products, output_cells, sums, parts;
  } backward;
  /// Pieces of the backward pass' second phase: dU, dU of a separate or late candidate, dW, dx, dQ, sums.
  struct { ptrdiff_t recurrent, candidate, input, rows, projection, sums; } pieces;
} unroll_plan;

/// Makes the plan of a layer whose T and B are known (a stream's T is 1). `isa` is an instruction set that the
/// machine has, UNROLL_PLAIN ...; `bf16` other than UNROLL_WEIGHTS_FULL asks for bfloat16 where a stream can have it.
unroll_plan unroll_plan_make(const unroll_layer *layer, int32_t mode, int32_t threads, int32_t isa, int32_t bf16);
/// The name of a path, as messages have it.
const char *unroll_path_name(int32_t path);
/// Why a plan has its path, in words.
const char *unroll_plan_reason(const unroll_plan *plan);

/// Packs weights in the order in which the plan's passes read them. A plan for other T and B of the same path takes
/// the same packed weights. Sets `plan->bf16`.
void unroll_pack(unroll_plan *plan, const unroll_weights *weights, void *packed);

/// A sequence and where its results go.
typedef struct {
  const void *inputs;          ///< [T, B, D]
  const void *initial_hidden;  ///< [B, P]
  const void *initial_cell;    ///< [B, H], of cells that have one
  const uint8_t *active;       ///< [T, B] bytes, 0 where a step does not count; of masked layers
  void *hidden;                ///< [T, B, P]
  void *final_cell;            ///< [B, H], of cells that have one; written forward
  void *trace;                 ///< trace_count; written forward, read backward
  void *scratch;               ///< scratch_count, or backward_scratch_count
} unroll_sequence;

/// Forward over a sequence.
void unroll_forward(const unroll_plan *plan, const unroll_weights *weights, const void *packed,
                    const unroll_sequence *sequence);

/// The gradients of a pass. `hidden` and `cell` hold the final state's on entry, the initial state's on exit.
typedef struct {
  int32_t has_output, wants_inputs;
  const void *output;      ///< [T, B, P], if has_output
  void *hidden;            ///< [B, P]
  void *cell;              ///< [B, H], of cells that have one
  void *inputs;            ///< [T, B, D], if wants_inputs
  unroll_weights weights;  ///< written
} unroll_gradients;

/// Backward over a sequence that the same plan has taken forward.
void unroll_backward(const unroll_plan *plan, const unroll_weights *weights, const unroll_sequence *sequence,
                     const unroll_gradients *gradients);

/// What a trace keeps.
enum { UNROLL_TRACE_GATES = 0, UNROLL_TRACE_CELLS = 1, UNROLL_TRACE_SAVED = 2 };
/// Reads `columns` neighbouring numbers of each row from `column` on, of the steps first ..< first + count:
/// out[count, B, columns]. Rows of UNROLL_TRACE_GATES have G H numbers, others H.
void unroll_trace_read(const unroll_plan *plan, const void *trace, int32_t array, ptrdiff_t column, ptrdiff_t columns,
                       ptrdiff_t first, ptrdiff_t count, void *out);

/// Numbers that a row of a stream's states may be written beyond its end.
enum { UNROLL_STREAM_PADDING = 32 };

/// A layer of a stream. The states change in place; both have UNROLL_STREAM_PADDING more numbers.
typedef struct {
  const unroll_plan *plan;
  const unroll_weights *weights;
  const void *packed;
  const void *inputs;  ///< [B, D]
  void *hidden;        ///< [B, P]
  void *cell;          ///< [B, H], of cells that have one
  void *scratch;       ///< scratch_count
  int32_t reads_backward;  ///< whether the next step begins with the last weights; changes with every step
} unroll_stream;

/// Advances a stack by one step. No allocation, no lock, no system call.
void unroll_stream_step(unroll_stream *layers, ptrdiff_t count);

#endif
