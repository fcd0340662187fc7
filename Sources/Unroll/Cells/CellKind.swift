// The table of cell kinds. Everything that depends on the kind is derived from it.
//
// Legend: x `[B, D]` input, h `[B, P]` hidden state, c `[B, H]` cell state, W `[D, G·H]`, U `[P, G·H]` and
// b `[G·H]` with a block of H columns for each gate.

internal import CUnrollKernels

/// The equations of a recurrent cell.
public enum CellKind: String, Sendable, Codable, CaseIterable {
  /// The basic recurrent cell.
  ///
  /// ```
  /// h′ = tanh(x·W + h·U + b)
  /// ```
  ///
  /// TensorFlow 1's `BasicRNNCell`, PyTorch's `nn.RNN` and Keras' `SimpleRNN` compute the same.
  ///
  /// Derivation: <doc:BasicRNN-derivation>. Source: Elman, Finding structure in time (1990).
  case rnn

  /// The gated recurrent unit with the reset gate before the product.
  ///
  /// ```
  /// r  = σ(x·Wr + h·Ur + br)                  reset gate
  /// z  = σ(x·Wz + h·Uz + bz)                  update gate
  /// n  = tanh(x·Wn + (r ⊙ h)·Un + bn)         candidate
  /// h′ = (1 − z) ⊙ n + z ⊙ h
  /// ```
  ///
  /// TensorFlow 1's `GRUCell`, Keras with `reset_after=False` and ONNX with `linear_before_reset=0` compute
  /// this. Weights trained for one variant give wrong results in the other, without an error.
  ///
  /// Derivation: <doc:GRU-derivation>. Source: Cho et al. 2014,
  /// [arXiv:1406.1078](https://arxiv.org/abs/1406.1078), with the roles of z and 1 − z as in TensorFlow,
  /// PyTorch and Keras: z near 1 keeps the state.
  case gruResetBefore = "gru"

  /// The gated recurrent unit with the reset gate after the product.
  ///
  /// ```
  /// r  = σ(x·Wr + h·Ur + br + cr)             reset gate
  /// z  = σ(x·Wz + h·Uz + bz + cz)             update gate
  /// n  = tanh(x·Wn + r ⊙ (h·Un + cn) + bn)    candidate
  /// h′ = (1 − z) ⊙ n + z ⊙ h
  /// ```
  ///
  /// cuDNN, PyTorch's `nn.GRU`, Keras with `reset_after=True` (its default), MLX and ONNX with
  /// `linear_before_reset=1` compute this. The second bias c `[3·H]` is optional.
  ///
  /// Derivation: <doc:GRU-derivation>.
  case gruResetAfter = "gru-after"

  /// The long short-term memory.
  ///
  /// ```
  /// i  = σ(x·Wi + h·Ui + bi + pi ⊙ c)             input gate
  /// f  = σ(x·Wf + h·Uf + bf + pf ⊙ c + offset)    forget gate
  /// g  = tanh(x·Wg + h·Ug + bg)                   candidate
  /// c′ = clip(f ⊙ c + i ⊙ g)
  /// o  = σ(x·Wo + h·Uo + bo + po ⊙ c′)            output gate
  /// m  = o ⊙ tanh(c′)
  /// h′ = m, or clip(m·Q) with a projection Q
  /// ```
  ///
  /// The peepholes p `[3, H]` of i, f and o and the projection Q `[H, P]` are optional. Without options it is
  /// the cell of Keras and PyTorch; TensorFlow 1 adds an offset of 1 to the forget gate.
  ///
  /// Derivation: <doc:LSTM-derivation>. Source: Hochreiter and Schmidhuber 1997; the forget gate of Gers et
  /// al. 2000; peepholes of Gers et al. 2002; the projection of Sak et al. 2014.
  case lstm

  /// The minimal gated unit.
  ///
  /// ```
  /// f  = σ(x·Wf + h·Uf + bf)                  forget gate
  /// n  = tanh(x·Wn + (f ⊙ h)·Un + bn)         candidate
  /// h′ = (1 − f) ⊙ h + f ⊙ n
  /// ```
  ///
  /// Derivation: <doc:MGU-derivation>. Source: Zhou et al. 2016, [arXiv:1603.09420](https://arxiv.org/abs/1603.09420).
  case mgu

  /// JANET, just another network: a cell whose only gate is a forget gate.
  ///
  /// ```
  /// s  = x·Wf + h·Uf + bf
  /// f  = σ(s)                                 forget gate
  /// n  = tanh(x·Wn + h·Un + bn)               candidate
  /// h′ = f ⊙ h + (1 − σ(s − β)) ⊙ n           β is CellOptions.updateShift, 1 as published
  /// ```
  ///
  /// The authors initialise it with ``Cell/initializeChrono(longest:using:)``.
  ///
  /// Derivation: <doc:JANET-derivation>. Source: van der Westhuizen and Lasenby 2018,
  /// [arXiv:1804.04849](https://arxiv.org/abs/1804.04849).
  case janet

