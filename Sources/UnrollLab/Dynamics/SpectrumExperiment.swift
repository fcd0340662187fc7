// Analyses a cell's dynamics: singular values of the Jacobian product, Lyapunov exponents, spectral radii, fixed
// points. Always computed in Double.

internal import Unroll

/// The analysis of a cell's dynamics.
public struct SpectrumResult: Sendable, Codable {
  /// The settings; H and D are the cell's.
  public var settings: LabSettings
  /// S, the size of the state: H, or 2·H for an LSTM.
  public var stateSize: Int
  /// The singular values of ∂s_t/∂s_0 at every step of the first sequence, in descending order.
  ///
  /// Empty for states larger than `SpectrumExperiment.largestState`, and for sequences whose Jacobians would need more
  /// than 256 MB.
  public var singularValues: [[Double]]
  /// The spectral radius of ∂s_t/∂s_(t−1) at each step of the first sequence; may be empty like `singularValues`.
  public var stepRadii: [Double]
  /// The spectral radius of the candidate's recurrent weights U.
  public var recurrentRadius: Double
  /// The Lyapunov exponents in nats per step, in descending order, averaged over the sequences.
  public var exponents: [Double]
  /// The standard deviation of each exponent over the sequences.
  public var exponentDeviations: [Double]
  /// The number of sequences that the exponents are averaged over.
  public var sequenceCount: Int
  /// The fixed points under the mean input; empty for large states, and if `isEveryStateFixed`.
  public var fixedPoints: [FixedPoint]
  /// The number of starts of the search for fixed points.
  public var fixedPointStarts: Int
  /// The largest change of a start in one step, relative to max(1, norm of the start).
  public var largestStartChange: Double
  /// The number of zero or subnormal elements in the gradient of Σ h at the last of `settings.steps` with respect to
  /// the zero initial state, in the settings' precision, and the number of elements.
  public var underflowCount, gradientCount: Int
}

/// The analysis of a cell's dynamics.
public enum SpectrumExperiment {
  /// The maximum size of a state for which full Jacobians are computed.
  public static let largestState = 256
  /// The maximum number of elements in a sequence's Jacobians: 256 MB.
  static let mostNumbers = 1 << 25
  /// The maximum number of exponents.
  static let mostExponents = 64

  /// Runs the analysis from a zero state.
  ///
  /// - Parameters:
  ///   - settings: The settings.
  ///   - layer: A layer and its inputs; nil to draw inputs, then weights.
  ///   - sequences: The number of sequences to average the exponents over; at most B.
  /// - Returns: The results.
  /// - Throws: `LabError` for invalid settings, and if LAPACK is not available.
  public static func run(
    _ settings: LabSettings, layer: LayerInNetwork? = nil, sequences: Int = 8
  ) throws(LabError) -> SpectrumResult {
    try LAPACK.check(field: "spectrum")
    var subject = try Subject(settings, layer)
    let (settings, cell, inputs) = (subject.settings, subject.cell, subject.inputs)
    let map = StepMap(cell)
    let (steps, rows) = (inputs.shape[0], inputs.shape[1])
    let count = max(1, min(sequences, rows))
    let orbits = try Orbit.all(map, inputs, count: count)
    // If they are small, compute full Jacobians, one sequence at a time.
    let takesWhole = map.size <= largestState && steps * map.size * map.size <= mostNumbers
    var first: [Matrix] = []
    let exponents = orbits.enumerated().compactMap { index, orbit in
      let jacobians = takesWhole ? map.jacobians(orbit.inputs, orbit.states) : []
      if index == 0 { first = jacobians }
      return LyapunovSpectrum(
        steps: steps, size: map.size, count: min(map.size, mostExponents), transient: steps / 10
      ) { step, rows in
        takesWhole ? rows * jacobians[step] : pullBack(map, orbit, step, rows)
      }?.exponents
    }
    var result = SpectrumResult(
      settings: settings, stateSize: map.size, singularValues: [], stepRadii: [],
      recurrentRadius: recurrentRadius(cell), exponents: mean(exponents),
      exponentDeviations: deviations(exponents), sequenceCount: exponents.count, fixedPoints: [],
      fixedPointStarts: 0, largestStartChange: 0, underflowCount: 0, gradientCount: 0)
    if takesWhole {
      result.singularValues = JacobianProduct.singularValues(first)
      result.stepRadii = first.map(\.spectralRadius)
      let starts = starts(orbits, map.size, &subject.random)
      result.fixedPointStarts = starts.shape[0]
      let input = meanInput(inputs)
      result.largestStartChange = FixedPointSearch.largestChange(map, input: input, starts: starts)
      // If a step changes no state, every start would be a fixed point.
      if !result.isEveryStateFixed {
        result.fixedPoints = FixedPointSearch.run(map, input: input, starts: starts)
      }
    }
    (result.underflowCount, result.gradientCount) = try underflows(subject)
    return result
  }

