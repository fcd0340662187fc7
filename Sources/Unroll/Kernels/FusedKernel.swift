internal import CUnrollKernels
internal import UnrollContracts

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
  package var zoneout = Zoneout.none
  package var isNormalized = false

  /// Whether the plain kernels know the cell, too.
  package var hasPlainTwin: Bool { !isNormalized && !zoneout.isActive }
}

extension RecurrentCell {
  /// The kernel that runs the cell now; nil for the plain ones.
  ///
  /// - Precondition: Only cells with the usual functions are normalised or have zoneout.
  var currentKernel: FusedKernel? {
    guard let kernel = fusedKernel else {
      require(
        !parameters.isNormalized && !zoneout.isActive,
        "RecurrentCell: expected the usual functions, no clip and no projection in a cell with layer normalisation or zoneout."
      )
      return nil
    }
    return KernelLevel.current == .plain && kernel.hasPlainTwin ? nil : kernel
  }
}
