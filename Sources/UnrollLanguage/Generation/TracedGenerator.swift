// Text symbol by symbol with all that led to it: probabilities, candidates, what units and gates did. The
// texts are those of `TextGenerator`.

internal import RealModule
public import Unroll
internal import UnrollContracts

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
///
/// A generator is not copyable, as its ``TextGenerator`` is not.
public struct TracedGenerator: ~Copyable {
  private let layers: [RecurrentLayer<Float>]
  private let probe: UnitProbe?
  private let candidateCount: Int
  private var generator: TextGenerator
  private var hasRead = false

  /// Begins a text.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - lineEnd: The symbol that ends lines, if every line begins with the model's initial states, as it did in training
  ///     (``StoredModel/resettingSymbol``); nil if states are carried from line to line.
  ///   - options: How symbols are drawn.
  ///   - probe: What is watched.
  ///   - candidateCount: How many candidates each symbol comes with.
  /// - Precondition: The options have no problem, the probe is one of the model's units.
  public init(
    _ model: LanguageModel<Float>, lineEnd: Int32? = nil,
    options: SamplingOptions = SamplingOptions(),
    probe: UnitProbe? = nil, candidateCount: Int = 8
  ) {
    if let probe {
      require(
        model.layers.indices.contains(probe.layer)
          && (0..<model.layers[probe.layer].cell.hiddenSize).contains(probe.unit)
          && probe.gate.map { model.layers[probe.layer].cell.parameters.gates.contains($0) }
            ?? true,
        "TracedGenerator.init: expected a unit of the model.")
    }
    layers = model.layers
    self.probe = probe
    self.candidateCount = candidateCount
    generator = TextGenerator(model, count: 1, lineEnd: lineEnd, options: options)
  }

  /// Reads a symbol of the prompt.
  public mutating func read(_ symbol: Int32) -> TracedSymbol {
    let before = hasRead ? probabilities(generator.nextLogits()) : nil
    return traced(before) { $0.choose(symbol) }
  }

  /// Draws the next symbol, and reads it.
  ///
  /// - Precondition: A symbol was read before.
  public mutating func next() -> TracedSymbol {
    require(hasRead, "TracedGenerator.next: expected a prompt to be read first.")
    return traced(probabilities(generator.nextLogits())) { $0.draw() }
  }

  private mutating func traced(
    _ before: [Double]?, _ choose: (inout TextGenerator) -> Void
  ) -> TracedSymbol {
    choose(&generator)
    // A gate's value is not kept by the stream: its layer is run once more for it.
    let previous = probe.flatMap { $0.gate == nil ? nil : generator.states[$0.layer] }
    generator.advance()
    hasRead = true
    let symbol = generator.symbols[0]
    let best = before.map { values in
      values.indices.sorted { values[$0] > values[$1] || values[$0] == values[$1] && $0 < $1 }
        .prefix(candidateCount).map { (symbol: Int32($0), probability: values[$0]) }
    }
    return TracedSymbol(
      symbol: symbol, probability: before.map { $0[Int(symbol)] }, candidates: best ?? [],
      value: value(previous))
  }

  /// What the probe shows after a step from a layer's state.
  private func value(_ previous: RecurrentState<Float>?) -> Double? {
    guard let probe else { return nil }
    let states = generator.states
    guard let gate = probe.gate, let previous else {
      return Double(states[probe.layer].hidden.elements[probe.unit])
    }
    let input = probe.layer == 0 ? generator.vectors : states[probe.layer - 1].hidden
    let trace = layers[probe.layer].forward(
      input.reshaped(to: [1, 1, layers[probe.layer].inputSize]), from: previous)
    return Double(trace.gate(gate).elements[probe.unit])
  }

  private func probabilities(_ logits: Tensor<Float>) -> [Double] {
    let values = logits.elements.map { Double($0) }
    let most = values.max() ?? 0
    let weights = values.map { Double.exp($0 - most) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }
}
