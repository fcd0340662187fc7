// Text generation with details of each prediction: probabilities, candidates, and values of units and gates. The
// texts are those of `TextGenerator`.

internal import RealModule
public import Unroll
internal import UnrollContracts

/// A symbol of a text, and the model's prediction for its position.
public struct TracedSymbol: Sendable {
  /// The symbol.
  public var symbol: Int32
  /// The model's probability of the symbol at temperature 1; nil for the first symbol of a prompt.
  public var probability: Double?
  /// The likeliest symbols for the position, with their probabilities.
  public var candidates: [(symbol: Int32, probability: Double)]
  /// The value of the probed unit after the symbol was read; nil without a probe.
  public var value: Double?
}

/// A unit or gate of a layer whose value is recorded.
public struct UnitProbe: Sendable, Equatable {
  /// The index of the layer, starting at 0.
  public var layer: Int
  /// The index of the unit, starting at 0.
  public var unit: Int
  /// A gate; nil for the hidden state.
  public var gate: Gate?

  /// Creates a probe.
  public init(layer: Int, unit: Int, gate: Gate? = nil) {
    (self.layer, self.unit, self.gate) = (layer, unit, gate)
  }
}

/// Generates one text with details of each prediction.
///
/// Not copyable, because ``TextGenerator`` is not.
public struct TracedGenerator: ~Copyable {
  private let layers: [RecurrentLayer<Float>]
  private let probe: UnitProbe?
  private let candidateCount: Int
  private var generator: TextGenerator
  private var hasRead = false

  /// Starts a text.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - lineEnd: The symbol that ends lines, if the states are reset at every line as in training
  ///     (``StoredModel/resettingSymbol``); nil if states are carried from line to line.
  ///   - options: The sampling options.
  ///   - probe: The unit to record.
  ///   - candidateCount: The number of candidates per symbol.
  /// - Precondition: The options are valid, and the probe is a unit of the model.
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

  /// Draws the next symbol and reads it.
  ///
  /// - Precondition: At least one symbol was read.
  public mutating func next() -> TracedSymbol {
    require(hasRead, "TracedGenerator.next: expected a prompt to be read first.")
    return traced(probabilities(generator.nextLogits())) { $0.draw() }
  }

  private mutating func traced(
    _ before: [Double]?, _ choose: (inout TextGenerator) -> Void
  ) -> TracedSymbol {
    choose(&generator)
    // The stream does not store gates, so the layer is run again for the probed gate.
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

  /// Returns the probed value for a step from a layer's state.
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
