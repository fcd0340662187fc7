internal import UnrollContracts

/// How the fast kernels see a cell: its kind and the switches that they know.
public struct FusedKernel: Sendable {
  package var kind: CellKind
  package var usesRelu = false
  package var forgetOffset = 0.0
  package var zoneout = Zoneout.none
  package var isNormalized = false

  /// Whether the plain kernels know the cell, too.
  package var hasPlainTwin: Bool { !isNormalized && !zoneout.isActive }
}

extension Cell {
  /// What the fast kernels need to know to run the cell; nil for options that they do not have.
  ///
  /// They have the default functions (in a cell without gates relu, too) and the forget gate's offset, but no clip,
  /// no coupled gates and no projection.
  public var fusedKernel: FusedKernel? {
    let usesRelu = kind.gateCount == 1 && options.activation == .relu
    let known = CellOptions(
      activation: usesRelu ? .relu : .tanh, forgetOffset: options.forgetOffset)
    guard parameters.projection.isEmpty, options == known else { return nil }
    return FusedKernel(
      kind: kind, usesRelu: usesRelu, forgetOffset: options.forgetOffset, zoneout: zoneout,
      isNormalized: parameters.isNormalized)
  }

  /// The kernel that runs the cell now; nil for the plain ones.
  ///
  /// - Precondition: Only cells with the usual functions are normalised or have zoneout.
  var currentKernel: FusedKernel? {
    guard let kernel = fusedKernel else {
      require(
        !parameters.isNormalized && !zoneout.isActive,
        "Cell: expected the usual functions, no clip and no projection in a cell with layer normalisation or zoneout."
      )
      return nil
    }
    return KernelLevel.current == .plain && kernel.hasPlainTwin ? nil : kernel
  }
}