  /// Returns vᵀ·J of a step for rows v, without computing J.
  private static func pullBack(
    _ map: StepMap, _ orbit: Orbit, _ step: Int, _ rows: Matrix
  ) -> Matrix {
    Matrix(
      map.pullBack(
        Tensor(shape: [rows.rows, rows.columns], elements: rows.elements),
        inputs: Tensor(repeatingRow: orbit.inputs[step, ...].elements, count: rows.rows),
        states: Tensor(repeatingRow: orbit.states[step, ...].elements, count: rows.rows)))
  }

  /// Returns the spectral radius of the candidate's U; NaN if it is not square or too large.
  private static func recurrentRadius(_ cell: Cell<Double>) -> Double {
    let weights = cell.parameters[.candidate].recurrentWeights
    guard weights.rank == 2, weights.shape[0] == weights.shape[1], weights.shape[0] <= 1024 else {
      return .nan
    }
    return Matrix(weights).spectralRadius
  }

  private static func meanInput(_ inputs: Tensor<Double>) -> [Double] {
    let (pairs, size) = (inputs.shape[0] * inputs.shape[1], inputs.shape[2])
    let sums = inputs.reshaped(to: [pairs, size]).columnSums
    return sums.elements.map { $0 / Double(max(1, pairs)) }
  }

  /// Returns the starts of the search for fixed points: zero, states of the orbits, and random states.
  private static func starts(
    _ orbits: [Orbit], _ size: Int, _ random: inout NumPyRandom
  ) -> Tensor<Double> {
    var rows = [Double](repeating: 0, count: size)
    for orbit in orbits { rows += orbit.final.elements }
    rows += ((random.rand([24, size]) - 0.5) * 2).elements
    return Tensor(shape: [rows.count / size, size], elements: rows)
  }

  private static func mean(_ lists: [[Double]]) -> [Double] {
    guard let first = lists.first else { return [] }
    return first.indices.map { index in
      lists.reduce(0) { $0 + $1[index] } / Double(lists.count)
    }
  }

  private static func deviations(_ lists: [[Double]]) -> [Double] {
    let means = mean(lists)
    return means.indices.map { index in
      let squares = lists.reduce(0) { $0 + ($1[index] - means[index]) * ($1[index] - means[index]) }
      return lists.count > 1 ? (squares / Double(lists.count - 1)).squareRoot() : 0
    }
  }

  /// Counts the elements of the gradient that are zero or subnormal in the settings' precision.
  private static func underflows(_ subject: Subject) throws(LabError) -> (count: Int, of: Int) {
    func count<Scalar: KernelScalar>(
      _ cell: Cell<Scalar>, _ inputs: Tensor<Scalar>
    ) -> (Int, Int) {
      let gradient = GradientFlow(cell).gradient(
        inputs, from: cell.zeroState(batchSize: inputs.shape[1]),
        at: subject.settings.steps.last ?? 0
      ).whole
      return (
        gradient.elements.count { $0.magnitude < .leastNormalMagnitude }, gradient.count
      )
    }
    return switch subject.settings.precision {
    case .float64: count(subject.cell, subject.inputs)
    case .float32: count(subject.singleCell, Tensor<Float>(subject.inputs))
    }
  }
}

extension Tensor {
  /// Returns one sequence of a batch: `[T, B, D]` to `[T, D]`.
  func sequence(_ row: Int) -> Tensor {
    let (steps, rows, size) = (shape[0], shape[1], shape[2])
    let all = elements
    var result: [Scalar] = []
    for time in 0..<steps {
      let start = (time * rows + row) * size
      result += all[start..<start + size]
    }
    return Tensor(shape: [steps, size], elements: result)
  }
}