  // MARK: - The table

  /// The index of the kind in the kernels' table (`unroll_cells.h`), which holds the rest of its row.
  package var kernelNumber: Int32 {
    let number =
      switch self {
      case .rnn: UNROLL_RNN
      case .gruResetBefore: UNROLL_GRU_BEFORE
      case .gruResetAfter: UNROLL_GRU_AFTER
      case .lstm: UNROLL_LSTM
      case .mgu: UNROLL_MGU
      case .janet: UNROLL_JANET
      }
    return Int32(number)
  }

  /// The properties that only Swift needs, indexed by kernel number.
  ///
  /// Stored once because a pass of a small layer takes only a microsecond.
  private static let rows: [Row] = [
    Row("RNN", [.candidate], options: .ungated),
    Row(
      "GRU", [.reset, .update, .candidate], retention: Retention(.update), options: .gated,
      parts: .recurrentBias),
    Row(
      "GRU (reset after)", [.reset, .update, .candidate], retention: Retention(.update),
      options: .gated,
      parts: .recurrentBias),
    Row(
      "LSTM", [.input, .forget, .candidate, .output], retention: Retention(.forget),
      options: .withCellState,
      parts: [.peepholes, .projection]),
    Row(
      "MGU", [.forget, .candidate], retention: Retention(.forget, isComplement: true),
      options: .gated),
    Row(
      "JANET", [.forget, .candidate], retention: Retention(.forget),
      options: [.gated, .updateShift]),
  ]

  private struct Row {
    let title: String
    let gates: [Gate]
    let retention: Retention?
    let options: CellOptions.Fields
    let parts: ParameterParts

    init(
      _ title: String, _ gates: [Gate], retention: Retention? = nil, options: CellOptions.Fields,
      parts: ParameterParts = []
    ) {
      self.title = title
      self.gates = gates
      self.retention = retention
      self.options = options
      self.parts = parts.union(.gains)
    }
  }

  /// The kind's row in the kernels' table.
  private var kernelRow: unroll_cell { unroll_cell_of(kernelNumber) }

  // MARK: - Columns

  /// The name in tables, figures and messages.
  public var title: String { Self.rows[Int(kernelNumber)].title }
  /// The gates in the order of the parameters' columns.
  public var gates: [Gate] { Self.rows[Int(kernelNumber)].gates }
  /// G, the number of gates.
  public var gateCount: Int { Int(kernelRow.gates) }
  /// Whether there is a cell state c in addition to the hidden state h.
  public var hasCellState: Bool { kernelRow.has_cell != 0 }
  /// The position of the candidate's recurrent product in the equations.
  public var candidate: CandidateProduct {
    switch Int(kernelRow.candidate) {
    case UNROLL_SEPARATE: .separate
    case UNROLL_LATE: .late
    default: .together
    }
  }
  /// The fraction of the old state that a step keeps; nil if no gate controls it.
  public var retention: Retention? { Self.rows[Int(kernelNumber)].retention }
  /// The options that this kind uses; the others must have their defaults.
  public var optionFields: CellOptions.Fields { Self.rows[Int(kernelNumber)].options }
  /// The optional parameters that this kind supports.
  package var parts: ParameterParts { Self.rows[Int(kernelNumber)].parts }
  /// Returns the constant that the kernels add to a gate's argument: the forget gate's offset, or β.
  func shift(_ options: CellOptions) -> Double {
    optionFields.contains(.updateShift) ? options.updateShift : options.forgetOffset
  }
}

/// The position of the candidate's recurrent product in a cell's equations.
///
/// For ``separate`` and ``late``, the candidate is the last gate.
public enum CandidateProduct: Sendable {
  /// Computed with the other gates: h·U is one product.
  case together
  /// Scaled by another gate before it is added, as in r ⊙ (h·Un + cn), so its gradient differs from the gate's.
  case separate
  /// Computed after the other gates, as in (r ⊙ h)·Un: a second product.
  case late
}

/// The optional parameters of a cell.
package struct ParameterParts: OptionSet, Sendable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// A second bias, added to h·U.
  package static let recurrentBias = ParameterParts(rawValue: 1)
  /// Peepholes from the cell state to the gates.
  package static let peepholes = ParameterParts(rawValue: 2)
  /// A projection of the output.
  package static let projection = ParameterParts(rawValue: 4)
  /// The gains of layer normalisation.
  package static let gains = ParameterParts(rawValue: 8)

  /// A list of the parts for messages.
  var words: String {
    let all: [(ParameterParts, String)] = [
      (.recurrentBias, "a second bias"), (.peepholes, "peepholes"), (.projection, "a projection"),
      (.gains, "layer normalisation"),
    ]
    return all.filter { contains($0.0) }.map(\.1).joined(separator: " and ")
  }
}
