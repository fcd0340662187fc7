package import Unroll

/// A graph under construction.
struct GraphWriter<Scalar: KernelScalar> {
  var graph = GraphProto()
  var notes: [String] = []

  private enum Size {
    case fixed(Int)
    case named(String)
  }

  private func info(_ name: String, _ type: ONNXType, _ sizes: [Size]) -> ValueInfoProto {
    var info = ValueInfoProto()
    info.name = name
    info.type.tensorType.elemType = type.rawValue
    info.type.tensorType.shape = TensorShapeProto.with {
      $0.dim = sizes.map { size in
        TensorShapeProto.Dimension.with {
          switch size {
          case .fixed(let size): $0.value = .dimValue(Int64(size))
          case .named(let name): $0.value = .dimParam(name)
          }
        }
      }
    }
    return info
  }

  private var real: ONNXType { Scalar.self == Double.self ? .double : .float }

  private mutating func keep(_ value: ONNXValue<Scalar>, _ name: String) -> String {
    graph.initializer.append(value.data(named: name))
    return name
  }

  private mutating func node(
    _ type: String, _ inputs: [String], _ outputs: [String],
    _ attributes: [AttributeProto] = []
  ) {
    var node = NodeProto()
    node.opType = type
    node.name = "\(type.lowercased())_\(graph.node.count)"
    (node.input, node.output, node.attribute) = (inputs, outputs, attributes)
    graph.node.append(node)
  }

  mutating func beginning(_ parts: ONNXLanguageParts<Scalar>?, inputSize: Int) -> String {
    guard let parts else {
      graph.input.append(info("x", real, [.named("time"), .named("batch"), .fixed(inputSize)]))
      return "x"
    }
    graph.input.append(info("symbols", .int64, [.named("time"), .named("batch")]))
    let embedding = keep(ONNXValue(parts.embedding), "embedding")
    node("Gather", [embedding, "symbols"], ["vectors"], [.integer("axis", 0)])
    return "vectors"
  }

  mutating func ending(
    _ parts: ONNXLanguageParts<Scalar>?, reading value: String, outputSize: Int
  ) {
    guard let parts else {
      node("Identity", [value], ["y"])
      graph.output.insert(
        info("y", real, [.named("time"), .named("batch"), .fixed(outputSize)]), at: 0)
      return
    }
    var value = value
    if let (weights, bias) = parts.projection {
      let (w, b) = (
        keep(ONNXValue(weights), "projection_weights"), keep(ONNXValue(bias), "projection_bias")
      )
      node("MatMul", [value, w], ["projection_product"])
      node("Add", ["projection_product", b], ["projected"])
      value = "projected"
    }
    var weights = "softmax_weights"
    if let own = parts.softmaxWeights {
      weights = keep(ONNXValue(own), weights)
    } else {
      node("Transpose", ["embedding"], [weights], [.integers("perm", [1, 0])])
    }
    let bias = keep(ONNXValue(parts.softmaxBias), "softmax_bias")
    node("MatMul", [value, weights], ["logit_product"])
    node("Add", ["logit_product", bias], ["logits"])
    graph.output.insert(
      info("logits", real, [.named("time"), .named("batch"), .fixed(parts.softmaxBias.count)]),
      at: 0)
  }

  mutating func level(
    _ level: Int, _ layers: [RecurrentLayer<Scalar>], reading value: String
  ) throws(ModelImportError) -> String {
    var (conventions, arrays) = ([ONNXCell](), [[String: Tensor<Scalar>]]())
    for layer in layers {
      let (convention, parameters) = try ONNXCell.expressing(layer.cell, level: level, &notes)
      conventions.append(convention)
      arrays.append(convention.arrays(from: parameters, role: .weights))
    }
    let first = conventions[0]
    guard conventions.allSatisfy({ $0.sharesNode(with: first) }),
      layers.allSatisfy({ $0.cell.hiddenSize == layers[0].cell.hiddenSize }),
      arrays.allSatisfy({ $0.keys == arrays[0].keys })
    else {
      throw ModelImportError(
        .inexpressible(field: "directions", value: "two different cells"), name: "ONNX")
    }
    func stacked(_ name: String) -> ONNXValue<Scalar>? {
      guard let shape = arrays[0][name]?.shape else { return nil }
      return ONNXValue(
        Tensor(
          shape: [layers.count] + shape, elements: arrays.flatMap { $0[name]?.elements ?? [] }))
    }
    func name(_ word: String) -> String { "\(word)_\(level)" }
    var inputs = [value]
    for array in ["W", "R", "B"] {
      if let values = stacked(array) { inputs.append(keep(values, name(array))) }
    }
    let size = layers[0].cell.hiddenSize
    let stateSizes: [Size] = [.fixed(layers.count), .named("batch"), .fixed(size)]
    inputs += ["", name("hidden")]
    graph.input.append(info(name("hidden"), real, stateSizes))
    graph.output.append(info(name("final_hidden"), real, stateSizes))
    var outputs = [name("steps"), name("final_hidden")]
    if first.kind.hasCellState {
      inputs.append(name("cell"))
      graph.input.append(info(name("cell"), real, stateSizes))
      graph.output.append(info(name("final_cell"), real, stateSizes))
      outputs.append(name("final_cell"))
      if let peepholes = stacked("P") { inputs.append(keep(peepholes, name("P"))) }
    }
    var attributes = first.attributes(hiddenSize: size)
    let functions = conventions.flatMap(\.functions)
    if functions != conventions.flatMap(\.cellClass.functions) {
      attributes += AttributeProto.functions(functions)
    }
    let direction =
      layers.count == 2
      ? "bidirectional" : layers[0].direction == .backward ? "reverse" : "forward"
    attributes.append(.word("direction", direction))
    node(first.cellClass.name, inputs, outputs, attributes)
    node("Transpose", [name("steps")], [name("ordered")], [.integers("perm", [0, 2, 1, 3])])
    let shape = keep(
      .integers(NDArray(shape: [3], elements: [0, 0, layers.count * size])), name("shape"))
    node("Reshape", [name("ordered"), shape], [name("outputs")])
    return name("outputs")
  }
}

extension AttributeProto {
  private init(_ name: String, type: Int32) {
    self.init()
    (self.name, self.type) = (name, type)
  }

  package static func integer(_ name: String, _ value: Int) -> Self {
    var result = Self(name, type: 2)
    result.i = Int64(value)
    return result
  }

  package static func number(_ name: String, _ value: Double) -> Self {
    var result = Self(name, type: 1)
    result.f = Float(value)
    return result
  }

  package static func word(_ name: String, _ value: String) -> Self {
    var result = Self(name, type: 3)
    result.s = ArraySlice(value.utf8)
    return result
  }

  package static func integers(_ name: String, _ values: [Int]) -> Self {
    var result = Self(name, type: 7)
    result.ints = values.map { Int64($0) }
    return result
  }

  /// `activations`, and the parameters of those that have some.
  package static func functions(_ functions: [Activation]) -> [Self] {
    var words = Self("activations", type: 8)
    var (alpha, beta) = (Self("activation_alpha", type: 6), Self("activation_beta", type: 6))
    for function in functions {
      let (word, numbers) = function.onnx
      words.strings.append(ArraySlice(word.utf8))
      if let number = numbers.first { alpha.floats.append(Float(number)) }
      if numbers.count > 1 { beta.floats.append(Float(numbers[1])) }
    }
    return [words] + [alpha, beta].filter { !$0.floats.isEmpty }
  }
}
