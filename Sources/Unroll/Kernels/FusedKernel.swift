internal import CUnrollKernels

/// How the fast kernels see a cell: its kind and the switches that they know.
public struct FusedKernel: Sendable {
  /// The kinds, as `unroll_layer` numbers them.
  package enum Kind: Int32, Sendable {
    case rnn = 0
    case gruBefore = 1
    case gruAfter = 2
    case lstm = 3
  }

  package var kind: Kind
  package var usesRelu = false
  package var forgetOffset = 0.0
}
