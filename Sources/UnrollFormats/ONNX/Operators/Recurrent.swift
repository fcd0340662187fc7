internal import Foundation
internal import Unroll

// RNN, GRU and LSTM: the node's settings, its layers, and their evaluation. RecurrentFlow.swift has the transfer function.
extension GraphOperator {
  /// The recurrent operators.
  static var recurrent: Table {
    let row = GraphOperator(evaluate: NodeRun.recurrent, foldsConstants: false) {
      try $0.enter($1)
    }
    return Dictionary(ONNXClass.all.map { ($0.name, row) }, uniquingKeysWith: { first, _ in first })
  }
}

extension NodeRun {
  /// The attributes of a recurrent node.
  struct Settings {
    var cells: [ONNXCell]
    var directions: [Direction]
    /// Whether the batch is the first axis.
    var isBatchMajor: Bool
    var hiddenSize: Int?
  }

  /// Runs the operator: Y, Y_h and, of an LSTM, Y_c.
  fileprivate func recurrent() throws(ONNXError) -> [ONNXValue<Scalar>?] {
    let settings = try Settings(node)
    var arrays: [String: NDArray<Scalar>] = [:]
    for (name, index) in [("W", 1), ("R", 2), ("B", 3), ("P", 7)] where has(index) {
      arrays[name] = try real(index)
    }
    let layers: [RecurrentLayer<Scalar>] = try settings.layers(arrays)
    var x = try tensor(0, rank: 3)
    if settings.isBatchMajor { x = x.exchangingFirstAxes }
    guard x.shape[2] == layers[0].inputSize else {
      throw ONNXError(
        .wrongValue("expected input size \(layers[0].inputSize), found \(x.shape[2])"))
    }
    let (steps, rows) = (x.shape[0], x.shape[1])
    // The trace keeps every gate.
    let width = 6 * layers.count * layers[0].cell.hiddenSize
    _ = try NDArray<Scalar>.count([steps, rows, width])
    let lengths = try lengths(steps, rows)
    let states = try initialStates(settings, layers, rows)
    let traces = zip(layers, states).map { layer, state in
      layer.forward(x, from: state, mask: lengths.map { .lengths($0) } ?? .full)
    }
    var outputs = [y(traces, settings, steps, rows)]
    for path in [\RecurrentState<Scalar>.hidden, \.cell] {
      if path == \.cell && node.opType != "LSTM" { break }
      let finals = traces.map { trace in
        emptied(trace.finalState[keyPath: path], lengths)
      }
      outputs.append(stacked(finals, settings))
    }
    return outputs.map { ONNXValue($0) }
  }

  private func tensor(_ index: Int, rank: Int) throws(ONNXError) -> Tensor<Scalar> {
    let array = try real(index)
    guard array.shape.count == rank else {
      throw ONNXError(.wrongValue("expected \(rank) axes in input \(index), found \(array.shape)"))
    }
    return Tensor(shape: array.shape, elements: array.elements)
  }

  private func lengths(_ steps: Int, _ rows: Int) throws(ONNXError) -> [Int]? {
    guard has(4) else { return nil }
    let lengths = try integers(4).elements
    guard lengths.count == rows, lengths.allSatisfy({ (0...steps).contains($0) }) else {
      throw ONNXError(
        .wrongValue("expected \(rows) sequence lengths of at most \(steps), found \(lengths)"))
    }
    return lengths
  }

  private func initialStates(
    _ settings: Settings, _ layers: [RecurrentLayer<Scalar>], _ rows: Int
  ) throws(ONNXError) -> [RecurrentState<Scalar>] {
    var states = layers.map { $0.zeroState(batchSize: rows) }
    for (index, path) in [(5, \RecurrentState<Scalar>.hidden), (6, \.cell)] where has(index) {
      var given = try tensor(index, rank: 3)
      if settings.isBatchMajor { given = given.exchangingFirstAxes }
      let shape = [layers.count] + states[0][keyPath: path].shape
      guard given.shape == shape else {
        throw ONNXError(.wrongValue("expected initial states \(shape), found \(given.shape)"))
      }
      for layer in layers.indices { states[layer][keyPath: path] = given[layer, ...] }
    }
    return states
  }

  /// Outputs `[T, directions, B, H]`, or `[B, T, directions, H]`.
  private func y(
    _ traces: [SequenceTrace<Scalar>], _ settings: Settings, _ steps: Int, _ rows: Int
  ) -> Tensor<Scalar> {
    let size = traces[0].outputs.shape[2]
    let order = settings.isBatchMajor ? [rows, steps, traces.count] : [steps, traces.count, rows]
    var result = [Scalar](repeating: 0, count: steps * traces.count * rows * size)
    for (direction, trace) in traces.enumerated() {
      let source = trace.outputs.elements
      for time in 0..<steps {
        for row in 0..<rows {
          let place =
            settings.isBatchMajor
            ? (row * steps + time) * traces.count + direction
            : (time * traces.count + direction) * rows + row
          let from = (time * rows + row) * size
          result.replaceSubrange(
            place * size..<(place + 1) * size, with: source[from..<from + size])
        }
      }
    }
    return Tensor(shape: order + [size], elements: result)
  }

