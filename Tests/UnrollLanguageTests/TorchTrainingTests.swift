// Compares entire training runs of small models, step by step, with PyTorch's losses from the same initial
// parameters (Scripts/golden/language_oracle.py).

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollLanguage
import UnrollTestSupport

@Suite("Training against PyTorch")
struct TorchTrainingTests {
  static let cells = ["rnn", "gru", "lstm"]
  static let rules = ["sgd", "momentum", "adam", "adamw", "rmsprop"]

  static let cases: [(String, String, Bool)] =
    cells.flatMap { cell in rules.map { (cell, $0, false) } } + cells.map { ($0, "sgd", true) }

  @Test(
    "Twenty steps have PyTorch's losses, gradient norms and final parameters", arguments: cases)
  func run(cell: String, rule: String, isTied: Bool) throws {
    // float32: 20 steps of rounding, some of them amplified; float64 shows the method.
    try check("\(cell)_\(rule)\(isTied ? "_tied" : "")_f64", cell, rule, isTied, 1e-11, Double.self)
    try check("\(cell)_\(rule)\(isTied ? "_tied" : "")_f32", cell, rule, isTied, 2e-5, Float.self)
  }

  private func check<Scalar: KernelScalar>(
    _ file: String, _ cell: String, _ rule: String, _ isTied: Bool, _ tolerance: Double,
    _ type: Scalar.Type
  ) throws {
    let bytes = try AtomicFile.read("\(goldenFolder)/language/\(file).npz")
    let golden = try NPZ(bytes)
    func tensor(_ name: String) throws -> Tensor<Scalar> {
      try golden.array(name).tensor(of: Scalar.self)
    }
    func model(_ prefix: String) throws -> LanguageModel<Scalar> {
      let embedding = try tensor(prefix + "embedding.weight")
      let kind: CellKind = cell == "rnn" ? .rnn : cell == "gru" ? .gruResetAfter : .lstm
      let size = try tensor(prefix + "rnn.weight_hh_l0").shape[1]
      var model = LanguageModel<Scalar>(
        ModelConfiguration(
          vocabularySize: embedding.shape[0], embeddingSize: embedding.shape[1], hiddenSize: size,
          layers: 2, cell: kind, isTied: isTied)
      )
      model.embedding.vectors = embedding
      for layer in 0..<2 {
        var arrays: [String: Tensor<Scalar>] = [:]
        for name in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] {
          arrays[name] = try tensor("\(prefix)rnn.\(name)_l\(layer)")
        }
        model.layers[layer].cell = try TorchModule(kind).cell(from: arrays)
      }
      if !isTied { model["softmax.weights"] = try tensor(prefix + "decoder.weight").transposed }
      model["softmax.bias"] = try tensor(prefix + "decoder.bias")
      return model
    }
    var training = TrainingConfiguration()
    (training.batchSize, training.timeSteps, training.clipNorm) = (3, 5, 0.25)
    switch rule {
    case "sgd": (training.optimizer, training.learningRate) = (.sgd, 1)
    case "momentum": (training.optimizer, training.learningRate) = (.momentum, 0.3)
    case "adam": (training.optimizer, training.learningRate) = (.adam, 0.01)
    case "adamw":
      (training.optimizer, training.learningRate, training.weightDecay) = (.adam, 0.01, 0.1)
    default:
      (training.optimizer, training.learningRate, training.beta2) = (.rmsprop, 0.01, 0.99)
    }
    let first = try model("")
    var state = TrainingState(first, training)
    var pass = ModelPass(first)
    let tokens = try golden.array("tokens").integers().map { Int32($0) }
    let losses = try golden.array("losses").tensor(of: Double.self).elements
    let norms = try golden.array("norms").tensor(of: Double.self).elements
    let source = BatchSource(EncodedText(tokens), batchSize: 3, timeSteps: 5)
    var batch = LanguageBatch(timeStepCount: 0, batchSize: 0, inputs: [], targets: [])
    for (step, expected) in losses.enumerated() {
      let next = source.fill(&batch, at: step * 5, step: step)
      #expect(next == step * 5 + 5)
      let loss = pass.run(state.model, batch, states: &state.states, masks: nil)
      let norm = pass.gradients.norm
      #expect(abs(loss - expected) <= tolerance, "step \(step)")
      #expect(abs(norm - norms[step]) <= tolerance * 10, "step \(step)")
      state.update(with: pass.gradients, norm: norm, rate: training.learningRate, training)
    }
    #expect(losses.count == 20)
    let last = try model("final.")
    for (ours, theirs) in zip(state.model.parameters, last.parameters) {
      let distance = (ours - theirs).maximumMagnitude
      #expect(Double(distance) <= tolerance * 100)
    }
  }
}
