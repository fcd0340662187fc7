// Statistics of the gates while a cell reads its inputs: openness, saturation, and the half-lives of the units'
// states.

internal import RealModule
public import Unroll

/// The values of a gate over all steps, sequences and units.
public struct GateStatistics: Sendable, Codable {
  /// The gate.
  public var gate: Gate
  /// The mean value.
  public var mean: Double
  /// The fractions of values below 0.1 and above 0.9; a saturated gate trains slowly.
  public var shareClosed, shareOpen: Double
  /// A histogram with twenty bins.
  public var histogram: Histogram
  /// The mean over sequences and units at each step.
  public var curve: [Double]
}

/// The half-life of a unit's state under its retention alone, without new inputs.
public struct UnitLifetime: Sendable, Codable {
  /// The unit.
  public var unit: Int
  /// ln 2 over the mean of −ln s, where s is the retention (the gate, or 1 minus it): the number of steps after which
  /// half of the state remains; infinite if s is always 1.
  public var halfLife: Double
}

/// The gate statistics of a layer.
public struct GateResult: Sendable, Codable {
  /// The settings; H and D are the cell's.
  public var settings: LabSettings
  /// The statistics of each gate in column order, without the candidate.
  public var gates: [GateStatistics]
  /// The gate that controls the retention of the state: a GRU's update gate, an LSTM's forget gate; nil for a basic
  /// RNN.
  public var keepingGate: Gate?
  /// Whether the retention is 1 minus that gate, as in an MGU.
  public var keepsComplement = false
  /// The half-life of each unit, in steps.
  public var lifetimes: [UnitLifetime]
  /// The fraction of h beyond ± 0.95, where the derivative of tanh is small.
  public var shareSaturated: Double
}

/// The gate experiment.
public enum GateExperiment {
  /// Runs the experiment from a zero state.
  ///
  /// - Parameters:
  ///   - settings: The settings.
  ///   - layer: A layer and its inputs; nil to draw inputs, then weights.
  /// - Returns: The results.
  /// - Throws: `LabError` for invalid settings.
  public static func run(
    _ settings: LabSettings, layer: LayerInNetwork? = nil
  ) throws(LabError) -> GateResult {
    let subject = try Subject(settings, layer)
    return try measure(subject.cell, subject.inputs, subject.settings)
  }

  private static func measure(
    _ cell: Cell<Double>, _ inputs: Tensor<Double>, _ settings: LabSettings
  ) throws(LabError) -> GateResult {
    let layer = RecurrentLayer(cell: cell)
    let trace = layer.forward(inputs, from: layer.zeroState(batchSize: inputs.shape[1]))
    try trace.requireFiniteStates()
    let gates = trace.gates.filter { $0 != .candidate }
    let kept = cell.retention.map { retention in
      retention.isComplement
        ? trace.gate(retention.gate).map { 1 - $0 } : trace.gate(retention.gate)
    }
    let hidden = trace.hiddenStates.elements
    return GateResult(
      settings: settings, gates: gates.map { statistics($0, trace.gate($0)) },
      keepingGate: cell.retention?.gate, keepsComplement: cell.retention?.isComplement ?? false,
      lifetimes: kept.map(lifetimes) ?? [],
      shareSaturated: share(hidden) { $0.magnitude > 0.95 })
  }

  private static func share(_ values: [Double], _ holds: (Double) -> Bool) -> Double {
    Double(values.count { holds($0) }) / Double(max(1, values.count))
  }

  private static func statistics(_ gate: Gate, _ values: Tensor<Double>) -> GateStatistics {
    let all = values.elements
    let curve = (0..<values.shape[0]).map { values[$0, ...].mean }
    return GateStatistics(
      gate: gate, mean: values.mean, shareClosed: share(all) { $0 < 0.1 },
      shareOpen: share(all) { $0 > 0.9 }, histogram: Histogram(all), curve: curve)
  }

  /// Computes half-lives; the retention over n steps is the product of the n values.
  private static func lifetimes(_ values: Tensor<Double>) -> [UnitLifetime] {
    let (pairs, size) = (values.shape[0] * values.shape[1], values.shape[2])
    let logs = values.map { -Double.log($0) }.reshaped(to: [pairs, size]).columnSums.elements
    return logs.enumerated().map { unit, sum in
      UnitLifetime(unit: unit, halfLife: Double.log(2) / (sum / Double(max(1, pairs))))
    }
  }
}
