// Chaotic cases: correct programs may differ by amplified rounding, incorrect ones must be rejected. The set
// is TensorFlow's (Scripts/golden/chaotic_notebook.py).

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollLab
import UnrollTestSupport
import UnrollVerification

@Suite("Chaotic cases")
struct ChaoticTests {
  static let folder = "\(goldenFolder)/chaotic"

  @Test("A correct program passes where rounding grows beyond every constant bound")
  func correct() throws {
    let verdicts = Verification.run(try GoldenSet(folder: Self.folder))
    #expect(verdicts.count == 3)
    for verdict in verdicts {
      #expect(
        verdict.verdict == .passed,
        "\(verdict.name): \(verdict.reason ?? "") \(verdict.checks.filter { !$0.passes })")
      // A bound that accepts any number would be useless.
      for check in verdict.checks where check.quantity.hasPrefix("states") {
        #expect(check.bound < 0.1, "\(verdict.name): \(check)")
      }
    }
    // Quantities within the constant bounds keep them.
    let early = try #require(verdicts.first { $0.name == "chaotic_seed7_scale3" })
    let bounds = early.checks.filter { $0.quantity.hasSuffix("f64") }.compactMap(\.relativeBound)
    #expect(bounds.allSatisfy { $0 <= 1e-10 } && !bounds.isEmpty)
  }

  /// The error of a program.
  enum Mistake: String, CaseIterable, Sendable {
    case oneWeight = "a thousandth in one weight"
    case laterStep = "states of the step after"
    case gruVariant = "the reset gate after the product"
    case swappedGates = "reset and update gate exchanged"
  }

  @Test("A wrong program fails in a chaotic case", arguments: Mistake.allCases)
  func wrong(_ mistake: Mistake) throws {
    let (set, golden, archive) = try Self.open("chaotic_seed5_scale8")
    let problem = try DependencyCase(golden, archive)
    var arrays = Dictionary(
      uniqueKeysWithValues: try archive.names.map { ($0, try archive.array($0)) })
    try Self.replace(&arrays, Float.self, "f32", problem, mistake)
    try Self.replace(&arrays, Double.self, "f64", problem, mistake)
    let verdict = try Self.verify(arrays, set, golden)
    #expect(verdict.verdict == .failed)
    // Each quantity alone would pass; the draws are unchanged.
    for quantity in ["states f32", "distances f64"] {
      let check = try #require(verdict.checks.first { $0.quantity == quantity })
      #expect(!check.passes, "\(mistake.rawValue): \(check)")
    }
    #expect(verdict.checks.first { $0.quantity == "draws" }?.passes == true)
  }

  @Test("The same arrays, recomputed without a mistake, pass")
  func recomputed() throws {
    let (set, golden, archive) = try Self.open("chaotic_seed5_scale8")
    let problem = try DependencyCase(golden, archive)
    var arrays = Dictionary(
      uniqueKeysWithValues: try archive.names.map { ($0, try archive.array($0)) })
    try Self.replace(&arrays, Double.self, "f64", problem, nil)
    let verdict = try Self.verify(arrays, set, golden)
    #expect(verdict.verdict == .passed, "\(verdict)")
  }

  @Test("A chaotic network of another kind is judged by what rounding does to it")
  func network() throws {
    // A TensorFlow cell in float64, run for 60 steps with weights of ±3 by a program with another rounding.
    var random = NumPyRandom(seed: 3)
    func draw(_ shape: [Int], _ scale: Double) -> Tensor<Double> {
      ((random.rand(shape) - 0.5) * scale).roundedToFloat()
    }
    let (x, h) = (draw([6, 60, 3], 2), draw([6, 12], 2))
    var arrays = ["x": x, "h0": h, "w.kernel": draw([15, 12], 6), "w.bias": draw([12], 1)]
    func outputs(_ kernel: Tensor<Double>) throws -> (Tensor<Double>, Tensor<Double>) {
      var (state, steps) = (h, [Tensor<Double>]())
      for step in 0..<60 {
        let input = Tensor.concatenatingLastAxis([x.exchangingFirstAxes[step, ...], state])
        var rows: [[Double]] = []
        for row in 0..<6 {
          rows.append(
            (0..<12).map { unit in
              // Summed in reverse order.
              var sum = arrays["w.bias"]?[unit] ?? 0
              for index in (0..<15).reversed() {
                sum += input[row, index] * kernel[index, unit]
              }
              return tanh(sum)
            })
        }
        state = Tensor(rows: rows)
        steps.append(state)
      }
      let all = Tensor(shape: [60, 6, 12], elements: steps.flatMap(\.elements))
      return (all.exchangingFirstAxes, state)
    }
    let kernel = try #require(arrays["w.kernel"])
    func verdict() throws -> CaseVerdict {
      let entry: [String: Any] = [
        "name": "it", "group": "cells", "source": "tf1", "cell": "BasicRNNCell",
        "convention": "tf.BasicRNNCell", "layout": "single", "dtype": "float64",
        "params": [String: Any](), "sizes": ["T": 60, "B": 6, "I": 3, "H": 12],
      ]
      return try Self.verify(arrays.mapValues { StoredArray($0) }, entry)
    }
    (arrays["y"], arrays["hT"]) = try outputs(kernel)
    let right = try verdict()
    #expect(right.verdict == .passed, "\(right)")
    let states = try #require(right.checks.first { $0.quantity == "states" })
    #expect(states.worst > 1e-12 && states.bound < 1e-2)
    // A weight with an error in the seventh digit.
    var other = kernel
    var row = other[7, ...]
    row[3] += 1e-7
    other[7, ...] = row
    (arrays["y"], arrays["hT"]) = try outputs(other)
    #expect(try verdict().verdict == .failed)
  }

  // MARK: -

  static func open(_ name: String) throws -> (GoldenSet, GoldenCase, NPZ) {
    let set = try GoldenSet(folder: folder)
    let golden = try #require(set.cases.first { $0.name == name })
    return (set, golden, try set.archive(of: golden))
  }

  /// Replaces the arrays of one precision with those of an incorrect program.
  private static func replace<Scalar: KernelScalar>(
    _ arrays: inout [String: StoredArray], _ type: Scalar.Type, _ suffix: String,
    _ problem: DependencyCase, _ mistake: Mistake?
  ) throws {
    let inputs = Tensor<Scalar>(Tensor<Float>(problem.draws.inputs) - 0.5).exchangingFirstAxes
    var rnn: CellParameters<Scalar> = try problem.parameters("", problem.settings.scale)
    if mistake == .oneWeight { rnn.recurrentWeights[0, 0] += 1e-3 }
    var gru: CellParameters<Scalar> = problem.weights.gru()
    if mistake == .swappedGates { (gru[.reset], gru[.update]) = (gru[.update], gru[.reset]) }
    let cells: [(String, Cell<Scalar>)] = [
      ("rnn", Cell(.rnn, parameters: rnn)),
      (
        "gru_init",
        Cell(
          mistake == .gruVariant ? .gruResetAfter : .gruResetBefore, parameters: gru)
      ),
    ]
    let shape = [problem.settings.batchSize, problem.settings.hiddenSize]
    for (name, cell) in cells {
      for step in problem.settings.steps {
        let tag = name == "rnn" ? "rnn" : "gru"
        let first = try problem.draws.tensor("init_rand1 \(tag) \(step)", shape)
        let second = try problem.draws.tensor("init_rand2 \(tag) \(step)", shape)
        let runs = FourRuns(
          cell, inputs, DrawnState(hidden: first), DrawnState(hidden: second))
        let read = mistake == .laterStep ? step + 1 : step
        for (index, norms) in runs.norms(at: read).enumerated() {
          let name = "\(name).step\(step).\(suffix).norm_diff\(index + 1)"
          arrays[name] = StoredArray(Tensor(norms))
        }
        for (index, state) in ["zero", "rand1", "rand2", "scaleup1"].enumerated() {
          let name = "\(name).step\(step).\(suffix).state_\(state)"
          guard arrays[name] != nil else { continue }
          arrays[name] = StoredArray(runs.traces[index].hiddenStates[read, ...])
        }
      }
    }
  }

  private static func verify(
    _ arrays: [String: StoredArray], _ set: GoldenSet, _ golden: GoldenCase
  ) throws -> CaseVerdict {
    let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/index.json"))
    let index = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    let cases = try #require(index["cases"] as? [[String: Any]])
    return try verify(arrays, #require(cases.first { $0["name"] as? String == golden.name }))
  }

  private static func verify(
    _ arrays: [String: StoredArray], _ entry: [String: Any]
  ) throws -> CaseVerdict {
    try withTemporaryFolder { folder in
      var entry = entry
      entry["sha256"] = nil
      entry["file"] = "it.npz"
      try AtomicFile.write(NPZ.encode(arrays), to: folder + "/it.npz")
      try JSONSerialization.data(withJSONObject: ["cases": [entry]])
        .write(to: URL(fileURLWithPath: folder + "/index.json"))
      return try #require(Verification.run(try GoldenSet(folder: folder)).first)
    }
  }
}
