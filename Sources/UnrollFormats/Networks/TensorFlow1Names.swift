// TensorFlow 1's names of a network's variables: scopes, and in them a cell's.
//
//   rnn/gru_cell/gates/kernel                                        dynamic_rnn
//   rnn/multi_rnn_cell/cell_1/basic_lstm_cell/kernel                 MultiRNNCell
//   bidirectional_rnn/fw/lstm_cell/kernel                            bidirectional_dynamic_rnn
//   stack_bidirectional_rnn/cell_0/bidirectional_rnn/bw/gru_cell/…   stack_bidirectional_dynamic_rnn

internal import Foundation
internal import Unroll

/// The scopes of `tf.nn.rnn_cell`.
struct TensorFlow1Names: NetworkNames {
  private static let variables = [
    "kernel", "bias", "gates.kernel", "gates.bias", "candidate.kernel", "candidate.bias",
    "w_i_diag", "w_f_diag", "w_o_diag", "projection.kernel",
  ]

  /// The class whose variables are in a scope.
  private static func cellClass(scope: some StringProtocol) -> TensorFlow1Class? {
    TensorFlow1Class.all.first { $0.scope == scope }
  }

  private static let peepholes = ["w_i_diag", "w_f_diag", "w_o_diag"]

  /// Refuses a variable in a cell's scope that its class does not have, such as a normalization's: another
  /// class computes something else.
  private static func checkLeftover(
    _ name: String, _ shapes: [String: [Int]]
  ) throws(ModelImportError) {
    let parts = name.split(separator: "/")
    guard let index = parts.lastIndex(where: { Self.cellClass(scope: $0) != nil }),
      index + 1 < parts.count
    else { return }
    let scope = parts[...index].joined(separator: "/")
    let isKeras = ["", ":0"].contains { shapes["\(scope)/recurrent_kernel\($0)"] != nil }
    let isCell = ["kernel", "kernel:0", "gates/kernel", "gates/kernel:0"].contains {
      shapes["\(scope)/\($0)"] != nil
    }
    // The state of an optimizer has the variable's name before its own: `kernel/Adam`.
    let first = parts[index + 1].prefix { $0 != ":" }
    let isKnown = variables.contains { $0.prefix { $0 != "." } == first }
    guard isCell, !isKeras, !isKnown else { return }
    throw ModelImportError(
      .doesNotFit(
        "stands beside the weights of a cell, and \(parts[index]) of tf.nn.rnn_cell has no such variable; a cell that uses it computes something else"
      ), name: name)
  }

  /// A name taken apart.
  private struct Place: Hashable {
    var prefix: String
    var cellClass: TensorFlow1Class
    var level: Int
    var isBackward: Bool
  }

