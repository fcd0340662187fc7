// The one bridge to the C kernels. `Float+Kernel.swift` and `Double+Kernel.swift` forward each
// requirement, one line each; nothing else in the package calls C.

public import CUnrollKernels
public import RealModule

/// An element type that the kernels know: `Float` or `Double`.
///
/// The underscored requirements forward to C and are no stable interface; what each computes
/// stands in `unroll_kernels.h`. Other types cannot usefully conform.
public protocol KernelScalar: Real, BinaryFloatingPoint, Codable, Sendable {
  /// The name of the type where files and messages need one: `float32` or `float64`.
  static var elementTypeName: String { get }

  /// out[m,n] += a[m,k]·b[k,n].
  static func _product(
    _ out: UnsafeMutablePointer<Self>, _ ldout: Int, _ a: UnsafePointer<Self>, _ lda: Int,
    _ b: UnsafePointer<Self>, _ ldb: Int, _ m: Int, _ k: Int, _ n: Int)
  /// out[k,n] += a[m,k]ᵀ·b[m,n], by the plain kernel.
  static func _productTransposed(
    _ out: UnsafeMutablePointer<Self>, _ ldout: Int, _ a: UnsafePointer<Self>, _ lda: Int,
    _ b: UnsafePointer<Self>, _ ldb: Int, _ m: Int, _ k: Int, _ n: Int)
  /// out[k,n] += a[m,k]ᵀ·b[m,n], by the fast kernel.
  static func _transposedSum(
    _ out: UnsafeMutablePointer<Self>, _ ldout: Int, _ a: UnsafePointer<Self>, _ lda: Int,
    _ b: UnsafePointer<Self>, _ ldb: Int, _ m: Int, _ k: Int, _ n: Int,
    _ scratch: UnsafeMutablePointer<Self>)
  /// out[n,m] = a[m,n]ᵀ.
  static func _transpose(
    _ out: UnsafeMutablePointer<Self>, _ a: UnsafePointer<Self>, _ m: Int, _ n: Int)
  /// out[n] += the sum of a's m rows.
  static func _columnSums(
    _ out: UnsafeMutablePointer<Self>, _ a: UnsafePointer<Self>, _ m: Int, _ n: Int)
  /// Each of m rows of out = row.
  static func _fillRows(
    _ out: UnsafeMutablePointer<Self>, _ row: UnsafePointer<Self>, _ m: Int, _ n: Int)
  /// Inactive rows of out = rows of other, or zero.
  static func _replaceInactive(
    _ out: UnsafeMutablePointer<Self>, _ other: UnsafePointer<Self>?,
    _ active: UnsafePointer<UInt8>?, _ m: Int, _ n: Int)
  /// Active rows of out += scale·a.
  static func _addRows(
    _ out: UnsafeMutablePointer<Self>, _ a: UnsafePointer<Self>, _ scale: Self,
    _ active: UnsafePointer<UInt8>?, _ m: Int, _ n: Int)
  /// Values limited to ±limit.
  static func _clip(_ values: UnsafeMutablePointer<Self>, _ limit: Self, _ count: Int)
  /// Gradient zero where the value stands at ±limit.
  static func _clipBackward(
    _ gradient: UnsafeMutablePointer<Self>, _ values: UnsafePointer<Self>, _ limit: Self,
    _ count: Int)
  /// Values passed through a function.
  static func _activate(
    _ values: UnsafeMutablePointer<Self>, _ function: unroll_activation, _ count: Int)

  /// Whether the C functions take the type as double.
  static var _isDouble: Int32 { get }
  /// Packs a layer's weights for the forward pass.
  static func _layerPack(_ layer: UnsafePointer<unroll_layer>)
  /// A layer over a whole sequence.
  static func _layerForward(_ layer: UnsafePointer<unroll_layer>)
  /// A layer's gradients over a whole sequence.
  static func _layerBackward(
    _ layer: UnsafePointer<unroll_layer>, _ gradients: UnsafePointer<unroll_layer_gradients>)

  /// Packs a layer's weights for a stream.
  static func _streamPack(_ layer: UnsafeMutablePointer<unroll_layer>)
  /// One step of a stack of layers.
  static func _stackStep(_ layers: UnsafeMutablePointer<unroll_layer>, _ count: Int)

