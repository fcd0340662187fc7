internal import Unroll

// The transfer function of recurrent operators: what a layer reads is checked, and what it puts out are new sources.
extension GraphProbe {
  /// Takes a recurrent layer, after proving that it reads what the network's layer would read.
  mutating func enter(_ flow: FlowNode<Scalar>) throws -> [Value] {
    let (node, name) = (flow.proto, flow.name)
    let settings = try NodeRun<Scalar>.Settings(node)
    var level = Level(node: node, settings: settings, arrays: [:])
    for (array, index) in [("W", 1), ("R", 2), ("B", 3), ("P", 7)] {
      guard index < node.input.count, !node.input[index].isEmpty else { continue }
      if let error = unreadable[node.input[index]] { throw error }
      guard case .known(.real(let values)) = value(node.input[index]).content else {
        throw ONNXError(
          .unsupported("\(array), which is not in the file but computed,"), node: name)
      }
      level.arrays[array] = (node.input[index], values)
    }
    let x = value(node.input.first ?? "")
    let directions = settings.directions.count
    let features = level.arrays["W"]?.values.shape.last ?? 0
    let hidden = level.arrays["R"]?.values.shape.last ?? 0
    let axes = settings.isBatchMajor ? (time: 1, batch: 0) : (time: 0, batch: 1)
    var (time, batch) = (sizes.standard.time, sizes.standard.batch)
    let isSequence = x.shape?.count == 3 && x.shape?[2] == features
    if isSequence, let shape = x.shape { (time, batch) = (shape[axes.time], shape[axes.batch]) }
    if levels.isEmpty {
      try checkInput(x, isSequence: isSequence, isBatchMajor: settings.isBatchMajor, name)
    } else {
      try checkStack(x, isBatchMajor: settings.isBatchMajor, name)
    }
    try checkStates(node, name)
    try checkLengths(node, time: isSequence ? time : nil, batch: batch, name)
    remark(on: level)
    let outputs = try putOut(level, [time, batch, directions, hidden], x)
    levels.append(level)
    return outputs
  }

  /// Creates the sources of the layer's outputs.
  private mutating func putOut(
    _ level: Level, _ sizes: [Int], _ x: Value
  ) throws(ONNXError) -> [Value] {
    let (time, batch, directions, hidden) = (sizes[0], sizes[1], sizes[2], sizes[3])
    let index = levels.count
    var results: [Value] = []
    func result(_ content: Value.Content) -> Value {
      var value = Value(content)
      (value.level, value.inputs) = (index, x.inputs)
      return value
    }
    // The source is [T, B, directions·H]; the operator's own order is [T, directions, B, H].
    if let whole = source(.outputs(level: index), [time, batch, directions * hidden]) {
      let raw = try Self.raw(whole, level, directions)
      results.append(result(.places(raw, isReal: true)))
    } else {
      results.append(result(.unknown))
    }
    let stateShape =
      level.settings.isBatchMajor ? [batch, directions, hidden] : [directions, batch, hidden]
    for _ in level.node.output.dropFirst() {
      let array = source(.state(level: index), stateShape)
      results.append(result(array.map { .places($0, isReal: true) } ?? .unknown))
    }
    return results
  }

  /// A level's outputs `[T, B, directions·H]` as its operator puts them out.
  static func raw(
    _ whole: NDArray<Int>, _ level: Level, _ directions: Int
  ) throws(ONNXError) -> NDArray<Int> {
    let (time, batch, width) = (whole.shape[0], whole.shape[1], whole.shape[2])
    return try whole.reshaped([time, batch, directions, width / directions])
      .transposed(level.settings.isBatchMajor ? [1, 0, 2, 3] : [0, 2, 1, 3])
  }

  // MARK: - Inputs

