/// The state that a cell carries from one time step to the next.
///
/// `cell` is empty, of shape `[B, 0]`, for cells without a cell state.
public struct RecurrentState<Scalar: KernelScalar>: Sendable, Equatable {
  /// h, shape `[B, P]`.
  public var hidden: Tensor<Scalar>
  /// c, shape `[B, H]` for an LSTM, otherwise `[B, 0]`.
  public var cell: Tensor<Scalar>

  /// Creates a state; the cell state is empty by default.
  public init(hidden: Tensor<Scalar>, cell: Tensor<Scalar>? = nil) {
    self.hidden = hidden
    self.cell = cell ?? Tensor(shape: [hidden.shape.first ?? 0, 0])
  }
}
