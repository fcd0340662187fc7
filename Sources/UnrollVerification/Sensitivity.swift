// Measures the sensitivity of a case to rounding.
//
// Two correct programs round differently. In most networks the effect stays small. In a chaotic network it grows from
// step to step until no digit agrees, so no constant bound fits both. If the constant bound is exceeded, the case is
// run again several times with every input, weight, initial state and stored value perturbed by one unit in the last
// place. The changes of the results are of the size that another summation order or another tanh may cause. They are
// measured for each array and step, so that early steps, where differences are still small, are judged strictly.

internal import Unroll

/// Perturbs numbers by one unit in the last place, up or down at random.
struct Nudge {
  /// The number of perturbed runs.
  static let runCount = 4

  private var state: UInt64

  /// Creates the random source of a run; equal run numbers give equal perturbations.
  init(run: Int) { state = UInt64(run + 1) &* 0x9E37_79B9_7F4A_7C15 }

  /// Returns whether to increase a number: a bit of SplitMix64.
  private mutating func isUp() -> Bool {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return (value ^ (value >> 31)) & 1 == 1
  }

  /// Returns the tensor with every number perturbed; zeros are unchanged.
  mutating func callAsFunction<Scalar: KernelScalar>(_ tensor: Tensor<Scalar>) -> Tensor<Scalar> {
    var elements = tensor.elements
    for index in elements.indices {
      let factor: Scalar = isUp() ? 1 + Scalar.ulpOfOne : 1 - Scalar.ulpOfOne
      elements[index] *= factor
    }
    return Tensor(shape: tensor.shape, elements: elements)
  }

  /// Returns the state with every number perturbed.
  mutating func callAsFunction<Scalar: KernelScalar>(
    _ state: RecurrentState<Scalar>
  ) -> RecurrentState<Scalar> {
    RecurrentState(hidden: self(state.hidden), cell: self(state.cell))
  }

  /// Perturbs the stored values of a pass, from which the backward pass computes derivatives.
  mutating func callAsFunction<Scalar: KernelScalar>(_ trace: inout SequenceTrace<Scalar>) {
    trace.changeStoredValues { $0 = self($0) }
  }

  /// Returns the cell with every weight perturbed.
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

/// The results of a case's perturbed runs, computed on first use.
final class Reruns<Result> {
  private let run: (inout Nudge) -> Result
  private var kept: [Result]?

  /// Creates the runs.
  ///
  /// - Parameter run: Computes the case with perturbed numbers.
  init(_ run: @escaping (inout Nudge) -> Result) { self.run = run }

  /// The results of the runs.
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
