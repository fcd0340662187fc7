// Measures how much context a language model uses: the loss as a function of the prefix length, and the gradient of a
// prediction with respect to earlier symbols.
//
// Source of the former: Khandelwal et al. (2018), "Sharp nearby, fuzzy far away".

internal import RealModule
internal import Unroll
internal import UnrollContracts
internal import UnrollFormats

/// The amount of context that a language model uses.
public struct ContextResult: Sendable, Codable {
  /// The loss for prefixes of one length.
  public struct Prefix: Sendable, Codable {
    /// The number of symbols read, starting from the initial state.
    public var length: Int
    /// The mean loss in nats per symbol.
    public var loss: Double
  }

  /// The losses, from the shortest to the longest prefix.
  public var prefixes: [Prefix]
  /// The shortest prefix whose loss is within 1 % of the longest one's.
  public var effectiveLength: Int
  /// For d = 1, 2, …: the norm of the gradient of a prediction's log-probability with respect to the
  /// embedding of the symbol d positions earlier, averaged over the predictions.
  public var influences: [Double]
  /// The gradient norms of the last prediction.
  public var lastInfluences: [Double]
  /// The symbols that the last prediction read, latest first.
  public var lastSymbols: [Int32]
  /// The target of the last prediction.
  public var lastTarget: Int32
  /// The number of predictions.
  public var predictionCount: Int
}

extension LanguageModel {
  /// Measures how much context the model uses.
  ///
  /// - Parameters:
  ///   - text: A text of the model's symbols; at least two.
  ///   - longest: The length of the longest prefix.
  ///   - predictions: The number of evenly spaced positions of the text.
  ///   - lineEnd: The symbol that ends lines, if the states are reset at every line
  ///     (``StoredModel/resettingSymbol``): symbols before the last line end then have no influence. Nil if states are
  ///     carried from line to line.
  /// - Returns: The result.
  /// - Complexity: About 2 · `longest` · `predictions` forward steps of the model, and half as many backward.
  public func context(
    of text: EncodedText, longest: Int = 256, predictions: Int = 128, lineEnd: Int32? = nil
  ) -> ContextResult {
    require(text.count >= 2, "LanguageModel.context: expected a text of two symbols.")
    let longest = max(1, min(longest, text.count - 1))
    let room = text.count - longest
    let count = max(1, min(predictions, room))
    let places = (0..<count).map {
      longest + (count == 1 ? room - 1 : $0 * (room - 1) / (count - 1))
    }
    var lengths = [1]
    while let last = lengths.last, last < longest { lengths.append(min(longest, 2 * last)) }
    let prefixes = lengths.map { length in
      ContextResult.Prefix(
        length: length, loss: loss(text, at: places, prefix: length, lineEnd: lineEnd))
    }
    let best = prefixes.last?.loss ?? .nan
    let influences = influences(text, at: places, prefix: longest, lineEnd: lineEnd)
    let last = places[places.count - 1]
    return ContextResult(
      prefixes: prefixes,
      effectiveLength: prefixes.first { $0.loss <= best + 0.01 }?.length ?? longest,
      influences: influences.map { $0.reduce(0, +) / Double(count) },
      lastInfluences: influences.map { $0[count - 1] },
      lastSymbols: (1...longest).map { text[last - $0] }, lastTarget: text[last],
      predictionCount: count)
  }

  /// Returns the embeddings of the symbols before some positions, `[length, N, E]`.
  private func vectors(
    _ text: EncodedText, before places: [Int], _ length: Int
  ) -> Tensor<Scalar> {
    let symbols = (0..<length).flatMap { time in places.map { text[$0 - length + time] } }
    var result = Tensor<Scalar>(shape: [0])
    embedding.lookUp(symbols, timeStepCount: length, into: &result)
    return result
  }

  /// Returns the log-probabilities of the next symbol, `[N, V]`, given the top layer's last states.
  private func logProbabilities(_ top: Tensor<Scalar>) -> Tensor<Double> {
    let scratch = Scratch<Scalar>()
    var (below, logits) = (top, Tensor<Scalar>(shape: [0]))
    projection?.forward(top, into: &below, using: scratch)
    softmax.forward(below, into: &logits, using: scratch)
    let size = logits.shape[1]
    var values = logits.elements.map { Double($0) }
    for row in 0..<logits.shape[0] {
      let range = row * size..<(row + 1) * size
      let largest = values[range].max() ?? 0
      let sum = values[range].reduce(0) { $0 + Double.exp($1 - largest) }
      let shift = largest + Double.log(sum)
      for index in range { values[index] -= shift }
    }
    return Tensor(shape: logits.shape, elements: values)
  }