  /// The first layer's input: the graph's own, or what operators made of it, which are named.
  private mutating func checkInput(
    _ x: Value, isSequence: Bool, isBatchMajor: Bool, _ name: String
  ) throws {
    sequenceInputs = x.inputs
    guard !x.isConstant else {
      report.omit("level 0 reads numbers of the file, not an input of the graph")
      return
    }
    let arrangement = isSequence ? x.places.map { Arrangement($0, sources) } : nil
    var isNamed = !x.path.isEmpty
    switch arrangement {
    case .axes(let order, let source):
      // Where an operator computed it, the order of its axes is not the input's.
      if order != order.sorted(), case .input(let input) = sources[source].kind {
        let letters = order.count == 3 ? Self.letters(order, isBatchMajor: isBatchMajor) : ""
        report.note(
          "the graph transposes its input '\(input)' \(letters)first; the network reads [T, B, D]"
        )
      }
    case .reshaped(let source), .reordered(let source):
      let turned = x.moves.filter(reordersAxis)
      let isMixed = sources[source].shape.count == 3 && x.path.isEmpty
      guard turned.isEmpty && !isMixed else {
        throw ModelImportError(
          .doesNotFit(
            "expected the graph's input as it is, found its numbers in another order (\(x.moves.joined(separator: ", ")))"
          ), name: name)
      }
      isNamed = isNamed || !x.moves.isEmpty
    case .other, nil: isNamed = isNamed || !x.moves.isEmpty
    }
    guard x.reorders.isEmpty else {
      throw ModelImportError(
        .doesNotFit(
          "expected the graph's input in its own order, found it changed on the way (\((x.path + x.moves).unique.joined(separator: ", ")))"
        ), name: name)
    }
    guard isNamed else { return }
    let between = (x.path + (arrangement?.isAxes == true ? [] : x.moves)).unique.joined(
      separator: ", ")
    report.omit(
      "\(between), between the graph's input \(x.inputs.quoted) and level 0; the network reads the result"
    )
  }

  /// The names of the axes of an input that is transposed: [B, T, D].
  private static func letters(_ order: [Int], isBatchMajor: Bool) -> String {
    // order[i] is the input's axis that became axis i of what the operator reads.
    var letters = ["", "", ""]
    let read = isBatchMajor ? ["B", "T", "D"] : ["T", "B", "D"]
    for (axis, letter) in zip(order, read) { letters[axis] = letter }
    return "[\(letters.joined(separator: ", "))] "
  }

  /// A higher layer's input: the outputs of the layer below, in their order, and nothing else.
  private func checkStack(_ x: Value, isBatchMajor: Bool, _ name: String) throws {
    func fail(_ what: String) -> ModelImportError {
      ModelImportError(.doesNotFit(what), name: name)
    }
    let below = levels.count - 1
    guard x.level == below else {
      throw fail("expected a stack, found recurrent layers side by side")
    }
    let changes = x.path.unique
    guard changes.isEmpty else {
      throw fail(
        "expected the outputs of the layer below, found them changed on the way (\(changes.joined(separator: ", ")))"
      )
    }
    let moves = x.moves.isEmpty ? "" : " (\(x.moves.joined(separator: ", ")))"
    guard let places = x.places else {
      let keeper = x.moves.isEmpty ? "the graph" : x.moves.joined(separator: ", ")
      throw fail(
        "expected the outputs of the layer below in their order, which \(keeper) does not keep for every number of steps and sequences"
      )
    }
    let (used, isComplete) = sources.used(by: places.elements)
    if used.contains(where: { if case .state = $0.kind { true } else { false } }) {
      throw fail(
        "expected the outputs of the layer below, found its final state\(x.moves.isEmpty ? "" : ", changed on the way\(moves)")"
      )
    }
    guard used.count == 1, isComplete else {
      throw fail(
        "expected the outputs of the layer below alone, found other numbers joined to them\(moves)"
      )
    }
    let order = isBatchMajor ? [1, 0, 2] : [0, 1, 2]
    let whole = NDArray(shape: used[0].shape, elements: Array(used[0].places))
    guard let expected = try? whole.transposed(order), places.shape == expected.shape,
      places.elements == expected.elements
    else {
      throw fail(
        "expected the outputs of the layer below as [time, batch, features], forward features first, found them changed on the way, in another order or shape\(moves)"
      )
    }
  }

