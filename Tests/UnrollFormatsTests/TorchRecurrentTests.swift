// The minimal gated unit and JANET, against the package torchrecurrent and PyTorch's autograd
// (Scripts/golden/torchrecurrent_oracle.py).

import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("MGU and JANET against torchrecurrent")
struct TorchRecurrentTests {
  /// A golden case and the cell that computes the same.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let kind: CellKind
    var options = CellOptions()
    var testDescription: String { name }
  }

  /// PyTorch's, whose slope is not that of Keras 2.
  static let hardSigmoid = Activation.hardSigmoid(slope: 1.0 / 6, offset: 0.5)

  static let cases = [
    Case(name: "MGU_T7_B3_I4_H5", kind: .mgu),
    Case(name: "MGU_T5_B3_I4_H17", kind: .mgu),
    Case(name: "MGU_relu_T7_B3_I4_H5", kind: .mgu, options: CellOptions(activation: .relu)),
    Case(
      name: "MGU_hard_T7_B3_I4_H5", kind: .mgu, options: CellOptions(gateActivation: hardSigmoid)),
    Case(
      name: "MGU_relu_hard_T7_B3_I4_H5", kind: .mgu,
      options: CellOptions(activation: .relu, gateActivation: hardSigmoid)),
    Case(name: "JANET_T7_B3_I4_H5", kind: .janet),
    Case(name: "JANET_T5_B3_I4_H17", kind: .janet),
    Case(
      name: "JANET_beta0.5_T7_B3_I4_H5", kind: .janet, options: CellOptions(updateShift: 0.5)),
    Case(name: "JANET_beta0_T7_B3_I4_H5", kind: .janet, options: CellOptions(updateShift: 0)),
  ]

  @Test("Outputs, states and every gradient, with every instruction set", arguments: cases)
  func cell(golden: Case) throws {
    for isa in InstructionSet.available {
      try isa.use {
        // float32: a few roundings more than PyTorch's own distance from its float64, at most 1.4e-6.
        try check(golden, "f32", 1e-5, Float.self)
        try check(golden, "f64", 1e-13, Double.self)
      }
    }
  }

  private func check<Scalar: KernelScalar>(
    _ golden: Case, _ suffix: String, _ tolerance: Scalar, _ type: Scalar.Type
  ) throws {
    let file = "\(goldenFolder)/torchrecurrent/torchrecurrent_\(golden.name)_\(suffix).npz"
    let archive = try NPZ(AtomicFile.read(file))
    func tensor(_ name: String) throws -> Tensor<Scalar> {
      try archive.array(name).tensor(of: Scalar.self)
    }
    let (x, start) = (try tensor("x"), try tensor("h0"))
    var parameters = CellParameters<Scalar>(
      gates: golden.kind.gates, inputSize: x.shape[2], hiddenSize: start.shape[1])
    for name in parameters.names { parameters[name] = try tensor("w.\(name)") }
    let layer = RecurrentLayer(
      cell: Cell<Scalar>(golden.kind, parameters: parameters, options: golden.options))
    let trace = layer.forward(x, from: RecurrentState(hidden: start), layout: .batchMajor)
    let gradients = layer.backward(
      trace, outputs: try tensor("loss_w"),
      finalState: RecurrentState(hidden: try tensor("loss_f")))
    var pairs = [
      ("y", trace.outputs, try tensor("y")), ("hT", trace.finalState.hidden, try tensor("hT")),
    ]
    // The file has the gradients of each loss by itself; here both are propagated together.
    func addGradient(_ name: String, _ ours: Tensor<Scalar>) throws {
      pairs.append((name, ours, try tensor("gw.\(name)") + tensor("gf.\(name)")))
    }
    try addGradient("x", gradients.inputs)
    try addGradient("h0", gradients.initialState.hidden)
    for name in gradients.parameters.names {
      try addGradient("w.\(name)", gradients.parameters[name])
    }
    #expect(pairs.count == 7)
    for (name, ours, theirs) in pairs {
      #expect(ours.shape == theirs.shape, "\(name)")
      let distance = (ours - theirs).maximumMagnitude
      #expect(distance <= tolerance * max(1, theirs.maximumMagnitude), "\(name), \(suffix)")
    }
  }
}