  /// A dense layer forward.
  static func _denseForward(
    _ dense: UnsafePointer<unroll_dense>, _ out: UnsafeMutablePointer<Self>)
  /// A dense layer's gradients.
  static func _denseBackward(
    _ dense: UnsafePointer<unroll_dense>, _ outGradient: UnsafePointer<Self>,
    _ inputGradient: UnsafeMutablePointer<Self>?, _ weightGradient: UnsafeMutablePointer<Self>,
    _ biasGradient: UnsafeMutablePointer<Self>?, _ adds: Bool)
  /// Logits to the gradient of their cross-entropy.
  static func _softmaxCrossEntropy(
    _ logits: UnsafeMutablePointer<Self>, _ losses: UnsafeMutablePointer<Double>,
    _ targets: UnsafePointer<Int32>, _ rows: Int, _ classes: Int, _ scale: Self)
  /// Logits to probabilities.
  static func _softmax(_ logits: UnsafeMutablePointer<Self>, _ rows: Int, _ classes: Int)
  /// The sum of squares.
  static func _sumOfSquares(_ values: UnsafePointer<Self>, _ count: Int) -> Double
  /// Dropout in place.
  static func _drop(
    _ values: UnsafeMutablePointer<Self>, _ count: Int, _ dropout: UnsafePointer<unroll_dropout>)
  /// An optimiser's step.
  static func _move(
    _ parameters: UnsafeMutablePointer<Self>, _ gradient: UnsafePointer<Self>,
    _ first: UnsafeMutablePointer<Self>?, _ second: UnsafeMutablePointer<Self>?, _ count: Int,
    _ update: UnsafePointer<unroll_update>)

  /// The basic cell's step, after the products.
  static func _rnnForward(
    _ gates: UnsafeMutablePointer<Self>, _ hidden: UnsafeMutablePointer<Self>,
    _ previous: UnsafePointer<Self>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ function: unroll_activation)
  /// The basic cell's step, backward.
  static func _rnnBackward(
    _ gateGradient: UnsafeMutablePointer<Self>, _ previousGradient: UnsafeMutablePointer<Self>,
    _ hiddenGradient: UnsafePointer<Self>, _ gates: UnsafePointer<Self>,
    _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int, _ function: unroll_activation)
  /// The gates r and z, and r ⊙ h.
  static func _gruBeforeGates(
    _ gates: UnsafeMutablePointer<Self>, _ scaled: UnsafeMutablePointer<Self>,
    _ previous: UnsafePointer<Self>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ gate: unroll_activation)
  /// The candidate and the new state.
  static func _gruBeforeOutput(
    _ gates: UnsafeMutablePointer<Self>, _ hidden: UnsafeMutablePointer<Self>,
    _ previous: UnsafePointer<Self>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ candidate: unroll_activation)
  /// All of a step whose reset gate comes after the product.
  static func _gruAfterForward(
    _ gates: UnsafeMutablePointer<Self>, _ product: UnsafeMutablePointer<Self>,
    _ hidden: UnsafeMutablePointer<Self>, _ recurrent: UnsafePointer<Self>,
    _ previous: UnsafePointer<Self>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ gate: unroll_activation, _ candidate: unroll_activation)
  /// The gradients of z and n, and z's way to the previous state.
  static func _gruBackward(
    _ gateGradient: UnsafeMutablePointer<Self>, _ previousGradient: UnsafeMutablePointer<Self>,
    _ hiddenGradient: UnsafePointer<Self>, _ gates: UnsafePointer<Self>,
    _ previous: UnsafePointer<Self>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ gate: unroll_activation, _ candidate: unroll_activation)
  /// The gradient of r, reset gate before the product.
  static func _gruBeforeBackward(
    _ gateGradient: UnsafeMutablePointer<Self>, _ previousGradient: UnsafeMutablePointer<Self>,
    _ scaledGradient: UnsafePointer<Self>, _ gates: UnsafePointer<Self>,
    _ previous: UnsafePointer<Self>, _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ gate: unroll_activation)
  /// The gradients of r and of h·U + c, reset gate after the product.
  static func _gruAfterBackward(
    _ gateGradient: UnsafeMutablePointer<Self>, _ recurrentGradient: UnsafeMutablePointer<Self>,
    _ gates: UnsafePointer<Self>, _ product: UnsafePointer<Self>,
    _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int, _ gate: unroll_activation)
  /// The LSTM's step, after the products.
  static func _lstmForward(
    _ gates: UnsafeMutablePointer<Self>, _ cell: UnsafeMutablePointer<Self>,
    _ output: UnsafeMutablePointer<Self>, _ previousCell: UnsafePointer<Self>,
    _ peepholes: UnsafePointer<Self>?, _ active: UnsafePointer<UInt8>?, _ rows: Int,
    _ size: Int, _ options: UnsafePointer<unroll_lstm_options>)
  /// The LSTM's step, backward.
  static func _lstmBackward(
    _ gateGradient: UnsafeMutablePointer<Self>, _ cellGradient: UnsafeMutablePointer<Self>,
    _ peepholeGradient: UnsafeMutablePointer<Self>?, _ outputGradient: UnsafePointer<Self>,
    _ gates: UnsafePointer<Self>, _ cell: UnsafePointer<Self>,
    _ previousCell: UnsafePointer<Self>, _ peepholes: UnsafePointer<Self>?,
    _ active: UnsafePointer<UInt8>?, _ rows: Int, _ size: Int,
    _ options: UnsafePointer<unroll_lstm_options>)
}
