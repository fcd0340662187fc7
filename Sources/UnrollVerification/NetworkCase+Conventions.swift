// Converts the index entry of a case to a network, with one function per framework.

internal import Unroll
internal import UnrollFormats

extension NetworkCase {
  static func tensorFlow1(_ golden: GoldenCase, _ archive: NPZ) throws -> NetworkCase {
    let basic = ["activation", "forget_bias"]
    let known = [
      "BasicRNNCell": ["activation"], "GRUCell": ["activation"], "BasicLSTMCell": basic,
      "LSTMCell": basic + ["use_peepholes", "cell_clip", "num_proj", "proj_clip"],
    ]
    guard let kind = TensorFlow1Cell.kind(ofClass: golden.cell), let names = known[golden.cell]
    else {
      throw ModelImportError(.unsupported(field: "cell", value: golden.cell), name: golden.name)
    }
    let params = try golden.params()
    try params.check(names)
    let convention = try TensorFlow1Cell(
      kind, activation: try params.activation("activation"),
      forgetBias: try params.number("forget_bias", default: 1),
      usesPeepholes: try params.bool("use_peepholes", default: false),
      cellClip: try params.number("cell_clip", default: 0),
      projectionSize: try params.size("num_proj", atLeast: 1),
      projectionClip: try params.number("proj_clip", default: 0))
    func layer(_ prefix: String, _ direction: Direction = .forward) -> Layer {
      Layer(convention: convention, prefix: prefix, direction: direction)
    }
    var result: NetworkCase
    switch golden.fields["layout"]?.text ?? "single" {
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
    let common = ["activation", "use_bias", "go_backwards"]
    let known = [
      "SimpleRNN": common, "GRU": common + ["recurrent_activation", "reset_after"],
      "LSTM": common + ["recurrent_activation"],
    ]
    let params = try golden.params()
    let resetsAfter = try params.bool("reset_after", default: true)
    guard let kind = KerasLayer.kind(ofClass: name, resetsAfterProduct: resetsAfter),
      let names = known[name]
    else {
      throw ModelImportError(.unsupported(field: "cell", value: golden.cell), name: golden.name)
    }
    try params.check(names)
    let convention = try KerasLayer(
      kind, activation: try params.activation("activation"),
      recurrentActivation: try params.activation("recurrent_activation", default: .sigmoid),
      usesBias: try params.bool("use_bias", default: true))
    let goesBackwards = try params.bool("go_backwards", default: false)
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
    let common = ["num_layers", "bidirectional", "bias"]
    let known = [
      "RNN": common + ["nonlinearity"], "GRU": common, "LSTM": common + ["proj_size"],
    ]
    guard let kind = TorchModule.kind(ofClass: name), let names = known[name] else {
      throw ModelImportError(.unsupported(field: "cell", value: golden.cell), name: golden.name)
    }
    let params = try golden.params()
    try params.check(names)
    let projection = try params.size("proj_size", atLeast: 0) ?? 0
    let layerCount = try params.size("num_layers", atLeast: 1) ?? 1
    let convention = try TorchModule(
      kind, activation: try params.activation("nonlinearity"),
      usesBias: try params.bool("bias", default: true),
      projectionSize: projection > 0 ? projection : nil)
    let directions: [Direction] =
      try params.bool("bidirectional", default: false) ? [.forward, .backward] : [.forward]
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

  static func torchRecurrent(_ golden: GoldenCase) throws -> NetworkCase {
    let known: [String: (kind: CellKind, params: [String])] = [
      "torchrecurrent.MGU": (.mgu, ["nonlinearity", "gate_nonlinearity"]),
      "torchrecurrent.JANET": (.janet, ["beta"]),
    ]
    guard let (kind, names) = known[golden.cell] else {
      throw ModelImportError(.unsupported(field: "cell", value: golden.cell), name: golden.name)
    }
    let params = try golden.params()
    try params.check(names)
    let options = CellOptions(
      activation: try params.activation("nonlinearity"),
      gateActivation: try params.activation(
        "gate_nonlinearity", default: .sigmoid,
        hardSigmoid: .hardSigmoid(slope: 1.0 / 6, offset: 0.5)),
      updateShift: try params.number("beta", default: 1))
    return NetworkCase(levels: [[Layer(convention: OwnParameters(kind: kind, options: options))]])
  }

  private static func lengths(_ archive: NPZ) throws -> SequenceMask {
    guard archive.contains("seq_len") else { return .full }
    return .lengths(try archive.array("seq_len").integers())
  }
}
