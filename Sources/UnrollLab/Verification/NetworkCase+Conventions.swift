// From a case's entry in the index to a network: one function a framework.

internal import Unroll
internal import UnrollFormats

extension NetworkCase {
  static func tensorFlow1(_ golden: GoldenCase, _ archive: NPZ) throws -> NetworkCase {
    guard let kind = TensorFlow1Cell.Kind(rawValue: golden.cell) else {
      throw ModelImportError(.unsupported(field: "cell", value: golden.cell), name: golden.name)
    }
    let known = [
      "activation", "forget_bias", "use_peepholes", "cell_clip", "num_proj", "proj_clip",
    ]
    try checkFields(golden, known)
    let params = golden.params
    try checkPositive(params["num_proj"], "num_proj", golden)
    let convention = TensorFlow1Cell(
      kind, activation: try activation(params["activation"], golden),
      forgetBias: params["forget_bias"]?.double ?? 1,
      usesPeepholes: params["use_peepholes"]?.bool ?? false,
      cellClip: params["cell_clip"]?.double ?? 0, projectionSize: params["num_proj"]?.integer,
      projectionClip: params["proj_clip"]?.double ?? 0)
    func layer(_ prefix: String, _ direction: Direction = .forward) -> Layer {
      Layer(convention: convention, prefix: prefix, direction: direction)
    }
    var result: NetworkCase
    switch golden.fields["layout"]?.string ?? "single" {
    case "single": result = NetworkCase(levels: [[layer("")]])
    case "bidi": result = NetworkCase(levels: [[layer("fw."), layer("bw.", .backward)]])
    case "multi":
      let count =
        (0...).first { index in
          !archive.names.contains { $0.hasPrefix("l\(index).w.") }
        } ?? 0
      result = NetworkCase(levels: (0..<count).map { [layer("l\($0).")] })
    case let other:
      throw ModelImportError(.unsupported(field: "layout", value: other), name: golden.name)
    }
    result.mask = try lengths(archive)
    return result
  }

  static func keras(_ golden: GoldenCase, _ archive: NPZ) throws -> NetworkCase {
    let name = golden.cell.split(separator: ".").last.map(String.init) ?? golden.cell
    guard let kind = KerasLayer.Kind(rawValue: name) else {
      throw ModelImportError(.unsupported(field: "cell", value: golden.cell), name: golden.name)
    }
    try checkFields(
      golden,
      ["activation", "recurrent_activation", "reset_after", "use_bias", "go_backwards"])
    let params = golden.params
    let convention = KerasLayer(
      kind, activation: try activation(params["activation"], golden),
      recurrentActivation: try activation(
        params["recurrent_activation"], golden, fallback: .sigmoid),
      resetAfter: params["reset_after"]?.bool ?? true, usesBias: params["use_bias"]?.bool ?? true)
    let goesBackwards = params["go_backwards"]?.bool ?? false
    var result: NetworkCase
    if golden.fields["bidirectional"]?.bool ?? false {
      guard !goesBackwards else {
        throw ModelImportError(
          .unsupported(field: "go_backwards", value: "true in Bidirectional"), name: golden.name)
      }
      result = NetworkCase(levels: [
        [
          Layer(convention: convention, prefix: "fw."),
          Layer(convention: convention, prefix: "bw.", direction: .backward),
        ]
      ])
    } else {
      result = NetworkCase(levels: [
        [Layer(convention: convention, direction: goesBackwards ? .backward : .forward)]
      ])
    }
    result.reversesOutputs = goesBackwards
    if archive.contains("mask") {
      let mask = try archive.array("mask")
      let flags = try mask.integers().map { $0 != 0 }
      guard mask.shape.count == 2 else {
        throw VerificationError("mask: expected shape [B, T], found \(mask.shape)")
      }
      let (rows, steps) = (mask.shape[0], mask.shape[1])
      result.mask = .steps(
        (0..<steps).map { time in (0..<rows).map { flags[$0 * steps + time] } },
        paddedOutput: .previous)
    }
    return result
  }

  static func torch(_ golden: GoldenCase, _ archive: NPZ) throws -> NetworkCase {
    let name = golden.cell.split(separator: ".").last.map(String.init) ?? golden.cell
    guard let kind = TorchModule.Kind(rawValue: name) else {
      throw ModelImportError(.unsupported(field: "cell", value: golden.cell), name: golden.name)
    }
    try checkFields(golden, ["nonlinearity", "num_layers", "bidirectional", "bias", "proj_size"])
    let params = golden.params
    let projection = params["proj_size"]?.integer ?? 0
    if projection != 0 { try checkPositive(params["proj_size"], "proj_size", golden) }
    let layerCount = params["num_layers"]?.integer ?? 1
    guard (1...1000).contains(layerCount) else {
      throw ModelImportError(
        .unsupported(field: "num_layers", value: "\(layerCount)"), name: golden.name)
    }
    let convention = TorchModule(
      kind, activation: try activation(params["nonlinearity"], golden),
      usesBias: params["bias"]?.bool ?? true, projectionSize: projection > 0 ? projection : nil)
    let directions: [Direction] =
      params["bidirectional"]?.bool ?? false ? [.forward, .backward] : [.forward]
    var result = NetworkCase(
      levels: (0..<layerCount).map { level in
        directions.map { direction in
          Layer(
            convention: convention,
            suffix: TorchModule.suffix(layer: level, isReverse: direction == .backward),
            direction: direction)
        }
      })
    result.stacksStates = true
    result.mask = try lengths(archive)
    return result
  }

  private static func lengths(_ archive: NPZ) throws -> SequenceMask {
    guard archive.contains("seq_len") else { return .full }
    return .lengths(try archive.array("seq_len").integers())
  }

  private static func checkPositive(
    _ value: JSONValue?, _ field: String, _ golden: GoldenCase
  ) throws {
    guard let value, value != .null else { return }
    guard let size = value.integer, (1...1_000_000).contains(size) else {
      throw ModelImportError(.unsupported(field: field, value: value.text), name: golden.name)
    }
  }

  /// A setting that is not known might change the result: it is refused, not ignored.
  private static func checkFields(_ golden: GoldenCase, _ known: [String]) throws {
    for (field, value) in golden.params.sorted(by: { $0.key < $1.key })
    where !known.contains(field) {
      throw ModelImportError(
        .unsupported(field: field, value: value.text), name: golden.name)
    }
  }

  private static func activation(
    _ value: JSONValue?, _ golden: GoldenCase, fallback: Activation = .tanh
  ) throws -> Activation {
    switch value?.string {
    case nil where value == nil || value == .null: return fallback
    case "tanh": return .tanh
    case "relu": return .relu
    case "sigmoid": return .sigmoid
    case "hard_sigmoid": return .hardSigmoid(slope: 0.2, offset: 0.5)
    case "linear": return .identity
    default:
      throw ModelImportError(
        .unsupported(field: "activation", value: value?.text ?? "-"), name: golden.name)
    }
  }
}
