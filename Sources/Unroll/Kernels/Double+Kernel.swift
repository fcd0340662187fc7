// Double's kernels: each line forwards to C. See KernelScalar.swift.

public import CUnrollKernels
public import RealModule

extension Double: KernelScalar {
  /// The name of the type in files and messages.
  public static var elementTypeName: String { "float64" }

  /// out[m,n] += a[m,k]·b[k,n].
  public static func _product(
    _ out: UnsafeMutablePointer<Double>, _ ldout: Int, _ a: UnsafePointer<Double>, _ lda: Int,
    _ b: UnsafePointer<Double>, _ ldb: Int, _ m: Int, _ k: Int, _ n: Int
  ) {
    unroll_product_f64(out, ldout, a, lda, b, ldb, m, k, n)
  }

  /// out[k,n] += a[m,k]ᵀ·b[m,n], by the plain kernel.
  public static func _productTransposed(
    _ out: UnsafeMutablePointer<Double>, _ ldout: Int, _ a: UnsafePointer<Double>, _ lda: Int,
    _ b: UnsafePointer<Double>, _ ldb: Int, _ m: Int, _ k: Int, _ n: Int
  ) {
    unroll_product_tn_f64(out, ldout, a, lda, b, ldb, m, k, n)
  }

  /// out[k,n] += a[m,k]ᵀ·b[m,n], by the fast kernel.
  public static func _transposedSum(
    _ out: UnsafeMutablePointer<Double>, _ ldout: Int, _ a: UnsafePointer<Double>, _ lda: Int,
    _ b: UnsafePointer<Double>, _ ldb: Int, _ m: Int, _ k: Int, _ n: Int,
    _ scratch: UnsafeMutablePointer<Double>
  ) {
    unroll_transposed_sum_f64(out, ldout, a, lda, b, ldb, m, k, n, scratch)
  }

  /// out[n,m] = a[m,n]ᵀ.
  public static func _transpose(
    _ out: UnsafeMutablePointer<Double>, _ a: UnsafePointer<Double>, _ m: Int, _ n: Int
  ) {
    unroll_transpose_f64(out, a, m, n)
  }

  /// out[n] += the sum of a's m rows.
  public static func _columnSums(
    _ out: UnsafeMutablePointer<Double>, _ a: UnsafePointer<Double>, _ m: Int, _ n: Int
  ) {
    unroll_column_sums_f64(out, a, m, n)
  }

  /// Each of m rows of out = row.
  public static func _fillRows(
    _ out: UnsafeMutablePointer<Double>, _ row: UnsafePointer<Double>, _ m: Int, _ n: Int
  ) {
    unroll_fill_rows_f64(out, row, m, n)
  }

  /// Inactive rows of out = rows of other, or zero.
  public static func _replaceInactive(
    _ out: UnsafeMutablePointer<Double>, _ other: UnsafePointer<Double>?,
    _ active: UnsafePointer<UInt8>?, _ m: Int, _ n: Int
  ) {
    unroll_replace_inactive_f64(out, other, active, m, n)
  }

  /// Active rows of out += scale·a.
  public static func _addRows(
    _ out: UnsafeMutablePointer<Double>, _ a: UnsafePointer<Double>, _ scale: Double,
    _ active: UnsafePointer<UInt8>?, _ m: Int, _ n: Int
  ) {
    unroll_add_rows_f64(out, a, scale, active, m, n)
  }

  /// Values limited to ±limit.
  public static func _clip(_ values: UnsafeMutablePointer<Double>, _ limit: Double, _ count: Int) {
    unroll_clip_f64(values, limit, count)
  }

  /// Gradient zero where the value stands at ±limit.
  public static func _clipBackward(
    _ gradient: UnsafeMutablePointer<Double>, _ values: UnsafePointer<Double>, _ limit: Double,
    _ count: Int
  ) {
    unroll_clip_backward_f64(gradient, values, limit, count)
  }

  /// Values passed through a function.
  public static func _activate(
    _ values: UnsafeMutablePointer<Double>, _ function: unroll_activation, _ count: Int
  ) {
    unroll_activate_f64(values, function, count)
  }

  /// Whether the C functions take the type as double.
  public static var _isDouble: Int32 { 1 }

