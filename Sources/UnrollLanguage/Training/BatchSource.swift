// A text cut into batches. Where a batch begins is one number, so that a run can go on from there.

internal import Unroll

/// Batches of a text, one after the other.
package struct BatchSource {
  package let text: EncodedText
  package let batchSize: Int
  package let timeSteps: Int
  /// The symbol at which lines end, if every line is a sequence of its own.
  package let lineEnd: Int32?
  /// Lengths vary with this seed; nil: they do not.
  package let jitterSeed: UInt32?
  /// Whether all symbols are read: the last row is then shorter, where else up to B − 1 symbols at
  /// the end of the text are left out, so that all rows are equally long.
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

  /// The targets of a row.
  private var rowLength: Int {
    let targets = max(0, text.count - 1)
    return isComplete ? (targets + batchSize - 1) / batchSize : targets / batchSize
  }

  /// Where the text ends, as a position.
  package var end: Int { lineEnd == nil ? rowLength : max(0, text.count - 1) }

  /// How many steps the batch at a step of training has.
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
    // Three uniform numbers in ± 5 have a deviation of 5.
    let unit = { (word: UInt32) in Double(word) / 4_294_967_296 * 10 - 5 }
    let shift = unit(words[1]) + unit(words[2]) + unit(words[3])
    return max(5, min(base + Int(shift.rounded()), timeSteps + Self.mostJitter))
  }

  private static let mostJitter = 15

  /// The most symbols of a batch; nil if lines, which may have any length, are read each for itself.
  package var mostSymbols: Int? { lineEnd == nil ? batchSize * (timeSteps + Self.mostJitter) : nil }

  /// Fills a batch.
  ///
  /// - Parameters:
  ///   - batch: Receives symbols and targets.
  ///   - position: Where it begins; 0 at first.
  ///   - step: Counts batches, for jittered lengths.
  /// - Returns: Where the next one begins; nil if nothing was left.
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

  /// Lines side by side, each read from the line end before it; longer ones than T are cut.
  private func fillLines(
    _ batch: inout LanguageBatch, at position: Int, lineEnd: Int32
  ) -> Int {
    // The first line has no line end before it: its own first symbol is what is read.
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
