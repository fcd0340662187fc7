// Float's kernels: each line forwards to C. See KernelScalar.swift.

public import CUnrollKernels
public import RealModule

extension Float: KernelScalar {
  /// The name of the type in files and messages.
  public static var elementTypeName: String { "float32" }

  /// out[m,n] += a[m,k]·b[k,n].
  public static func _product(
    _ out: UnsafeMutablePointer<Float>, _ ldout: Int, _ a: UnsafePointer<Float>, _ lda: Int,
    _ b: UnsafePointer<Float>, _ ldb: Int, _ m: Int, _ k: Int, _ n: Int
  ) {
    unroll_product_f32(out, ldout, a, lda, b, ldb, m, k, n)
  }

  /// out[k,n] += a[m,k]ᵀ·b[m,n], by the plain kernel.
  public static func _productTransposed(
    _ out: UnsafeMutablePointer<Float>, _ ldout: Int, _ a: UnsafePointer<Float>, _ lda: Int,
    _ b: UnsafePointer<Float>, _ ldb: Int, _ m: Int, _ k: Int, _ n: Int
  ) {
    unroll_product_tn_f32(out, ldout, a, lda, b, ldb, m, k, n)
  }

  /// out[k,n] += a[m,k]ᵀ·b[m,n], by the fast kernel.
  public static func _transposedSum(
    _ out: UnsafeMutablePointer<Float>, _ ldout: Int, _ a: UnsafePointer<Float>, _ lda: Int,
    _ b: UnsafePointer<Float>, _ ldb: Int, _ m: Int, _ k: Int, _ n: Int,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    unroll_transposed_sum_f32(out, ldout, a, lda, b, ldb, m, k, n, scratch)
  }

  /// out[n,m] = a[m,n]ᵀ.
  public static func _transpose(
    _ out: UnsafeMutablePointer<Float>, _ a: UnsafePointer<Float>, _ m: Int, _ n: Int
  ) {
    unroll_transpose_f32(out, a, m, n)
  }

  /// out[n] += the sum of a's m rows.
  public static func _columnSums(
    _ out: UnsafeMutablePointer<Float>, _ a: UnsafePointer<Float>, _ m: Int, _ n: Int
  ) {
    unroll_column_sums_f32(out, a, m, n)
  }

  /// Each of m rows of out = row.
  public static func _fillRows(
    _ out: UnsafeMutablePointer<Float>, _ row: UnsafePointer<Float>, _ m: Int, _ n: Int
  ) {
    unroll_fill_rows_f32(out, row, m, n)
  }

  /// Inactive rows of out = rows of other, or zero.
  public static func _replaceInactive(
    _ out: UnsafeMutablePointer<Float>, _ other: UnsafePointer<Float>?,
    _ active: UnsafePointer<UInt8>?, _ m: Int, _ n: Int
  ) {
    unroll_replace_inactive_f32(out, other, active, m, n)
  }

  /// Active rows of out += scale·a.
  public static func _addRows(
    _ out: UnsafeMutablePointer<Float>, _ a: UnsafePointer<Float>, _ scale: Float,
    _ active: UnsafePointer<UInt8>?, _ m: Int, _ n: Int
  ) {
    unroll_add_rows_f32(out, a, scale, active, m, n)
  }

  /// Values limited to ±limit.
  public static func _clip(_ values: UnsafeMutablePointer<Float>, _ limit: Float, _ count: Int) {
    unroll_clip_f32(values, limit, count)
  }

  /// Gradient zero where the value stands at ±limit.
  public static func _clipBackward(
    _ gradient: UnsafeMutablePointer<Float>, _ values: UnsafePointer<Float>, _ limit: Float,
    _ count: Int
  ) {
    unroll_clip_backward_f32(gradient, values, limit, count)
  }

  /// Values passed through a function.
  public static func _activate(
    _ values: UnsafeMutablePointer<Float>, _ function: unroll_activation, _ count: Int
  ) {
    unroll_activate_f32(values, function, count)
  }

  /// Whether the C functions take the type as double.
  public static var _isDouble: Int32 { 0 }

  /// Packs a layer's weights for the forward pass.
  public static func _layerPack(_ layer: UnsafePointer<unroll_layer>) {
    unroll_layer_pack_f32(layer)
  }

