internal import Unroll

// Operators that move numbers, run on places; and the shapes of those that compute.
extension GraphProbe {
  /// The outputs of an operator that only moves numbers; nil if it does something else with them.
  func moved(_ node: NodeProto, _ inputs: [Value?]) -> [Value]? {
    let given = inputs.compactMap(\.self)
    guard let first = inputs.first ?? nil else { return nil }
    switch node.opType {
    case "Identity": return [first]
    case "Dropout":
      // In training mode numbers are lost; in inference the operator does nothing.
      guard node.input.count > 2, !node.input[2].isEmpty else { return [first] }
      if case .known(.integers(let flag))? = inputs[2]?.content, flag.elements == [0] {
        return [first]
      }
      return nil
    case "Cast": return cast(node, first).map { [$0] }
    case "ConstantOfShape":
      // Of a size that is not known.
      var result = Value(.unknown)
      let value = node.attribute.first { $0.name == "value" }.flatMap {
        try? ONNXValue<Scalar>(attribute: $0)
      }
      if case .real(let array)? = value { result.isFilled = array.elements.contains { $0 != 0 } }
      result.isZero = !result.isFilled
      return [result]
    case "Transpose", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Slice", "Split", "Expand",
      "Tile", "ReverseSequence":
      let parameters = inputs.dropFirst()
      return move(node, data: [first], isRun: parameters.allSatisfy { $0?.isKnown ?? true })
    case "Gather":
      // A table of the file that an input picks rows of is no order of the input's numbers.
      guard inputs.count == 2, inputs[1]?.isKnown == true || !first.isKnown else { return nil }
      guard inputs[1]?.isKnown == true else { return nil }
      return move(node, data: [first], isRun: true)
    case "Concat": return move(node, data: given, isRun: true)
    default: return nil
    }
  }

  /// A change of type; nil if it rounds numbers.
  private func cast(_ node: NodeProto, _ value: Value) -> Value? {
    let target = node.attribute.first { $0.name == "to" }.flatMap {
      ONNXType(rawValue: Int32(clamping: $0.i ?? 0))
    }
    guard let target, target != .bool else { return nil }
    guard case .places(let array, let isReal) = value.content else {
      return target == .double || target == .float ? value : nil
    }
    var value = value
    switch target {
    case .double: break
    case .float where !isReal || Scalar.self == Float.self: break
    case .int64, .int32, .uint64, .uint32: if isReal { return nil }
    default: return nil
    }
    value.content = .places(array, isReal: target.isReal)
    return value
  }

  /// Runs an operator on the places of its data; its other inputs are numbers that are known.
  private func move(_ node: NodeProto, data: [Value], isRun: Bool) -> [Value] {
    var result = Value(joining: data)
    if !result.moves.contains(node.opType), !Self.keepers.contains(node.opType) {
      result.moves.append(node.opType)
    }
    let count = max(1, node.output.count)
    let unknown = Array(repeating: result, count: count)
    let isReal = data.contains { value in
      switch value.content {
      case .places(_, let isReal): isReal
      case .known(.real): true
      default: false
      }
    }
    var arrays: [String: ONNXValue<Scalar>] = [:]
    for (index, name) in node.input.enumerated() where !name.isEmpty {
      let input = value(name)
      if index < data.count {
        guard let places = input.places else { return unknown }
        arrays[name] = .integers(places)
      } else if case .known(let known) = input.content {
        arrays[name] = known
      }
    }
    guard isRun, let outputs = try? NodeRun(node, opset: opset, arrays).results(),
      outputs.count == count
    else { return unknown }
    return outputs.map { output in
      var result = result
      if case .integers(let array)? = output { result.content = .places(array, isReal: isReal) }
      return result
    }
  }

  /// Movers that cannot change any order.
  private static var keepers: Set<String> { ["Squeeze", "Unsqueeze"] }

  // MARK: - Shapes

  private static var sameShape: Set<String> {
    [
      "Abs", "BatchNormalization", "Ceil", "Celu", "Clip", "CumSum", "DequantizeLinear", "Dropout",
      "Elu", "Erf", "Exp", "Floor", "Gelu", "GroupNormalization", "HardSigmoid", "HardSwish",
      "Hardmax", "InstanceNormalization", "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax",
      "LpNormalization", "MeanVarianceNormalization", "Mish", "Neg", "Not", "PRelu",
      "QuantizeLinear", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Cos",
      "Softmax", "Softplus", "Softsign", "Sqrt", "Tanh", "ThresholdedRelu", "Trilu", "Cast",
    ]
  }

  private static var broadcasting: Set<String> {
    [
      "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "Where", "Mod", "Equal",
      "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor",
    ]
  }

  /// The shape of what an operator computes; nil if it is not known here.
  func outputShape(_ node: NodeProto, _ inputs: [Value?]) -> [Int]? {
    let shapes = inputs.map { $0?.shape }
    guard let first = shapes.first ?? nil else { return nil }
    if Self.sameShape.contains(node.opType) { return first }
    if Self.broadcasting.contains(node.opType) {
      var result = first
      for shape in shapes.dropFirst() {
        guard let shape, let common = try? NDArray<Int>.common(result, shape) else { return nil }
        result = common
      }
      return result
    }
    guard shapes.count > 1, let second = shapes[1] else { return nil }
    func flag(_ name: String) -> Bool { node.attribute.first { $0.name == name }?.i == 1 }
    switch node.opType {
    case "MatMul" where first.count >= 2 && second.count == 2: return first.dropLast() + [second[1]]
    case "MatMul" where first.count == second.count && first.count > 2:
      return first.dropLast() + [second[second.count - 1]]
    case "Gemm" where first.count == 2 && second.count == 2:
      return [first[flag("transA") ? 1 : 0], second[flag("transB") ? 0 : 1]]
    case "Gather":
      let axis = Int(clamping: node.attribute.first { $0.name == "axis" }?.i ?? 0)
      let place = axis < 0 ? axis + first.count : axis
      guard first.indices.contains(place) else { return nil }
      return first[..<place] + second + first[(place + 1)...]
    default: return nil
    }
  }
}
