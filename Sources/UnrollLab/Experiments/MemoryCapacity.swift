// Memory capacity: how much of the past inputs a linear readout recovers from the state.
//
// H. Jaeger, "Short term memory in echo state networks", GMD Report 152, 2001. For independent inputs the capacity is at
// most the number of units; a linear network with distinct time constants reaches it.

internal import Unroll

/// The memory capacity of a cell, over many draws of inputs and weights.
public struct MemoryCapacityResult: Sendable, Codable {
  /// The settings; H and D are the cell's.
  public var settings: LabSettings
  /// S, the numbers of a state: H, and as many again for a cell with a cell state.
  public var stateSize: Int
  /// The seed of each draw.
  public var seeds: [Int]
  /// For each draw R² at the delays 0, 1, 2, …, the mean over the numbers of the input.
  ///
  /// The share of the variance of the input k steps ago that a linear readout of the state recovers, on sequences that it was
  /// not fitted to.
  public var determination: [[Double]]

  /// The capacity of each draw: the sum of R² over the delays from 1 on, and over the numbers of the input.
  ///
  /// A negative R², which is worse than no memory, counts as 0.
  public var capacities: [Double]
  /// Whether the inputs were drawn independently, so that the capacity is at most `stateSize`.
  public var hasIndependentInputs: Bool

  init(
    settings: LabSettings, stateSize: Int, seeds: [Int], determination: [[Double]],
    hasIndependentInputs: Bool
  ) {
    self.settings = settings
    self.stateSize = stateSize
    self.seeds = seeds
    self.determination = determination
    self.hasIndependentInputs = hasIndependentInputs
    capacities = determination.map { curve in
      Double(settings.inputSize) * curve.dropFirst().reduce(0) { $0 + max(0, $1) }
    }
  }

  /// The longest delay.
  public var longestDelay: Int { (determination.first?.count ?? 1) - 1 }

  /// The quantile of R² over the draws at every delay.
  ///
  /// - Parameter share: 0 for the smallest to 1 for the largest; 0.5 for the median.
  /// - Returns: One number for each delay from 0 on.
  public func quantiles(_ share: Double) -> [Double] {
    (0...longestDelay).map { delay in
      Summary.quantile(share, of: determination.map { $0[delay] }.sorted())
    }
  }

  /// The median over the draws of the capacity.
  public var medianCapacity: Double { Summary.median(capacities.sorted()) }
}

/// The experiment of memory capacity.
public enum MemoryCapacityExperiment {
  /// The number of draws of inputs and weights, if nothing else is asked for.
  public static let defaultDraws = 20
  /// The longest delay, if nothing else is asked for.
  public static let defaultDelay = 30
  /// The regularisation of the readout, relative to the variance of the states.
  static let ridge = 1e-9

  /// The settings of the experiment if nothing else is asked for: one input, 20 sequences of 200 steps.
  public static var defaultSettings: LabSettings {
    LabSettings(
      scale: 1, steps: [199], inputSize: 1, batchSize: 20, timeStepCount: 200, precision: .float64)
  }

  /// Measures the capacity, from a state that is zero, in Double.
  ///
  /// The first `delay` steps of every sequence are left out: there the state still depends on its start. The readout is
  /// fitted to the first half of the sequences and judged on the second.
  ///
  /// - Parameters:
  ///   - settings: The cell, its weights and the inputs' sizes; `steps` and `precision` are not used.
  ///   - layer: A layer and its inputs, which is then the only draw; nil to draw inputs and weights.
  ///   - delay: The longest delay, at least 1 and less than T.
  ///   - draws: The number of draws, with the seeds from `settings.seed` on; at least 1.
  ///   - progress: Called with the number of draws that are done.
  /// - Returns: R² at every delay, for every draw.
  /// - Throws: `LabError` for settings that cannot be used, for states that overflow, and without LAPACK.
  public static func run(
    _ settings: LabSettings = defaultSettings, layer: LayerInNetwork? = nil,
    delay: Int = defaultDelay, draws: Int = defaultDraws, progress: (Int) -> Void = { _ in }
  ) throws(LabError) -> MemoryCapacityResult {
    try LAPACK.check(field: "capacity")
    var settings = settings
    // Every step is used, so a sequence of any length has the right steps.
    settings.steps = [max(0, (layer?.inputs.shape[0] ?? settings.timeStepCount) - 1)]
    let subject = try Subject(settings, layer)
    let count = layer == nil ? draws : 1
    try check(subject, delay: delay, draws: count, isDrawn: layer == nil)
    let (seeds, curves) = WeightDraws.each(subject.settings, count: count, progress: progress) {
      draw in
      let own = layer == nil ? try? Subject(draw, nil) : subject
      return own.flatMap { curve($0.cell, $0.inputs, delay) }
    }
    let found = curves.compactMap(\.self)
    guard found.joined().allSatisfy(\.isFinite) else {
      throw LabError(
        .system(
          "the inputs do not vary in half of the sequences, so R² is not defined; use inputs that vary"
        ),
        field: "input-offset")
    }
    guard found.count == count else {
      throw LabError(
        .outOfRange(
          expected: "weights with which the states stay finite",
          found: "\(count - found.count) of \(count) draws that overflow"), field: "scale")
    }
    return MemoryCapacityResult(
      settings: subject.settings,
      stateSize: subject.cell.hiddenSize + subject.cell.cellStateSize, seeds: seeds,
      determination: found, hasIndependentInputs: layer == nil)
  }

