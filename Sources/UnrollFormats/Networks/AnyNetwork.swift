public import Unroll

/// A network in the precision of its file.
public enum AnyNetwork: Sendable {
  /// float32.
  case single(RecurrentNetwork<Float>)
  /// float64.
  case double(RecurrentNetwork<Double>)

  /// Takes a network of either precision.
  public init<Scalar: KernelScalar>(_ network: RecurrentNetwork<Scalar>) {
    if let single = network as? RecurrentNetwork<Float> {
      self = .single(single)
    } else {
      self = .double(network.converted(to: Double.self))
    }
  }

  /// The network in float32; a float64 network is rounded.
  public var single: RecurrentNetwork<Float> {
    switch self {
    case .single(let network): network
    case .double(let network): network.converted(to: Float.self)
    }
  }

  /// The network in float64.
  public var double: RecurrentNetwork<Double> {
    switch self {
    case .single(let network): network.converted(to: Double.self)
    case .double(let network): network
    }
  }

  /// A summary of each layer, from the lowest level up, forward before backward.
  public var layers: [LayerSummary] {
    switch self {
    case .single(let network): LayerSummary.all(of: network)
    case .double(let network): LayerSummary.all(of: network)
    }
  }

  /// The first weight that is NaN or infinite, in words; nil if all are finite.
  public var nonFiniteWeight: String? {
    switch self {
    case .single(let network): Self.nonFiniteWeight(network)
    case .double(let network): Self.nonFiniteWeight(network)
    }
  }

  private static func nonFiniteWeight<Scalar>(_ network: RecurrentNetwork<Scalar>) -> String? {
    for (index, layer) in network.layers.enumerated() {
      let parameters = layer.cell.parameters
      for name in parameters.names {
        guard let number = parameters[name].elements.first(where: { !$0.isFinite }) else {
          continue
        }
        let plain = CellParameters<Scalar>.plainName(name)
        return "\(number.isNaN ? "NaN" : "infinity") in \(plain) of layer \(index)"
      }
    }
    return nil
  }
}

/// One layer of a network: its place, sizes and settings.
public struct LayerSummary: Equatable, Sendable {
  /// The level, from 0.
  public let level: Int
  /// The direction in which it reads a sequence.
  public let direction: Direction
  /// The numbers of features that it reads, keeps and puts out.
  public let inputSize: Int, hiddenSize: Int, outputSize: Int
  /// The number of its parameters.
  public let parameterCount: Int
  /// The cell with every setting that changes its results.
  public let cell: String

  static func all<Scalar: KernelScalar>(of network: RecurrentNetwork<Scalar>) -> [LayerSummary] {
    network.levels.enumerated().flatMap { level, layers in
      layers.map { layer in
        let cell = layer.cell
        return LayerSummary(
          level: level, direction: layer.direction, inputSize: cell.inputSize,
          hiddenSize: cell.hiddenSize, outputSize: cell.outputSize,
          parameterCount: cell.parameters.count, cell: words(cell))
      }
    }
  }

  /// A cell with every setting that changes its results.
  private static func words<Scalar: KernelScalar>(_ cell: Cell<Scalar>) -> String {
    let (options, parameters) = (cell.options, cell.parameters)
    let fields = cell.kind?.optionFields ?? []
    var words =
      switch cell.kind {
      case .gruResetBefore: ["GRU", "reset gate before the product"]
      case .gruResetAfter: ["GRU", "reset gate after the product"]
      default: [cell.title]
      }
    words.append(
      fields.contains(.gateActivation)
        ? "gates \(options.gateActivation.words), candidate \(options.activation.words)"
        : options.activation.words)
    if fields.contains(.outputActivation) {
      words.append("output \(options.outputActivation.words)")
    }
    if options.couplesInputAndForget { words.append("forget gate = 1 − input gate") }
    if options.forgetOffset != 0 { words.append("forget gate + \(options.forgetOffset)") }
    if options.cellClip != 0 { words.append("cell state clipped to ±\(options.cellClip)") }
    if options.projectionClip != 0 {
      words.append("projection clipped to ±\(options.projectionClip)")
    }
    if options.argumentClip != 0 {
      words.append("arguments clipped to ±\(Float(options.argumentClip))")
    }
    if !parameters.recurrentBias.isEmpty { words.append("two biases") }
    if !parameters.peepholes.isEmpty { words.append("peepholes") }
    if !parameters.projection.isEmpty { words.append("projection") }
    if parameters.isNormalized { words.append("layer normalization") }
    if cell.zoneout.hidden != 0 { words.append("zoneout of h \(cell.zoneout.hidden)") }
    if cell.zoneout.cell != 0 { words.append("zoneout of c \(cell.zoneout.cell)") }
    return words.joined(separator: ", ")
  }
}
