// How far rounding carries in a case.
//
// Two correct programs round differently. In most networks that stays where it began; in a chaotic one it
// grows from step to step, until nothing of the numbers is left. No constant bound fits both. Where the
// constant one is exceeded, the case is therefore run again with every input, weight and initial state, and what
// is kept for the backward pass, moved by a unit in the last place, a few times over, and the results are
// compared: what that changes is what another order of additions, or another tanh, may change. It is measured for each array, so that early steps, before
// differences have grown, are judged as strictly as ever.

internal import Unroll

/// Moves numbers by a unit in the last place, up or down at random.
struct Nudge {
  /// How often a case is run again.
  static let runCount = 4

  private var state: UInt64

  /// Creates the source of one run; equal numbers give equal runs.
  init(run: Int) { state = UInt64(run + 1) &* 0x9E37_79B9_7F4A_7C15 }

  /// Whether a number goes up: a bit of SplitMix64.
  private mutating func isUp() -> Bool {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return (value ^ (value >> 31)) & 1 == 1
  }

  /// The tensor with every number moved; zeros stay.
  mutating func callAsFunction<Scalar: KernelScalar>(_ tensor: Tensor<Scalar>) -> Tensor<Scalar> {
    var elements = tensor.elements
    for index in elements.indices {
      let factor: Scalar = isUp() ? 1 + Scalar.ulpOfOne : 1 - Scalar.ulpOfOne
      elements[index] *= factor
    }
    return Tensor(shape: tensor.shape, elements: elements)
  }

  /// The state with every number moved.
  mutating func callAsFunction<Scalar: KernelScalar>(
    _ state: RecurrentState<Scalar>
  ) -> RecurrentState<Scalar> {
    RecurrentState(hidden: self(state.hidden), cell: self(state.cell))
  }

  /// Moves what a pass has stored, from which the backward pass computes derivatives.
  mutating func callAsFunction<Scalar: KernelScalar>(_ trace: inout SequenceTrace<Scalar>) {
    trace.changeStoredValues { $0 = self($0) }
  }

  /// The cell with every weight moved.
  mutating func callAsFunction<Scalar: KernelScalar>(
    _ cell: Cell<Scalar>
  ) -> Cell<Scalar> {
    var result = cell
    for name in cell.parameters.names {
      result.parameters[name] = self(cell.parameters[name])
    }
    return result
  }
}

/// The results of a case's further runs, which are made when the first of them is asked for.
final class Reruns<Result> {
  private let run: (inout Nudge) -> Result
  private var kept: [Result]?

  /// Creates the runs.
  ///
  /// - Parameter run: Computes the case with numbers that it moves.
  init(_ run: @escaping (inout Nudge) -> Result) { self.run = run }

  /// What each of the runs gives.
  var results: [Result] {
    if let kept { return kept }
    let made = (0..<Nudge.runCount).map { index in
      var nudge = Nudge(run: index)
      return run(&nudge)
    }
    kept = made
    return made
  }
}