  /// A layer over a whole sequence.
  public static func _layerForward(_ layer: UnsafePointer<unroll_layer>) {
    unroll_layer_forward_f32(layer)
  }

  /// A layer's gradients over a whole sequence.
  public static func _layerBackward(
    _ layer: UnsafePointer<unroll_layer>, _ gradients: UnsafePointer<unroll_layer_gradients>
  ) {
    unroll_layer_backward_f32(layer, gradients)
  }

  /// Packs a layer's weights for a stream.
  public static func _streamPack(_ layer: UnsafeMutablePointer<unroll_layer>) {
    unroll_stream_pack_f32(layer)
  }

  /// One step of a stack of layers.
  public static func _stackStep(_ layers: UnsafeMutablePointer<unroll_layer>, _ count: Int) {
    unroll_stack_step_f32(layers, count)
  }

  /// A dense layer forward.
  public static func _denseForward(
    _ dense: UnsafePointer<unroll_dense>, _ out: UnsafeMutablePointer<Float>
  ) {
    unroll_dense_forward_f32(dense, out)
  }

  /// A dense layer's gradients.
  public static func _denseBackward(
    _ dense: UnsafePointer<unroll_dense>, _ outGradient: UnsafePointer<Float>,
    _ inputGradient: UnsafeMutablePointer<Float>?, _ weightGradient: UnsafeMutablePointer<Float>,
    _ biasGradient: UnsafeMutablePointer<Float>?, _ adds: Bool
  ) {
    unroll_dense_backward_f32(
      dense, outGradient, inputGradient, weightGradient, biasGradient, adds ? 1 : 0)
  }

  /// Logits to the gradient of their cross-entropy.
  public static func _softmaxCrossEntropy(
    _ logits: UnsafeMutablePointer<Float>, _ losses: UnsafeMutablePointer<Double>,
    _ targets: UnsafePointer<Int32>, _ rows: Int, _ classes: Int, _ scale: Float
  ) {
    unroll_softmax_cross_entropy_f32(logits, losses, targets, rows, classes, scale)
  }

  /// Logits to probabilities.
  public static func _softmax(
    _ logits: UnsafeMutablePointer<Float>, _ rows: Int, _ classes: Int
  ) {
    unroll_softmax_f32(logits, rows, classes)
  }

  /// The sum of squares.
  public static func _sumOfSquares(_ values: UnsafePointer<Float>, _ count: Int) -> Double {
    unroll_sum_of_squares_f32(values, count)
  }

  /// Dropout in place.
  public static func _drop(
    _ values: UnsafeMutablePointer<Float>, _ count: Int, _ dropout: UnsafePointer<unroll_dropout>
  ) {
    unroll_drop_f32(values, count, dropout)
  }

  /// An optimiser's step.
  public static func _move(
    _ parameters: UnsafeMutablePointer<Float>, _ gradient: UnsafePointer<Float>,
    _ first: UnsafeMutablePointer<Float>?, _ second: UnsafeMutablePointer<Float>?, _ count: Int,
    _ update: UnsafePointer<unroll_update>
  ) {
    unroll_move_f32(parameters, gradient, first, second, count, update)
  }

  /// The basic cell's step, after the products.
  public static func _rnnForward(
    _ gates: UnsafeMutablePointer<Float>, _ hidden: UnsafeMutablePointer<Float>,
    _ previous: UnsafePointer<Float>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ function: unroll_activation
  ) {
    unroll_rnn_forward_f32(gates, hidden, previous, active, rows, size, function)
  }

  /// The basic cell's step, backward.
  public static func _rnnBackward(
    _ gateGradient: UnsafeMutablePointer<Float>, _ previousGradient: UnsafeMutablePointer<Float>,
    _ hiddenGradient: UnsafePointer<Float>, _ gates: UnsafePointer<Float>,
    _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int, _ function: unroll_activation
  ) {
    unroll_rnn_backward_f32(
      gateGradient, previousGradient, hiddenGradient, gates, active, rows, size, function)
  }