  /// Final states `[directions, B, H]`, or `[B, directions, H]`.
  private func stacked(_ parts: [Tensor<Scalar>], _ settings: Settings) -> Tensor<Scalar> {
    let result = Tensor(shape: [parts.count] + parts[0].shape, elements: parts.flatMap(\.elements))
    return settings.isBatchMajor ? result.exchangingFirstAxes : result
  }

  /// onnxruntime gives 0, not the initial state, for a sequence of no steps.
  private func emptied(_ state: Tensor<Scalar>, _ lengths: [Int]?) -> Tensor<Scalar> {
    guard let lengths, lengths.contains(0) else { return state }
    let size = state.shape[1]
    var elements = state.elements
    for (row, length) in lengths.enumerated() where length == 0 {
      elements.replaceSubrange(row * size..<(row + 1) * size, with: repeatElement(0, count: size))
    }
    return Tensor(shape: state.shape, elements: elements)
  }
}

extension NodeRun.Settings {
  init(_ node: NodeProto) throws(ONNXError) {
    let resetsAfter = (node.attribute("linear_before_reset")?.i ?? 0) != 0
    guard let cellClass = ONNXClass(named: node.opType, resetsAfterProduct: resetsAfter) else {
      throw ONNXError(.unsupported("the operator \(node.opType)"))
    }
    let known = [
      "activations", "activation_alpha", "activation_beta", "clip", "direction", "hidden_size",
      "input_forget", "layout", "linear_before_reset", "output_sequence",
    ]
    for other in node.attribute where !known.contains(other.name) {
      throw ONNXError(.unsupported("the attribute \(other.name)"))
    }
    switch node.attribute("direction").map({ String(decoding: $0.s ?? [], as: UTF8.self) })
      ?? "forward"
    {
    case "forward": directions = [.forward]
    case "reverse": directions = [.backward]
    case "bidirectional": directions = [.forward, .backward]
    case let other: throw ONNXError(.unsupported("direction = \(other.prefix(40))"))
    }
    let functions = try Self.functions(cellClass, node, directions.count)
    let clip = node.attribute("clip")?.f.map { Double($0) } ?? 0
    guard clip.isFinite, clip >= 0 else { throw ONNXError(.unsupported("clip = \(clip)")) }
    cells = functions.map { functions in
      var cell = ONNXCell(cellClass)
      cell.functions = functions
      cell.clip = clip
      cell.couplesInputAndForget = (node.attribute("input_forget")?.i ?? 0) != 0
      return cell
    }
    isBatchMajor = (node.attribute("layout")?.i ?? 0) != 0
    hiddenSize = node.attribute("hidden_size").map { Int(clamping: $0.i ?? 0) }
  }

  /// The functions of each direction.
  private static func functions(
    _ cellClass: ONNXClass, _ node: NodeProto, _ directionCount: Int
  ) throws(ONNXError) -> [[Activation]] {
    let standard = cellClass.functions
    let words = node.attribute("activations")?.strings ?? []
    guard !words.isEmpty else { return Array(repeating: standard, count: directionCount) }
    guard words.count == standard.count * directionCount else {
      throw ONNXError(
        .wrongValue("expected \(standard.count * directionCount) activations, found \(words.count)")
      )
    }
    // The parameters stand in one list, for those functions that have some.
    var alpha = (node.attribute("activation_alpha")?.floats ?? [])
      .makeIterator()
    var beta = (node.attribute("activation_beta")?.floats ?? []).makeIterator()
    var functions: [Activation] = []
    for word in words {
      functions.append(
        try Activation(
          onnx: String(decoding: word, as: UTF8.self), alpha: { alpha.next().map(Double.init) },
          beta: { beta.next().map(Double.init) }))
    }
    return (0..<directionCount).map {
      Array(functions[$0 * standard.count..<($0 + 1) * standard.count])
    }
  }

  /// The layers of all directions.
  ///
  /// - Parameter arrays: W, R and perhaps B and P, each with the directions as first axis.
  /// - Returns: A layer for each direction.
  /// - Throws: `ONNXError` if an array is missing or of another shape.
  func layers(
    _ arrays: [String: NDArray<Scalar>]
  ) throws(ONNXError) -> [RecurrentLayer<Scalar>] {
    for (name, array) in arrays where array.shape.first != directions.count {
      throw ONNXError(
        .wrongValue("expected \(directions.count) directions in \(name), found \(array.shape)"))
    }
    var layers: [RecurrentLayer<Scalar>] = []
    for (index, direction) in directions.enumerated() {
      var convention = cells[index]
      convention.usesBias = arrays["B"] != nil
      let parts = arrays.mapValues {
        Tensor(shape: $0.shape, elements: $0.elements)[index, ...]
      }
      do {
        let cell = try convention.cell(from: parts)
        guard hiddenSize == nil || hiddenSize == cell.hiddenSize else {
          throw ModelImportError(
            .doesNotFit("hidden_size is \(hiddenSize ?? 0), the arrays say \(cell.hiddenSize)"),
            name: "R")
        }
        layers.append(RecurrentLayer(cell: cell, direction: direction))
      } catch {
        throw ONNXError(.wrongValue("\(error)"))
      }
    }
    guard !layers.isEmpty else { throw ONNXError(.missing("W")) }
    return layers
  }
}
