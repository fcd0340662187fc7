// Divides a text into batches. The start of a batch is a single number, so that a run can resume from it.

internal import Unroll

/// The batches of a text, in order.
package struct BatchSource {
  package let text: EncodedText
  package let batchSize: Int
  package let timeSteps: Int
  /// The symbol that ends lines, if every line is a separate sequence.
  package let lineEnd: Int32?
  /// The seed of jittered lengths; nil for constant lengths.
  package let jitterSeed: UInt32?
  /// Whether to read all symbols, so that the last row is shorter; otherwise up to B − 1 symbols at the end of the text
  /// are omitted to make all rows equally long.
  package let isComplete: Bool

  package init(
    _ text: EncodedText, batchSize: Int, timeSteps: Int, lineEnd: Int32? = nil,
    jitterSeed: UInt32? = nil, isComplete: Bool = false
  ) {
    self.text = text
    self.batchSize = batchSize
    self.timeSteps = timeSteps
    self.lineEnd = lineEnd
    self.jitterSeed = jitterSeed
    self.isComplete = isComplete
  }

  /// The number of targets of a row.
  private var rowLength: Int {
    let targets = max(0, text.count - 1)
    return isComplete ? (targets + batchSize - 1) / batchSize : targets / batchSize
  }

  /// The position of the end of the text.
  package var end: Int { lineEnd == nil ? rowLength : max(0, text.count - 1) }

  /// Returns the number of time steps of the batch for a training step.
  ///
  /// - Returns: T of the batch; 1 in 20 is about half as long (Merity et al. 2018).
  package func length(step: Int) -> Int {
    guard let jitterSeed else { return timeSteps }
    let philox = Philox(
      counter: SIMD4(
        UInt32(truncatingIfNeeded: step), UInt32(truncatingIfNeeded: step >> 32), 1, 0),
      key: SIMD2(jitterSeed, 0x4A17))
    let words = philox.block
    let base = words[0] < 214_748_365 ? timeSteps / 2 : timeSteps  // 1 in 20
    // The sum of three uniform numbers in ± 5 has a standard deviation of 5.
    let unit = { (word: UInt32) in Double(word) / 4_294_967_296 * 10 - 5 }
    let shift = unit(words[1]) + unit(words[2]) + unit(words[3])
    return max(5, min(base + Int(shift.rounded()), timeSteps + Self.maximumJitter))
  }

  private static let maximumJitter = 15

  /// The maximum number of symbols of a batch; nil for line-wise batches, whose lines may have any length.
  package var maximumSymbols: Int? {
    lineEnd == nil ? batchSize * (timeSteps + Self.maximumJitter) : nil
  }

  /// Fills a batch.
  ///
  /// - Parameters:
  ///   - batch: Receives symbols and targets.
  ///   - position: The position of the batch; 0 at the start.
  ///   - step: The training step, for jittered lengths.
  /// - Returns: The position of the next batch; nil at the end of the text.
  package func fill(_ batch: inout LanguageBatch, at position: Int, step: Int) -> Int? {
    guard position < end else { return nil }
    return lineEnd.map { fillLines(&batch, at: position, lineEnd: $0) }
      ?? fillRows(&batch, at: position, step: step)
  }

  private func fillRows(_ batch: inout LanguageBatch, at position: Int, step: Int) -> Int {
    let steps = min(length(step: step), rowLength - position)
    resize(&batch, steps)
    for row in 0..<batchSize {
      let start = row * rowLength + position
      for time in 0..<steps {
        let isThere = start + time + 1 < text.count
        batch.inputs[time * batchSize + row] = isThere ? text[start + time] : 0
        batch.targets[time * batchSize + row] = isThere ? text[start + time + 1] : -1
      }
    }
    return position + steps
  }

  /// Fills the rows with lines, each preceded by a line end; lines longer than T are cut.
  private func fillLines(
    _ batch: inout LanguageBatch, at position: Int, lineEnd: Int32
  ) -> Int {
    // The first line has no preceding line end, so its first symbol is read without being predicted.
    var next = position
    var spans: [Range<Int>] = []
    while spans.count < batchSize && next < end {
      var last = next
      while last < end && last - next < timeSteps {
        last += 1
        if text[last] == lineEnd { break }
      }
      spans.append(next..<last)
      next = last
    }
    let steps = spans.map(\.count).max() ?? 0
    resize(&batch, steps)
    for row in 0..<batchSize {
      for time in 0..<steps {
        let isThere = row < spans.count && time < spans[row].count
        let index = isThere ? spans[row].lowerBound + time : 0
        batch.inputs[time * batchSize + row] = isThere ? text[index] : 0
        batch.targets[time * batchSize + row] = isThere ? text[index + 1] : -1
      }
    }
    return next
  }

  private func resize(_ batch: inout LanguageBatch, _ steps: Int) {
    batch.timeStepCount = steps
    batch.batchSize = batchSize
    let count = steps * batchSize
    guard batch.inputs.count != count else { return }
    batch.inputs = [Int32](repeating: 0, count: count)
    batch.targets = [Int32](repeating: 0, count: count)
  }
}