  /// The gates r and z, and r ⊙ h.
  public static func _gruBeforeGates(
    _ gates: UnsafeMutablePointer<Float>, _ scaled: UnsafeMutablePointer<Float>,
    _ previous: UnsafePointer<Float>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ gate: unroll_activation
  ) {
    unroll_gru_before_gates_f32(gates, scaled, previous, active, rows, size, gate)
  }

  /// The candidate and the new state.
  public static func _gruBeforeOutput(
    _ gates: UnsafeMutablePointer<Float>, _ hidden: UnsafeMutablePointer<Float>,
    _ previous: UnsafePointer<Float>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ candidate: unroll_activation
  ) {
    unroll_gru_before_output_f32(gates, hidden, previous, active, rows, size, candidate)
  }

  /// All of a step whose reset gate comes after the product.
  public static func _gruAfterForward(
    _ gates: UnsafeMutablePointer<Float>, _ product: UnsafeMutablePointer<Float>,
    _ hidden: UnsafeMutablePointer<Float>, _ recurrent: UnsafePointer<Float>,
    _ previous: UnsafePointer<Float>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ gate: unroll_activation, _ candidate: unroll_activation
  ) {
    unroll_gru_after_forward_f32(
      gates, product, hidden, recurrent, previous, active, rows, size, gate, candidate)
  }

  /// The gradients of z and n, and z's way to the previous state.
  public static func _gruBackward(
    _ gateGradient: UnsafeMutablePointer<Float>, _ previousGradient: UnsafeMutablePointer<Float>,
    _ hiddenGradient: UnsafePointer<Float>, _ gates: UnsafePointer<Float>,
    _ previous: UnsafePointer<Float>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ gate: unroll_activation, _ candidate: unroll_activation
  ) {
    unroll_gru_backward_f32(
      gateGradient, previousGradient, hiddenGradient, gates, previous, active, rows, size, gate,
      candidate)
  }

  /// The gradient of r, reset gate before the product.
  public static func _gruBeforeBackward(
    _ gateGradient: UnsafeMutablePointer<Float>, _ previousGradient: UnsafeMutablePointer<Float>,
    _ scaledGradient: UnsafePointer<Float>, _ gates: UnsafePointer<Float>,
    _ previous: UnsafePointer<Float>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ gate: unroll_activation
  ) {
    unroll_gru_before_backward_f32(
      gateGradient, previousGradient, scaledGradient, gates, previous, active, rows, size, gate)
  }

  /// The gradients of r and of h·U + c, reset gate after the product.
  public static func _gruAfterBackward(
    _ gateGradient: UnsafeMutablePointer<Float>, _ recurrentGradient: UnsafeMutablePointer<Float>,
    _ gates: UnsafePointer<Float>, _ product: UnsafePointer<Float>,
    _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int, _ gate: unroll_activation
  ) {
    unroll_gru_after_backward_f32(
      gateGradient, recurrentGradient, gates, product, active, rows, size, gate)
  }

  /// The LSTM's step, after the products.
  public static func _lstmForward(
    _ gates: UnsafeMutablePointer<Float>, _ cell: UnsafeMutablePointer<Float>,
    _ output: UnsafeMutablePointer<Float>, _ previousCell: UnsafePointer<Float>,
    _ peepholes: UnsafePointer<Float>?, _ active: UnsafePointer<UInt8>?, _ rows: Int,
    _ size: Int, _ options: UnsafePointer<unroll_lstm_options>
  ) {
    unroll_lstm_forward_f32(
      gates, cell, output, previousCell, peepholes, active, rows, size, options)
  }

  /// The LSTM's step, backward.
  public static func _lstmBackward(
    _ gateGradient: UnsafeMutablePointer<Float>, _ cellGradient: UnsafeMutablePointer<Float>,
    _ peepholeGradient: UnsafeMutablePointer<Float>?, _ outputGradient: UnsafePointer<Float>,
    _ gates: UnsafePointer<Float>, _ cell: UnsafePointer<Float>,
    _ previousCell: UnsafePointer<Float>, _ peepholes: UnsafePointer<Float>?,
    _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ options: UnsafePointer<unroll_lstm_options>
  ) {
    unroll_lstm_backward_f32(
      gateGradient, cellGradient, peepholeGradient, outputGradient, gates, cell, previousCell,
      peepholes, active, rows, size, options)
  }
}