  // MARK: - States and lengths

  /// Checks that the layer begins with given states or zeros: other initial states would be lost.
  private mutating func checkStates(_ node: NodeProto, _ name: String) throws {
    for (state, index) in [("initial_h", 5), ("initial_c", 6)] where index < node.input.count {
      guard !node.input[index].isEmpty else { continue }
      let given = value(node.input[index])
      if given.isZero { continue }
      if given.level != nil {
        throw ONNXError(.unsupported("\(state) from another recurrent layer"), node: name)
      }
      if given.isFilled {
        let path = given.path.unique.joined(separator: ", ")
        throw ONNXError(
          .unsupported(
            "\(state) \(path.isEmpty ? "from numbers in the file" : "that the graph computes (\(path)) from numbers in the file")"
          ), node: name)
      }
      let made = (given.path + (isAscending(given) ? [] : given.moves)).unique
      let own = given.inputs.intersection(sequenceInputs)
      guard !made.isEmpty || !own.isEmpty else { continue }
      let from = given.inputs.isEmpty ? "" : " from \(given.inputs.quoted)"
      let means = made.isEmpty ? "" : " by \(made.joined(separator: ", "))"
      report.omit(
        "\(state) of level \(levels.count), which the graph makes\(from)\(means); the network begins with a state that is given to it, or zeros"
      )
    }
  }

  /// Whether places ascend, so that the order is unchanged.
  private func isAscending(_ value: Value) -> Bool {
    guard let places = value.places?.elements else { return value.moves.isEmpty }
    return zip(places, places.dropFirst()).allSatisfy { $0 < $1 }
  }

  /// Checks `sequence_lens`, which may be ignored only if every sequence is read to its end.
  private mutating func checkLengths(
    _ node: NodeProto, time: Int?, batch: Int, _ name: String
  ) throws {
    guard node.input.count > 4, !node.input[4].isEmpty else { return }
    let lengths = value(node.input[4])
    if case .known(.integers(let array)) = lengths.content {
      let isWhole = array.elements.allSatisfy { $0 == time } && array.elements.count == batch
      guard !isWhole else { return }
      throw ONNXError(
        .unsupported(
          "sequence_lens = \(array.elements.prefix(8)) in the file, which may end sequences early,"
        ), node: name)
    }
    report.omit(
      "sequence_lens of level \(levels.count) (\(lengths.inputs.quoted)), the lengths of the sequences; the network reads each to its end unless it is given a mask"
    )
  }

  private mutating func remark(on level: Level) {
    let index = levels.count
    if level.settings.isBatchMajor {
      report.note(
        "level \(index) has layout = 1, the batch first; the network reads and puts out time first"
      )
    }
    for array in ["W", "R"] {
      guard let name = level.arrays[array]?.name else { continue }
      let others = levels.indices.filter { levels[$0].arrays[array]?.name == name }
      if let other = others.first {
        report.note(
          "\(name) is \(array) of levels \(other) and \(index); in the network each has a copy")
      }
    }
  }
}

extension ImportReport {
  /// Adds a line, unless it is there.
  mutating func omit(_ line: String) { if !omissions.contains(line) { omissions.append(line) } }

  /// Adds a line, unless it is there.
  mutating func note(_ line: String) { if !notes.contains(line) { notes.append(line) } }
}

extension [String] {
  /// The words without repetitions, in their order.
  var unique: [String] {
    var seen: Set<String> = []
    return filter { seen.insert($0).inserted }
  }
}

extension Set<String> {
  /// The names in quotes.
  var quoted: String { sorted().map { "'\($0)'" }.joined(separator: ", ") }
}
