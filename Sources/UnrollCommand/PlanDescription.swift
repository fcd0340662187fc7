#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollFigures

/// The sizes of a layer as `unroll info --plan` takes them: `lstm H=256 B=1 T=1 threads=2`.
struct PlanDescription {
  var kind = CellKind.lstm
  /// H, B, T and the number of threads; D is H unless it is given.
  var sizes = ["H": 0, "B": 1, "T": 1, "D": 0, "threads": Threads.count]
  var isDouble = false

  /// Reads a description.
  ///
  /// - Throws: `ValidationError` naming the word that cannot be read.
  init(_ text: String) throws {
    let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
    let kinds = CellKind.allCases.map(\.rawValue).joined(separator: ", ")
    guard let first = words.first, let kind = CellKind(rawValue: first) else {
      throw ValidationError(
        "--plan: expected a cell (\(kinds)) followed by sizes such as H=256 B=1 T=1 threads=2, got '\(text)'."
      )
    }
    self.kind = kind
    for word in words.dropFirst() {
      if word == "float64" || word == "float32" {
        isDouble = word == "float64"
        continue
      }
      let parts = word.split(separator: "=", omittingEmptySubsequences: false)
      guard parts.count == 2, sizes[String(parts[0])] != nil, let value = Int(parts[1]),
        (1...1 << 24).contains(value)
      else {
        throw ValidationError(
          "--plan: expected H, D, B, T or threads with a number in 1 ... \(1 << 24) (as in H=256), float32 or float64, got '\(word)'."
        )
      }
      sizes[String(parts[0])] = value
    }
    guard sizes["H", default: 0] > 0 else {
      throw ValidationError("--plan: expected the number of units, as in H=256, got '\(text)'.")
    }
    if sizes["D", default: 0] == 0 { sizes["D"] = sizes["H"] }
  }

  /// How such a layer runs: a row for training, inference and a stream.
  var table: String { isDouble ? table(Double.self) : table(Float.self) }

  private func table<Scalar: KernelScalar>(_ type: Scalar.Type) -> String {
    func size(_ name: String) -> Int { sizes[name, default: 1] }
    let layer = RecurrentLayer(
      cell: Cell<Scalar>(kind, inputSize: size("D"), hiddenSize: size("H")))
    var table = TextTable([
      "for", "path", "threads", "packed weights", "trace", "scratch", "because",
    ])
    Threads.use(size("threads")) {
      for purpose in LayerPlan.Purpose.allCases {
        let plan = layer.plan(
          for: purpose, timeStepCount: purpose == .stream ? 1 : size("T"), batchSize: size("B"))
        table.add(
          [purpose.rawValue, plan.path.rawValue, "\(plan.threadCount)"]
            + [plan.packedBytes, plan.traceBytes, plan.scratchBytes].map { "\($0) bytes" }
            + [plan.reason])
      }
    }
    return
      "\(kind.title), D \(size("D")), H \(size("H")), B \(size("B")), T \(size("T")), \(Scalar.elementTypeName), \(InstructionSet.current.rawValue)\n\n"
      + table.text
  }
}
#endif