  /// Groups positions by the number of symbols to read: at most `prefix`, and none before the last line end.
  ///
  /// - Returns: The prefix length of each group and the indices of its positions.
  private func groups(
    _ text: EncodedText, _ places: [Int], _ prefix: Int, _ lineEnd: Int32?
  ) -> [(length: Int, indices: [Int])] {
    guard let lineEnd else { return [(prefix, Array(places.indices))] }
    let lengths = places.map { place in
      (1..<prefix).first { text[place - $0] == lineEnd } ?? prefix
    }
    return Dictionary(grouping: places.indices) { lengths[$0] }
      .sorted(byNumber: { $0.key }).map { ($0.key, $0.value) }
  }

  private func loss(
    _ text: EncodedText, at places: [Int], prefix: Int, lineEnd: Int32?
  ) -> Double {
    let parts = groups(text, places, prefix, lineEnd)
    return parts.reduce(0) { sum, part in
      let own = part.indices.map { places[$0] }
      return sum + loss(text, at: own, prefix: part.length) * Double(own.count)
    } / Double(places.count)
  }

  private func loss(_ text: EncodedText, at places: [Int], prefix: Int) -> Double {
    var values = vectors(text, before: places, prefix)
    var top = Tensor<Scalar>(shape: [0])
    for (layer, state) in zip(layers, initialStates(batchSize: places.count)) {
      let trace = layer.forward(values, from: state)
      (values, top) = (trace.outputs, trace.finalState.hidden)
    }
    let logs = logProbabilities(top)
    return places.enumerated().reduce(0) { $0 - logs[$1.offset, Int(text[$1.element])] }
      / Double(places.count)
  }

  /// Returns each prediction's gradient norm for each distance; 0 beyond a line end at which states are reset.
  private func influences(
    _ text: EncodedText, at places: [Int], prefix: Int, lineEnd: Int32?
  ) -> [[Double]] {
    var result = [[Double]](
      repeating: [Double](repeating: 0, count: places.count), count: prefix)
    for part in groups(text, places, prefix, lineEnd) {
      let own = influences(text, at: part.indices.map { places[$0] }, prefix: part.length)
      for (distance, norms) in own.enumerated() {
        for (index, norm) in zip(part.indices, norms) { result[distance][index] = norm }
      }
    }
    return result
  }

  /// Returns each prediction's gradient norm for each distance, through the whole prefix.
  private func influences(
    _ text: EncodedText, at places: [Int], prefix: Int
  ) -> [[Double]] {
    var values = vectors(text, before: places, prefix)
    let embedded = values.shape
    var traces: [SequenceTrace<Scalar>] = []
    for (layer, state) in zip(layers, initialStates(batchSize: places.count)) {
      traces.append(layer.forward(values, from: state))
      values = traces[traces.count - 1].outputs
    }
    guard let top = traces.last?.finalState.hidden else { return [] }
    // d log p(target) / d logits = onehot(target) − p.
    var gradient = logProbabilities(top).map { -Double.exp($0) }
    var elements = gradient.elements
    for (row, place) in places.enumerated() {
      elements[row * gradient.shape[1] + Int(text[place])] += 1
    }
    gradient = Tensor(shape: gradient.shape, elements: elements)
    var below = Tensor<Scalar>(gradient).matrixProduct(
      softmax.isTransposed ? softmax.weights : softmax.weights.transposed)
    if let projection { below = below.matrixProduct(projection.weights.transposed) }
    // Only the last step's output has a gradient.
    var outputs: Tensor<Scalar>?
    for (index, layer) in layers.enumerated().reversed() {
      var final: RecurrentState<Scalar>?
      if index == layers.count - 1 {
        var state = layer.zeroState(batchSize: places.count)
        state.hidden = below
        final = state
      }
      outputs = layer.backward(traces[index], outputs: outputs, finalState: final).inputs
    }
    guard let gradients = outputs else { return [] }
    return (1...prefix).map { distance in
      gradients[prefix - distance, ...].reshaped(to: [embedded[1], embedded[2]]).rowNorms
        .elements.map { Double($0) }
    }
  }
}
