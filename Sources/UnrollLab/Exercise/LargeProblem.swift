// Tasks 3 and 5 in plain loops: distances between runs from different initial states, and gradients of Σ h.

internal import RealModule

/// The long-term dependency for some of its sequences.
package struct LargeProblem: Sendable {
  /// The steps of the distances; the last is the gradient's.
  static let steps = [10, 20, 30]

  /// `[B][T][D]`.
  private let inputs: [[[Double]]]
  /// Zero, random 1, random 2: `[B][H]` each.
  private let starts: [[[Double]]]
  private let forgetting, vanishing: PlainGate

  /// Takes the sequences of these indices.
  package init(_ sequences: some Sequence<Int> = 0..<ExerciseProblem.largeSettings.batchSize) {
    let problem = ExerciseProblem.large
    let sequences = Array(sequences)
    let (all, states) = (
      problem.tensor("inputs").blocks,
      ["initial_state", "init_rand1", "init_rand2"].map { problem.tensor($0).rows }
    )
    inputs = sequences.map { all[$0] }
    starts = states.map { rows in sequences.map { rows[$0] } }
    forgetting = problem.gate("")
    vanishing = problem.gate("", prefix: "task5_")
  }

  /// The distances of task 3.
  ///
  /// - Returns: For steps 10, 20 and 30, for the six pairs, one number for each sequence: `[3·6·B]`.
  package func distances(_ slips: Slips = Slips()) -> [Double] {
    let cell = PlainCell(.rnn, [slips.usesOtherWeights ? vanishing : forgetting], slips)
    let hundred = slips.omitsHundred ? starts[1] : starts[1].map { $0.map { 100 * $0 } }
    let runs = (starts + [hundred]).map { states(cell, slips, from: $0) }
    return Self.steps.flatMap { step in
      MemoryExperiment.notebookPairs.flatMap { first, second in
        inputs.indices.map { sequence in
          let (a, b) = (runs[first][sequence], runs[second][sequence])
          let time = step + slips.stepShift
          return norm(a[time].indices.map { a[time][$0] - b[time][$0] }, slips)
        }
      }
    }
  }

  /// The gradient norms of task 5: of Σ h at step 30 with respect to the initial state.
  ///
  /// ```
  /// g = 1;  for t = 30 … 0:  g ← (g ⊙ (1 − h[t]²))·Uᵀ
  /// ```
  ///
  /// - Returns: One number for each sequence.
  package func gradientNorms(_ slips: Slips = Slips()) -> [Double] {
    let weights = slips.usesOtherWeights ? forgetting : vanishing
    let cell = PlainCell(.rnn, [weights], slips)
    let start = starts[slips.startsAtRandom && !slips.ignoresInitialState ? 1 : 0]
    let runs = states(cell, slips, from: start)
    let last = (Self.steps.last ?? 0) + slips.stepShift
    return inputs.indices.map { sequence in
      let trace = [start[sequence]] + runs[sequence]
      let backward = PlainBackward(
        recurrent: slips.transposesInBackward
          ? cell.gates[0].recurrent : transposed(cell.gates[0].recurrent),
        states: Array(trace[...(last + 1)]), slips: slips)
      return norm(backward.gradient(), slips)
    }
  }

  /// The states after every step that is needed.
  private func states(
    _ cell: PlainCell, _ slips: Slips, from start: [[Double]]
  ) -> [[[Double]]] {
    var sequences = inputs
    if slips.reading == .given, !slips.repeatsLast {
      let needed = (Self.steps.last ?? 0) + max(0, slips.stepShift) + 1
      sequences = sequences.map { Array($0[..<needed]) }
    }
    if slips.centresTwice { sequences = sequences.map { $0.map { $0.map { $0 - 0.5 } } } }
    return cell.outputs(sequences, from: start)
  }

  private func norm(_ vector: [Double], _ slips: Slips) -> Double {
    let squares = vector.reduce(0) { $0 + $1 * $1 }
    return switch slips.norm {
    case .euclidean: squares.squareRoot()
    case .squared: squares
    case .sumOfMagnitudes: vector.reduce(0) { $0 + $1.magnitude }
    case .meanMagnitude: vector.reduce(0) { $0 + $1.magnitude } / Double(vector.count)
    case .largest: vector.reduce(0) { max($0, $1.magnitude) }
    case .rootMeanSquare: (squares / Double(vector.count)).squareRoot()
    case .meanSquare: squares / Double(vector.count)
    }
  }
}

/// The gradient of one sequence.
private struct PlainBackward {
  /// What a gradient is multiplied with: Uᵀ.
  let recurrent: [[Double]]
  /// The state before step 0, then after each step up to the one whose sum is differentiated.
  let states: [[Double]]
  let slips: Slips

  func gradient() -> [Double] {
    let size = recurrent.count
    func unit(_ index: Int) -> [Double] { (0..<size).map { $0 == index ? 1 : 0 } }
    let ones = [Double](repeating: 1, count: size)
    switch slips.objective {
    case .sum, .sumOverSteps: return flow(ones)
    case .mean: return flow(ones.map { $0 / Double(size) })
    case .meanOverBatch:
      return flow(ones.map { $0 / Double(ExerciseProblem.largeSettings.batchSize) })
    // The Jacobian, row after row: its norm is over all of it.
    case .everyElement: return (0..<size).flatMap { flow(unit($0)) }
    }
  }

  /// A gradient of the last state, taken back to the initial one.
  private func flow(_ seed: [Double]) -> [Double] {
    var gradient = seed
    let steps = Array((slips.reach == .firstOutput ? 1 : 0)..<states.count - 1)
    for (count, step) in (slips.multipliesInTimeOrder ? steps : steps.reversed()).enumerated() {
      if slips.objective == .sumOverSteps, count > 0 { gradient = gradient .+ seed }
      let slope = tanhSlope(at: step)
      gradient =
        slips.derivative == .afterProduct
        ? product(gradient, recurrent) .* slope : product(gradient .* slope, recurrent)
    }
    return gradient
  }

  /// tanh′ at one step, from the state.
  private func tanhSlope(at step: Int) -> [Double] {
    let (before, after) = (states[step], states[step + 1])
    return switch slips.derivative {
    case .ofOutput, .afterProduct: after.map { 1 - $0 * $0 }
    case .omitted: after.map { _ in 1 }
    case .ofTanhOfOutput: after.map { 1 - Double.tanh($0) * Double.tanh($0) }
    case .ofPreviousState: before.map { 1 - $0 * $0 }
    case .notSquared: after.map { 1 - $0 }
    }
  }
}