  /// Packs a layer's weights for the forward pass.
  public static func _layerPack(_ layer: UnsafePointer<unroll_layer>) {
    unroll_layer_pack_f64(layer)
  }

  /// A layer over a whole sequence.
  public static func _layerForward(_ layer: UnsafePointer<unroll_layer>) {
    unroll_layer_forward_f64(layer)
  }

  /// A layer's gradients over a whole sequence.
  public static func _layerBackward(
    _ layer: UnsafePointer<unroll_layer>, _ gradients: UnsafePointer<unroll_layer_gradients>
  ) {
    unroll_layer_backward_f64(layer, gradients)
  }

  /// Packs a layer's weights for a stream.
  public static func _streamPack(_ layer: UnsafeMutablePointer<unroll_layer>) {
    unroll_stream_pack_f64(layer)
  }

  /// One step of a stack of layers.
  public static func _stackStep(_ layers: UnsafeMutablePointer<unroll_layer>, _ count: Int) {
    unroll_stack_step_f64(layers, count)
  }

  /// A dense layer forward.
  public static func _denseForward(
    _ dense: UnsafePointer<unroll_dense>, _ out: UnsafeMutablePointer<Double>
  ) {
    unroll_dense_forward_f64(dense, out)
  }

  /// A dense layer's gradients.
  public static func _denseBackward(
    _ dense: UnsafePointer<unroll_dense>, _ outGradient: UnsafePointer<Double>,
    _ inputGradient: UnsafeMutablePointer<Double>?, _ weightGradient: UnsafeMutablePointer<Double>,
    _ biasGradient: UnsafeMutablePointer<Double>?, _ adds: Bool
  ) {
    unroll_dense_backward_f64(
      dense, outGradient, inputGradient, weightGradient, biasGradient, adds ? 1 : 0)
  }

  /// Logits to the gradient of their cross-entropy.
  public static func _softmaxCrossEntropy(
    _ logits: UnsafeMutablePointer<Double>, _ losses: UnsafeMutablePointer<Double>,
    _ targets: UnsafePointer<Int32>, _ rows: Int, _ classes: Int, _ scale: Double
  ) {
    unroll_softmax_cross_entropy_f64(logits, losses, targets, rows, classes, scale)
  }

  /// Logits to probabilities.
  public static func _softmax(
    _ logits: UnsafeMutablePointer<Double>, _ rows: Int, _ classes: Int
  ) {
    unroll_softmax_f64(logits, rows, classes)
  }

  /// The sum of squares.
  public static func _sumOfSquares(_ values: UnsafePointer<Double>, _ count: Int) -> Double {
    unroll_sum_of_squares_f64(values, count)
  }

  /// Dropout in place.
  public static func _drop(
    _ values: UnsafeMutablePointer<Double>, _ count: Int, _ dropout: UnsafePointer<unroll_dropout>
  ) {
    unroll_drop_f64(values, count, dropout)
  }

  /// An optimiser's step.
  public static func _move(
    _ parameters: UnsafeMutablePointer<Double>, _ gradient: UnsafePointer<Double>,
    _ first: UnsafeMutablePointer<Double>?, _ second: UnsafeMutablePointer<Double>?, _ count: Int,
    _ update: UnsafePointer<unroll_update>
  ) {
    unroll_move_f64(parameters, gradient, first, second, count, update)
  }

  /// The basic cell's step, after the products.
  public static func _rnnForward(
    _ gates: UnsafeMutablePointer<Double>, _ hidden: UnsafeMutablePointer<Double>,
    _ previous: UnsafePointer<Double>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ function: unroll_activation
  ) {
    unroll_rnn_forward_f64(gates, hidden, previous, active, rows, size, function)
  }

  /// The basic cell's step, backward.
  public static func _rnnBackward(
    _ gateGradient: UnsafeMutablePointer<Double>, _ previousGradient: UnsafeMutablePointer<Double>,
    _ hiddenGradient: UnsafePointer<Double>, _ gates: UnsafePointer<Double>,
    _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int, _ function: unroll_activation
  ) {
    unroll_rnn_backward_f64(
      gateGradient, previousGradient, hiddenGradient, gates, active, rows, size, function)
  }

