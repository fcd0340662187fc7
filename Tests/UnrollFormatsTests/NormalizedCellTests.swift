// Layer-normalized cells and zoneout's mean, against PyTorch's layer_norm and autograd
// (Scripts/golden/normalized_oracle.py).

import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Layer normalization and zoneout against PyTorch")
struct NormalizedCellTests {
  static let cases = ["rnn", "gru", "gru_after", "lstm"].flatMap { cell in
    ["normalized", "zoneout", "both"].map { (cell, $0) }
  }

  @Test("Outputs, states and every gradient, at every level of the machine", arguments: cases)
  func cell(name: String, kind: String) throws {
    for level in InstructionSet.available {
      try level.use {
        // float32: a few roundings more than PyTorch's own distance from its float64, at most 2e-6.
        try check(name, kind, "f32", 1e-5, Float.self)
        try check(name, kind, "f64", 1e-13, Double.self)
      }
    }
  }

  private func check<Scalar: KernelScalar>(
    _ name: String, _ kind: String, _ suffix: String, _ tolerance: Scalar, _ type: Scalar.Type
  ) throws {
    let golden = try NPZ(
      AtomicFile.read("\(goldenFolder)/normalized/\(name)_\(kind)_\(suffix).npz"))
    func tensor(_ name: String) throws -> Tensor<Scalar> {
      try golden.array(name).tensor(of: Scalar.self)
    }
    let x = try tensor("x")
    let (d, h) = (x.shape[2], try tensor("hidden").shape[1])
    let isNormalized = kind != "zoneout"
    var cell: Cell<Scalar> =
      switch name {
      case "rnn": Cell(.rnn, inputSize: d, hiddenSize: h, isNormalized: isNormalized)
      case "gru":
        Cell(.gruResetBefore, inputSize: d, hiddenSize: h, isNormalized: isNormalized)
      case "gru_after":
        Cell(
          .gruResetAfter, inputSize: d, hiddenSize: h, biasCount: 2,
          isNormalized: isNormalized)
      default: Cell(.lstm, inputSize: d, hiddenSize: h, isNormalized: isNormalized)
      }
    for parameter in cell.parameters.names {
      cell.parameters[parameter] = try tensor(parameter)
    }
    if kind != "normalized" { cell.zoneout = Zoneout(hidden: 0.3, cell: 0.4) }
    let layer = RecurrentLayer(cell: cell)
    let isLSTM = name == "lstm"
    let trace = layer.forward(
      x,
      from: RecurrentState(
        hidden: try tensor("hidden"), cell: isLSTM ? try tensor("cell") : nil))
    let gradients = layer.backward(
      trace, outputs: try tensor("w_outputs"),
      finalState: RecurrentState(
        hidden: try tensor("w_hidden"), cell: isLSTM ? try tensor("w_cell") : nil))
    var pairs = [
      ("outputs", trace.outputs), ("final_hidden", trace.finalState.hidden),
      ("d.x", gradients.inputs), ("d.hidden", gradients.initialState.hidden),
    ]
    if isLSTM {
      pairs += [
        ("final_cell", trace.finalState.cell), ("d.cell", gradients.initialState.cell),
      ]
    }
    pairs += gradients.parameters.names.map { ("d.\($0)", gradients.parameters[$0]) }
    #expect(
      pairs.count == (isLSTM ? 9 : 7) + (cell.parameters.recurrentBias.isEmpty ? 0 : 1)
        + (isNormalized ? (isLSTM ? 4 : 2) : 0))
    for (name, ours) in pairs {
      let theirs = try tensor(name)
      #expect(ours.shape == theirs.shape)
      let distance = (ours - theirs).maximumMagnitude
      #expect(distance <= tolerance * max(1, theirs.maximumMagnitude), "\(name)")
    }
  }
}