  private static func check(
    _ subject: Subject, delay: Int, draws: Int, isDrawn: Bool
  ) throws(LabError) {
    let (steps, rows) = (subject.inputs.shape[0], subject.inputs.shape[1])
    guard (1...WeightDraws.mostDraws).contains(draws) else {
      throw LabError(
        .outOfRange(expected: "1 ... \(WeightDraws.mostDraws)", found: "\(draws)"),
        field: "weight-draws")
    }
    guard rows >= 2 else {
      throw LabError(
        .outOfRange(
          expected: "at least 2 sequences, half of them to fit the readout", found: "\(rows)"),
        field: isDrawn ? "batch" : "data")
    }
    guard delay >= 1, delay < steps else {
      throw LabError(
        .outOfRange(expected: "1 ... \(max(1, steps - 1)), within the sequence", found: "\(delay)"),
        field: "delay")
    }
    // Fewer observations than unknowns fit anything.
    let unknowns = subject.cell.hiddenSize + subject.cell.cellStateSize + 1
    let longest = steps - (5 * unknowns + rows / 2 - 1) / (rows / 2)
    guard delay <= longest else {
      let reason = "five observations for each of the readout's \(unknowns) unknowns"
      throw longest >= 1
        ? LabError(
          .outOfRange(expected: "at most \(longest), which leaves \(reason)", found: "\(delay)"),
          field: "delay")
        : LabError(
          .outOfRange(
            expected: "longer or more sequences: \(reason)",
            found: "\(LabNumber.count(rows, "sequence")) of \(LabNumber.count(steps, "step"))"),
          field: isDrawn ? "time" : "data")
    }
  }

  /// R² at the delays 0 to `delay`; nil if the states overflow.
  static func curve(_ cell: Cell<Double>, _ inputs: Tensor<Double>, _ delay: Int) -> [Double]? {
    let layer = RecurrentLayer(cell: cell)
    let (steps, rows) = (inputs.shape[0], inputs.shape[1])
    let trace = layer.forward(inputs, from: layer.zeroState(batchSize: rows))
    var states = trace.hiddenStates
    if cell.cellStateSize > 0 { states = Tensor.concatenatingLastAxis([states, trace.cellStates]) }
    guard states.elements.allSatisfy(\.isFinite) else { return nil }
    // A sequence's rows in the order of time: the first half of the sequences, then the second.
    func matrices(_ tensor: Tensor<Double>, from start: Int) -> (fit: Matrix, test: Matrix) {
      let size = tensor.shape[2]
      let all = tensor.elements
      func matrix(_ sequences: Range<Int>) -> Matrix {
        var elements: [Double] = []
        elements.reserveCapacity(sequences.count * (steps - delay) * size)
        for row in sequences {
          for time in start..<start + steps - delay {
            elements += all[((time * rows + row) * size)..<((time * rows + row + 1) * size)]
          }
        }
        return Matrix(
          rows: sequences.count * (steps - delay), columns: size, elements: elements)
      }
      return (matrix(0..<rows / 2), matrix(rows / 2..<rows))
    }
    let read = matrices(states, from: delay)
    let regression = RidgeRegression(states: read.fit, ridge: ridge)
    var curve: [Double] = []
    for lag in 0...delay {
      let targets = matrices(inputs, from: delay - lag)
      guard let readout = regression.readout(of: targets.fit) else { return nil }
      let found = readout.determination(states: read.test, targets: targets.test)
      curve.append(found.reduce(0, +) / Double(found.count))
    }
    return curve
  }
}
