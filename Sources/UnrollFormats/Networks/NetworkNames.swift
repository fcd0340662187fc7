// A network in a file of arrays: which of them make a network, by the names that another program gives
// them, and what each becomes here.

public import Unroll

/// Settings that arrays alone do not state.
///
/// nil means the default of the other program; the report lists it.
public struct NetworkAssumptions: Sendable, Equatable {
  /// The name of an assumption.
  public enum Field: String, Sendable, CaseIterable {
    /// ``NetworkAssumptions/activation``.
    case activation
    /// ``NetworkAssumptions/forgetBias``.
    case forgetBias = "forget bias"
    /// ``NetworkAssumptions/prefix``.
    case prefix
  }

  /// The candidate's activation function.
  public var activation: Activation?
  /// The number that TensorFlow 1's LSTM adds to the forget gate.
  public var forgetBias: Double?
  /// The beginning of the names of the network that is meant, where a file holds several.
  ///
  /// A separator at its end may be left out. The prefix of a list of PyTorch's modules, such as `rnns.`, means all of them as one stack.
  public var prefix: String?

  /// Assumes the defaults.
  public init(
    activation: Activation? = nil, forgetBias: Double? = nil, prefix: String? = nil
  ) {
    self.activation = activation
    self.forgetBias = forgetBias
    self.prefix = prefix
  }

  /// The assumptions that are not nil.
  public var given: [Field] {
    [
      activation == nil ? nil : .activation, forgetBias == nil ? nil : .forgetBias,
      prefix == nil ? nil : .prefix,
    ].compactMap(\.self)
  }

  /// The assumptions with another value of one of them.
  func changing(_ field: Field) -> NetworkAssumptions {
    var other = self
    switch field {
    case .activation: other.activation = activation.map { $0 == .tanh ? .relu : .tanh }
    case .forgetBias: other.forgetBias = forgetBias.map { $0 + 1 }
    case .prefix: other.prefix = prefix.map { $0 + "\u{1}" }
    }
    return other
  }
}

/// One layer and direction of another program's network.
struct LayerPlan {
  var level: Int
  var isBackward: Bool
  var convention: any CellConvention
  /// The convention's name of each array, and the file's.
  var names: [String: String]
  /// A description of what each array becomes here, by the convention's name.
  var effects: [String: String]
  /// Arrays that are computed from two of the file's, by the convention's name.
  var derived: [String: DerivedArray] = [:]
  /// Arrays of the file that belong to the layer and are not needed, and why.
  var unneeded: [String: String] = [:]
  /// The parts of the file's names before and after the convention's names.
  var before = "", after = ""

  /// The file's name of an array, also of one that is missing.
  func fileName(_ name: String) -> String {
    if let fileName = names[name] { return fileName }
    // TensorFlow separates scopes by slashes.
    let name = before.hasSuffix("/") ? name.split(separator: ".").joined(separator: "/") : name
    return before + name + after
  }
}

/// The arrays of one network in a file.
struct NetworkPlan {
  /// The prefix of all names.
  var prefix: String
  var layers: [LayerPlan]
  /// The defaults that were assumed.
  var assumptions: [String]
  /// A line for each thing that the file's network does and the layers here do not.
  var omissions: [String] = []
  /// The prefix that would choose this network and others as one stack, if that is possible.
  var stack: String?
}

/// The names that a program gives to the arrays of a network.
protocol NetworkNames: Sendable {
  /// The networks that arrays hold by these names.
  ///
  /// - Parameters:
  ///   - shapes: The arrays' shapes: of those behind the prefix in `assumptions`, or of all (`choosesByPrefix`).
  ///   - metadata: The file's words.
  ///   - assumptions: What neither says.
  /// - Returns: One plan for each network.
  /// - Throws: `ModelImportError` if they are one, but of impossible shapes.
  func plans(
    _ shapes: [String: [Int]], _ metadata: [String: String], _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> [NetworkPlan]

  /// The convention that writes a cell.
  ///
  /// - Throws: `ModelImportError` for what this program's cell cannot express.
  func convention<Scalar: KernelScalar>(
    for cell: Cell<Scalar>
  ) throws(ModelImportError) -> any CellConvention

  /// Whether `plans` looks at all arrays and returns only the networks that the prefix in its assumptions
  /// chooses; otherwise it gets the arrays behind the prefix.
  var choosesByPrefix: Bool { get }

  /// The offset that the program adds to an LSTM's forget gate at run time.
  var forgetOffset: Double { get }

  /// Whether a level can read both ways.
  var readsBackward: Bool { get }

  /// The name under which the program numbers layers of a kind.
  func counted(_ kind: CellKind) -> String

  /// The file's name of an array.
  ///
  /// - Parameters:
  ///   - name: The convention's name.
  ///   - cell: What is written.
  ///   - place: The layer's level, whether it reads backward, and how the network is built.
  /// - Returns: The name.
  func name(_ name: String, of cell: CellDescription, at place: LayerPlace) -> String
}

extension NetworkNames {
  var choosesByPrefix: Bool { false }
  var forgetOffset: Double { 0 }
  var readsBackward: Bool { true }
  func counted(_ kind: CellKind) -> String { kind.rawValue }
}

/// The place of a layer in a network.
struct LayerPlace {
  var level: Int
  var isBackward: Bool
  var levelCount: Int
  var isBidirectional: Bool
  /// The number of levels below of the same kind, with the same number of directions.
  var sameBefore = 0
}

/// A convention for the names and layouts of a network's arrays.
public enum NetworkLayout: String, Sendable, CaseIterable {
  /// Unroll's own: everything is kept.
  case unroll
  /// PyTorch's `nn.RNN`, `nn.GRU`, `nn.LSTM` and their cells.
  case pytorch
  /// Keras 2 and 3.
  case keras
  /// TensorFlow 1's `tf.nn.rnn_cell`.
  case tensorFlow1 = "tensorflow1"
  /// Apple's MLX.
  case mlx