  /// The gates r and z, and r ⊙ h.
  public static func _gruBeforeGates(
    _ gates: UnsafeMutablePointer<Double>, _ scaled: UnsafeMutablePointer<Double>,
    _ previous: UnsafePointer<Double>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ gate: unroll_activation
  ) {
    unroll_gru_before_gates_f64(gates, scaled, previous, active, rows, size, gate)
  }

  /// The candidate and the new state.
  public static func _gruBeforeOutput(
    _ gates: UnsafeMutablePointer<Double>, _ hidden: UnsafeMutablePointer<Double>,
    _ previous: UnsafePointer<Double>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ candidate: unroll_activation
  ) {
    unroll_gru_before_output_f64(gates, hidden, previous, active, rows, size, candidate)
  }

  /// All of a step whose reset gate comes after the product.
  public static func _gruAfterForward(
    _ gates: UnsafeMutablePointer<Double>, _ product: UnsafeMutablePointer<Double>,
    _ hidden: UnsafeMutablePointer<Double>, _ recurrent: UnsafePointer<Double>,
    _ previous: UnsafePointer<Double>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ gate: unroll_activation, _ candidate: unroll_activation
  ) {
    unroll_gru_after_forward_f64(
      gates, product, hidden, recurrent, previous, active, rows, size, gate, candidate)
  }

  /// The gradients of z and n, and z's way to the previous state.
  public static func _gruBackward(
    _ gateGradient: UnsafeMutablePointer<Double>, _ previousGradient: UnsafeMutablePointer<Double>,
    _ hiddenGradient: UnsafePointer<Double>, _ gates: UnsafePointer<Double>,
    _ previous: UnsafePointer<Double>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ gate: unroll_activation, _ candidate: unroll_activation
  ) {
    unroll_gru_backward_f64(
      gateGradient, previousGradient, hiddenGradient, gates, previous, active, rows, size, gate,
      candidate)
  }

  /// The gradient of r, reset gate before the product.
  public static func _gruBeforeBackward(
    _ gateGradient: UnsafeMutablePointer<Double>, _ previousGradient: UnsafeMutablePointer<Double>,
    _ scaledGradient: UnsafePointer<Double>, _ gates: UnsafePointer<Double>,
    _ previous: UnsafePointer<Double>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ gate: unroll_activation
  ) {
    unroll_gru_before_backward_f64(
      gateGradient, previousGradient, scaledGradient, gates, previous, active, rows, size, gate)
  }

  /// The gradients of r and of h·U + c, reset gate after the product.
  public static func _gruAfterBackward(
    _ gateGradient: UnsafeMutablePointer<Double>, _ recurrentGradient: UnsafeMutablePointer<Double>,
    _ gates: UnsafePointer<Double>, _ product: UnsafePointer<Double>,
    _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int, _ gate: unroll_activation
  ) {
    unroll_gru_after_backward_f64(
      gateGradient, recurrentGradient, gates, product, active, rows, size, gate)
  }

  /// The LSTM's step, after the products.
  public static func _lstmForward(
    _ gates: UnsafeMutablePointer<Double>, _ cell: UnsafeMutablePointer<Double>,
    _ output: UnsafeMutablePointer<Double>, _ previousCell: UnsafePointer<Double>,
    _ peepholes: UnsafePointer<Double>?, _ active: UnsafePointer<UInt8>?, _ rows: Int,
    _ size: Int, _ options: UnsafePointer<unroll_lstm_options>
  ) {
    unroll_lstm_forward_f64(
      gates, cell, output, previousCell, peepholes, active, rows, size, options)
  }

  /// The LSTM's step, backward.
  public static func _lstmBackward(
    _ gateGradient: UnsafeMutablePointer<Double>, _ cellGradient: UnsafeMutablePointer<Double>,
    _ peepholeGradient: UnsafeMutablePointer<Double>?, _ outputGradient: UnsafePointer<Double>,
    _ gates: UnsafePointer<Double>, _ cell: UnsafePointer<Double>,
    _ previousCell: UnsafePointer<Double>, _ peepholes: UnsafePointer<Double>?,
    _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ options: UnsafePointer<unroll_lstm_options>
  ) {
    unroll_lstm_backward_f64(
      gateGradient, cellGradient, peepholeGradient, outputGradient, gates, cell, previousCell,
      peepholes, active, rows, size, options)
  }
}
