#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollFigures

/// The sizes of a layer as `unroll info --plan` takes them: `lstm H=256 B=1 T=1 threads=2`.
struct PlanDescription {
  var kind = CellKind.lstm
  /// H, B, T and the number of threads; D is H unless it is given.
  var sizes: [String: Int] = [:]
  var isDouble = false

  private static let names = ["H", "D", "B", "T", "threads"]
  private static let largestSize = 1 << 24

  /// Reads a description.
  ///
  /// - Parameters:
  ///   - text: The description.
  ///   - hasThreadOption: Whether --threads was given, which the description must then leave out.
  /// - Throws: `ValidationError` naming the word that cannot be read.
  init(_ text: String, hasThreadOption: Bool) throws {
    let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
    let kinds = CellKind.allCases.map(\.rawValue).joined(separator: ", ")
    guard let first = words.first, let kind = CellKind(rawValue: first) else {
      throw ValidationError(
        "--plan: expected a cell (\(kinds)) followed by sizes such as H=256 B=1 T=1 threads=2, got '\(text)'."
      )
    }
    self.kind = kind
    var named: Set<String> = []
    for word in words.dropFirst() {
      let isType = word == "float64" || word == "float32"
      let parts = word.split(separator: "=", omittingEmptySubsequences: false)
      let name = isType ? "the number type" : String(parts[0])
      guard named.insert(name).inserted else {
        throw ValidationError("--plan: expected \(name) once, got it again in '\(word)'.")
      }
      if isType {
        isDouble = word == "float64"
        continue
      }
      guard name != "threads" || !hasThreadOption else {
        throw ValidationError(
          "--threads: expected the number of threads once, found it in --plan, too, as '\(word)'; leave out one of the two."
        )
      }
      let range = name == "threads" ? ThreadOptions.range : 1...Self.largestSize
      guard Self.names.contains(name), parts.count == 2, let value = Int(parts[1]),
        range.contains(value)
      else {
        throw ValidationError(
          "--plan: expected H, D, B or T with a number in 1 ... \(Self.largestSize), as in H=256, threads with one in \(ThreadOptions.range.lowerBound) ... \(ThreadOptions.range.upperBound), float32 or float64, got '\(word)'."
        )
      }
      sizes[name] = value
    }
    guard let units = sizes["H"] else {
      throw ValidationError("--plan: expected the number of units, as in H=256, got '\(text)'.")
    }
    guard
      LayerPlan.fits(
        kind, inputSize: sizes["D"] ?? units, hiddenSize: units, timeStepCount: sizes["T"] ?? 1,
        batchSize: sizes["B"] ?? 1)
    else {
      throw ValidationError(
        "--plan: expected sizes whose arrays have at most \(LayerPlan.largestCount) numbers, got '\(text)'."
      )
    }
  }

  /// How such a layer runs: a row for training, inference and a stream.
  var table: String { isDouble ? table(Double.self) : table(Float.self) }

  private func table<Scalar: KernelScalar>(_ type: Scalar.Type) -> String {
    let (units, steps, rows) = (sizes["H"] ?? 1, sizes["T"] ?? 1, sizes["B"] ?? 1)
    let inputs = sizes["D"] ?? units
    var table = TextTable([
      "for", "path", "threads", "packed weights", "trace", "scratch", "because",
    ])
    Threads.use(sizes["threads"] ?? Threads.count) {
      for purpose in LayerPlan.Purpose.allCases {
        let plan = LayerPlan(
          of: kind, Scalar.self, inputSize: inputs, hiddenSize: units, for: purpose,
          timeStepCount: purpose == .stream ? 1 : steps, batchSize: rows)
        table.add(
          [purpose.rawValue, plan.path.rawValue, "\(plan.threadCount)"]
            + [plan.packedBytes, plan.traceBytes, plan.scratchBytes].map {
              $0 == 0 ? "none" : "\($0) bytes"
            }
            + [plan.reason])
      }
    }
    return
      "\(kind.title), D \(inputs), H \(units), B \(rows), T \(steps), \(Scalar.elementTypeName), \(InstructionSet.current.rawValue)\n\n"
      + table.text
  }
}
#endif