  var names: (any NetworkNames)? {
    switch self {
    case .unroll: nil
    case .pytorch: TorchNames()
    case .keras: KerasNames()
    case .tensorFlow1: TensorFlow1Names()
    case .mlx: MLXNames()
    }
  }
}

/// A network that was read from arrays, and how.
public struct ImportedNetwork<Scalar: KernelScalar>: Sendable {
  /// The network.
  public var network: RecurrentNetwork<Scalar>
  /// Whose names they were.
  public var layout: NetworkLayout
  /// The prefix of all names.
  public var prefix: String
  /// A line for each array: its name and shape, and what became of it.
  public var mappings: [String]
  /// A line for each setting that the arrays do not state, with the default that was taken.
  public var assumptions: [String]
  /// Arrays that are not part of the network.
  public var others: [String]
  /// A line for each thing that the file's network does and this one does not: masks, scaling, pooling.
  public var omissions: [String] = []
}

extension NetworkLayout {
  /// Writes a network's parameters by a program's names.
  ///
  /// - Returns: The arrays, and what had to be done besides renaming and transposing.
  /// - Throws: `ModelImportError` for what the program cannot express.
  func exporting<Scalar: KernelScalar>(
    _ network: RecurrentNetwork<Scalar>, by names: any NetworkNames
  ) throws(ModelImportError) -> (arrays: [String: StoredArray], notes: [String]) {
    if self == .pytorch { try Self.checkUniform(network) }
    if self == .tensorFlow1 { try Self.checkDirections(network, "TensorFlow 1") }
    var (result, notes) = ([String: StoredArray](), [String]())
    var counts: [String: Int] = [:]
    for (level, layers) in network.levels.enumerated() {
      let counted =
        layers.count == 2 ? "both" : names.counted(try layers[0].cell.kind(for: rawValue))
      defer { counts[counted, default: 0] += 1 }
      for (index, layer) in layers.enumerated() {
        guard layer.direction == .forward || names.readsBackward && layers.count == 2 else {
          throw ModelImportError(
            .inexpressible(field: "direction", value: "backward alone"), name: rawValue)
        }
        var cell = layer.cell
        let kind = try cell.kind(for: rawValue)
        let change = cell.options.forgetOffset - names.forgetOffset
        if kind.optionFields.contains(.forgetOffset), change != 0 {
          cell.parameters[.forget].bias = cell.parameters[.forget].bias + Scalar(change)
          cell.options.forgetOffset = names.forgetOffset
          notes.append(
            "level \(level): \(change) was added to the forget gate's bias, for \(rawValue) adds \(names.forgetOffset) to it, not what the cell here does"
          )
        }
        guard kind.candidate == .separate || cell.parameters.recurrentBias.isEmpty else {
          throw ModelImportError(
            .inexpressible(
              field: "second bias", value: "of a cell of the kind \(kind.rawValue)"),
            name: rawValue)
        }
        let convention = try names.convention(for: cell)
        let description = try CellDescription(cell)
        let place = LayerPlace(
          level: level, isBackward: index == 1, levelCount: network.levels.count,
          isBidirectional: layers.count == 2, sameBefore: counts[counted] ?? 0)
        for (name, tensor) in convention.arrays(from: cell.parameters, role: .weights) {
          result[names.name(name, of: description, at: place)] = StoredArray(tensor)
        }
      }
    }
    return (result, notes)
  }
}

extension NetworkLayout {
  /// A module of PyTorch has one kind and size of cell, at every level and in each direction.
  private static func checkUniform<Scalar: KernelScalar>(
    _ network: RecurrentNetwork<Scalar>
  ) throws(ModelImportError) {
    guard let first = network.layers.first?.cell else { return }
    for layer in network.layers {
      let cell = layer.cell
      guard cell.kind == first.kind, cell.hiddenSize == first.hiddenSize,
        cell.outputSize == first.outputSize
      else {
        throw ModelImportError(
          .inexpressible(field: "layers", value: "of different kinds or sizes"), name: "PyTorch")
      }
    }
    try checkDirections(network, "PyTorch")
  }

  /// Levels of one direction and of both cannot be mixed in one call of the program.
  private static func checkDirections<Scalar: KernelScalar>(
    _ network: RecurrentNetwork<Scalar>, _ program: String
  ) throws(ModelImportError) {
    guard Set(network.levels.map(\.count)).count <= 1 else {
      throw ModelImportError(
        .inexpressible(field: "directions", value: "of some levels only"), name: program)
    }
  }
}

extension RecurrentNetwork {
  /// A network of levels that came from a file.
  ///
  /// - Throws: `ModelImportError` if a level does not read what the one below puts out.
  package init(fitting levels: [[RecurrentLayer<Scalar>]]) throws(ModelImportError) {
    for (index, level) in levels.enumerated() {
      let directions = level.map(\.direction)
      guard [[.forward], [.backward], [.forward, .backward]].contains(directions) else {
        throw ModelImportError(
          .doesNotFit("expected one layer, or a forward and a backward one"), name: "level \(index)"
        )
      }
      let below = index > 0 ? levels[index - 1].map(\.outputSize).reduce(0, +) : level[0].inputSize
      for layer in level where layer.inputSize != below {
        throw ModelImportError(
          .doesNotFit("expected input size \(below), found \(layer.inputSize)"),
          name: "level \(index)")
      }
    }
    self.init(levels: levels)
  }
}
