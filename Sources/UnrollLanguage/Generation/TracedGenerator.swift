// Text symbol by symbol with all that led to it: probabilities, candidates, what units and gates did. The
// texts are those of `TextGenerator`.

internal import RealModule
public import Unroll

/// A symbol of a text, and what the model thought of it.
public struct TracedSymbol: Sendable {
  /// The symbol.
  public var symbol: Int32
  /// Its probability after the symbols before it, at temperature 1; nil for the first of a prompt.
  public var probability: Double?
  /// The likeliest symbols in its place with their probabilities.
  public var candidates: [(symbol: Int32, probability: Double)]
  /// What the probed unit was after the model had read the symbol; nil without a probe.
  public var value: Double?
}

/// One number of a model's layer that is watched.
public struct UnitProbe: Sendable, Equatable {
  /// The layer, from 0.
  public var layer: Int
  /// The unit, from 0.
  public var unit: Int
  /// A gate; nil for the hidden state.
  public var gate: Gate?

  /// Creates a probe.
  public init(layer: Int, unit: Int, gate: Gate? = nil) {
    (self.layer, self.unit, self.gate) = (layer, unit, gate)
  }
}

/// Generates one text, and tells what led to each symbol.
public struct TracedGenerator {
  private let model: LanguageModel<Float>
  private let probe: UnitProbe?
  private let candidateCount: Int
  private var sampler: SymbolSampler
  private var states: [RecurrentState<Float>]
  private var top: Tensor<Float>
  private var traces: [SequenceTrace<Float>] = []
  private let workspace = Workspace<Float>()
  private var place = 0

  /// Begins a text.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - options: How symbols are drawn.
  ///   - probe: What is watched.
  ///   - candidateCount: How many candidates each symbol comes with.
  /// - Precondition: The options have no problem, the probe is one of the model's units.
  public init(
    _ model: LanguageModel<Float>, options: SamplingOptions = SamplingOptions(),
    probe: UnitProbe? = nil, candidateCount: Int = 8
  ) {
    precondition(options.problem == nil, "TracedGenerator.init: expected options that can be.")
    if let probe {
      precondition(
        model.layers.indices.contains(probe.layer)
          && (0..<model.layers[probe.layer].cell.hiddenSize).contains(probe.unit)
          && probe.gate.map { model.layers[probe.layer].cell.parameters.gates.contains($0) }
            ?? true,
        "TracedGenerator.init: expected a unit of the model.")
    }
    self.model = model
    self.probe = probe
    self.candidateCount = candidateCount
    sampler = SymbolSampler(options, symbolCount: model.configuration.vocabularySize)
    states = model.zeroStates(batchSize: 1)
    top = Tensor(shape: [1, 0])
  }

  /// Reads a symbol of the prompt.
  public mutating func read(_ symbol: Int32) -> TracedSymbol {
    let before = traces.isEmpty ? nil : probabilities(logits())
    return take(symbol, before)
  }

  /// Draws the next symbol, and reads it.
  ///
  /// - Precondition: A symbol was read before.
  public mutating func next() -> TracedSymbol {
    precondition(!traces.isEmpty, "TracedGenerator.next: expected a prompt to be read first.")
    let logits = logits()
    let symbol = logits.withUnsafeElements {
      sampler.draw(
        UnsafeBufferPointer(start: $0, count: logits.count), sequence: 0, place: place)
    }
    place += 1
    return take(symbol, probabilities(logits))
  }

  private mutating func take(_ symbol: Int32, _ before: [Double]?) -> TracedSymbol {
    step(symbol)
    let best = before.map { values in
      values.indices.sorted { values[$0] > values[$1] || values[$0] == values[$1] && $0 < $1 }
        .prefix(candidateCount).map { (symbol: Int32($0), probability: values[$0]) }
    }
    return TracedSymbol(
      symbol: symbol, probability: before.map { $0[Int(symbol)] }, candidates: best ?? [],
      value: value())
  }

  private mutating func step(_ symbol: Int32) {
    var values = Tensor<Float>(shape: [0])
    model.embedding.lookUp([symbol], timeStepCount: 1, into: &values)
    traces = []
    for (index, layer) in model.layers.enumerated() {
      let trace = layer.forward(values, from: states[index])
      states[index] = trace.finalState
      values = trace.outputs
      traces.append(trace)
    }
    top = states[states.count - 1].hidden
  }

  private func value() -> Double? {
    guard let probe else { return nil }
    let trace = traces[probe.layer]
    let values = probe.gate.map { trace.gate($0) } ?? trace.hiddenStates
    return Double(values.elements[probe.unit])
  }

  private func logits() -> Tensor<Float> {
    var (below, logits) = (top, Tensor<Float>(shape: [0]))
    if let projection = model.projection {
      projection.forward(top, into: &below, using: workspace)
    }
    model.softmax.forward(below, into: &logits, using: workspace)
    return logits
  }

  private func probabilities(_ logits: Tensor<Float>) -> [Double] {
    let values = logits.elements.map { Double($0) }
    let most = values.max() ?? 0
    let weights = values.map { Double.exp($0 - most) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }
}