  func plans(
    _ shapes: [String: [Int]], _ metadata: [String: String], _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> [NetworkPlan] {
    var groups: [String: [Place: [String: String]]] = [:]
    for name in shapes.keys {
      try Self.checkLeftover(name, shapes)
      guard let (variable, place) = Self.parse(name) else { continue }
      // Keras' cells have the same scopes, but two matrices.
      let scope = name.split(separator: "/").dropLast().joined(separator: "/")
      if shapes["\(scope)/recurrent_kernel"] != nil || shapes["\(scope)/recurrent_kernel:0"] != nil
      {
        continue
      }
      groups[place.prefix, default: [:]][place, default: [:]][variable] = name
    }
    var plans: [NetworkPlan] = []
    for (prefix, places) in groups.inKeyOrder {
      var plan = NetworkPlan(prefix: prefix, layers: [], assumptions: [])
      for (place, names) in places {
        let convention = TensorFlow1Cell(
          place.cellClass, activation: assumptions.activation ?? .tanh,
          forgetBias: assumptions.forgetBias ?? 1,
          usesPeepholes: Self.peepholes.contains { names[$0] != nil },
          projectionSize: try projectionSize(names["projection.kernel"], shapes))
        plan.layers.append(
          LayerPlan(
            level: place.level, isBackward: place.isBackward, convention: convention,
            names: names, effects: Self.effects(place.cellClass),
            before: Self.scope(of: names, place)))
      }
      if assumptions.activation == nil {
        plan.assumptions.append("activation is not in the file: tanh, its default")
      }
      let hasLSTM = places.keys.contains { $0.cellClass.kind.optionFields.contains(.forgetOffset) }
      if hasLSTM && assumptions.forgetBias == nil {
        plan.assumptions.append("forget_bias is not in the file: 1, its default")
      }
      let levels = Set(plan.layers.map(\.level))
      for level in 0..<levels.count where !levels.contains(level) {
        throw ModelImportError(.missing, name: "\(prefix)cell_\(level)")
      }
      plans.append(plan)
    }
    return plans
  }

  /// The scope before a cell's variables.
  private static func scope(of names: [String: String], _ place: Place) -> String {
    guard let name = names.values.min(),
      let range = name.range(of: "\(place.cellClass.scope)/", options: .backwards)
    else { return place.prefix }
    return String(name[..<range.upperBound])
  }

  /// P of a projection's matrix.
  private func projectionSize(
    _ name: String?, _ shapes: [String: [Int]]
  ) throws(ModelImportError) -> Int? {
    guard let name, let shape = shapes[name] else { return nil }
    guard shape.count == 2, shape[1] > 0 else {
      throw ModelImportError(.wrongShape(expected: [1, 1], found: shape), name: name)
    }
    return shape[1]
  }

  private static func effects(_ cellClass: TensorFlow1Class) -> [String: String] {
    let order = cellClass.blocks
    return [
      "kernel": "split into W and U by rows\(order)", "bias": "b\(order)",
      "gates.kernel": "split into W and U of r and z by rows", "gates.bias": "b of r and z",
      "candidate.kernel": "split into W and U of the candidate by rows",
      "candidate.bias": "b of the candidate", "w_i_diag": "peephole of i",
      "w_f_diag": "peephole of f", "w_o_diag": "peephole of o", "projection.kernel": "Q",
    ]
  }

  private static func parse(_ name: String) -> (variable: String, place: Place)? {
    var parts = name.split(separator: "/").map(String.init)
    // A name may end with the output that it stands for.
    if let last = parts.last, last.hasSuffix(":0") {
      parts[parts.count - 1] = String(last.dropLast(2))
    }
    guard
      let index = parts.lastIndex(where: { Self.cellClass(scope: $0) != nil }),
      let cellClass = Self.cellClass(scope: parts[index])
    else { return nil }
    let variable = parts[(index + 1)...].joined(separator: ".")
    guard variables.contains(variable) else { return nil }
    var scope = Array(parts[..<index])
    var place = Place(prefix: "", cellClass: cellClass, level: 0, isBackward: false)
    if let last = scope.last, last.hasPrefix("cell_"), let level = Int(last.dropFirst(5)),
      scope.dropLast().last == "multi_rnn_cell"
    {
      place.level = level
      scope.removeLast(2)
    }
    if let last = scope.last, last == "fw" || last == "bw" {
      place.isBackward = last == "bw"
      scope.removeLast()
      if scope.count >= 2, scope.last == "bidirectional_rnn",
        scope[scope.count - 2].hasPrefix("cell_"),
        let level = Int(scope[scope.count - 2].dropFirst(5))
      {
        place.level = level
        scope.removeLast(2)
      }
    }
    place.prefix = scope.map { $0 + "/" }.joined()
    return (0...9999).contains(place.level) ? (variable, place) : nil
  }

  func convention<Scalar: KernelScalar>(
    for cell: Cell<Scalar>
  ) throws(ModelImportError) -> any CellConvention {
    let parameters = cell.parameters
    let kind = try cell.kind(for: "TensorFlow 1")
    let cellClass = try TensorFlow1Class(kind)
    let plain = CellDescription(
      kind: kind, options: CellOptions(forgetOffset: cell.options.forgetOffset))
    try CellDescription(cell).check(expressibleAs: plain, in: "TensorFlow 1")
    try parameters.checkPlain(in: "TensorFlow 1", peepholes: true)
    return TensorFlow1Cell(
      cellClass, usesPeepholes: !parameters.peepholes.isEmpty,
      projectionSize: parameters.projection.isEmpty ? nil : parameters.outputSize)
  }

  /// The offset that the program adds at run time.
  var forgetOffset: Double { 1 }

  func name(_ name: String, of cell: CellDescription, at place: LayerPlace) -> String {
    let scope = TensorFlow1Class.all.first { $0.kind == cell.kind }?.scope ?? cell.kind.rawValue
    let variable = "\(scope)/\(name.split(separator: ".").joined(separator: "/"))"
    let isStack = place.levelCount > 1
    guard place.isBidirectional else {
      return isStack ? "rnn/multi_rnn_cell/cell_\(place.level)/\(variable)" : "rnn/\(variable)"
    }
    let direction = "bidirectional_rnn/\(place.isBackward ? "bw" : "fw")/\(variable)"
    return isStack ? "stack_bidirectional_rnn/cell_\(place.level)/\(direction)" : direction
  }
}
