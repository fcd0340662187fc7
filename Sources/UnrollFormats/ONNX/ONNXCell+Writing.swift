internal import Unroll

extension ONNXCell {
  /// The convention that writes a cell, and the cell's parameters with the forget offset added to the bias.
  ///
  /// - Throws: `ModelImportError` for what ONNX cannot express.
  static func expressing<Scalar: KernelScalar>(
    _ cell: Cell<Scalar>, level: Int, _ notes: inout [String]
  ) throws(ModelImportError) -> (ONNXCell, CellParameters<Scalar>) {
    let kind = try cell.kind(for: "ONNX")
    var result = ONNXCell(try ONNXClass(kind))
    let options = cell.options
    var parameters = cell.parameters
    func refuse(_ field: String, _ value: Any) -> ModelImportError {
      ModelImportError(.inexpressible(field: field, value: "\(value)"), name: "ONNX")
    }
    guard cell.zoneout.hidden == 0, cell.zoneout.cell == 0 else {
      throw refuse("zoneout", [cell.zoneout.hidden, cell.zoneout.cell])
    }
    if parameters.isNormalized { throw refuse("layer normalisation", "on") }
    guard parameters.projection.isEmpty else {
      throw refuse("projection size", parameters.outputSize)
    }
    guard options.cellClip == 0 else { throw refuse("cell clip", options.cellClip) }
    if options.forgetOffset != 0 {
      parameters[.forget].bias = parameters[.forget].bias + Scalar(options.forgetOffset)
      notes.append(
        "level \(level): \(options.forgetOffset), which the cell adds to its forget gate, was added to the bias"
      )
    }
    result.functions = ONNXClass.functions(of: kind, options)
    result.couplesInputAndForget = options.couplesInputAndForget
    result.clip = options.argumentClip
    if Scalar.self == Double.self {
      for number in result.numbers where Double(Float(number)) != number {
        notes.append(
          "level \(level): \(number) became \(Double(Float(number))); ONNX keeps settings in float32"
        )
      }
    }
    return (result, parameters)
  }

  /// The settings that are numbers.
  private var numbers: [Double] {
    [clip] + functions.flatMap(\.onnx.numbers)
  }

  /// Whether two directions can be one node.
  func sharesNode(with other: ONNXCell) -> Bool {
    kind == other.kind && clip == other.clip
      && couplesInputAndForget == other.couplesInputAndForget
  }

  func attributes(hiddenSize: Int) -> [AttributeProto] {
    var result: [AttributeProto] = [.integer("hidden_size", hiddenSize)]
    if clip > 0 { result.append(.number("clip", clip)) }
    if cellClass.hasResetGate {
      result.append(.integer("linear_before_reset", kind == .gruResetAfter ? 1 : 0))
    }
    if couplesInputAndForget { result.append(.integer("input_forget", 1)) }
    return result
  }
}
