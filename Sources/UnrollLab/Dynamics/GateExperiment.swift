// What the gates of a cell do while it reads: how open they are, how often they are stuck at an end, and
// how long what they keep lives.

internal import RealModule
public import Unroll

/// One gate's values over all steps, sequences and units.
public struct GateStatistics: Sendable, Codable {
  /// The gate.
  public var gate: Gate
  /// The mean value.
  public var mean: Double
  /// The shares of values below 0.1 and above 0.9: a gate that is stuck there learns slowly.
  public var shareClosed, shareOpen: Double
  /// Twenty bins.
  public var histogram: Histogram
  /// The mean over sequences and units at every step.
  public var curve: [Double]
}

/// The half-life of a unit's state, if nothing but the share that its gate keeps acted on it.
public struct UnitLifetime: Sendable, Codable {
  /// The unit.
  public var unit: Int
  /// ln 2 over the mean of −ln s, where s is the share that is kept, the gate or 1 minus it: the steps after which half
  /// of the state is left; infinite if all of it is kept throughout.
  public var halfLife: Double
}

/// What was found of a layer's gates.
public struct GateResult: Sendable, Codable {
  /// What was asked; H and D are the cell's.
  public var settings: LabSettings
  /// Each gate's statistics, in the order of the columns; the candidate is not a gate and left out.
  public var gates: [GateStatistics]
  /// The gate that says what is kept of the state: a GRU's update gate, an LSTM's forget gate; nil for a basic RNN.
  public var keepingGate: Gate?
  /// Whether 1 minus that gate is kept, as in an MGU.
  public var keepsComplement = false
  /// The half-life of each unit, in steps.
  public var lifetimes: [UnitLifetime]
  /// The share of h beyond ± 0.95, where tanh hardly passes a gradient.
  public var shareSaturated: Double
}

/// The experiment of gates.
public enum GateExperiment {
  /// Runs the experiment, from a state that is zero.
  ///
  /// - Parameters:
  ///   - settings: What to do.
  ///   - layer: A layer and its inputs; nil to draw inputs, then weights.
  /// - Returns: What was found.
  /// - Throws: `LabError` for settings that cannot be used.
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

  /// What is left of a unit's state after n steps is the product of n shares that were kept.
  private static func lifetimes(_ values: Tensor<Double>) -> [UnitLifetime] {
    let (pairs, size) = (values.shape[0] * values.shape[1], values.shape[2])
    let logs = values.map { -Double.log($0) }.reshaped(to: [pairs, size]).columnSums.elements
    return logs.enumerated().map { unit, sum in
      UnitLifetime(unit: unit, halfLife: Double.log(2) / (sum / Double(max(1, pairs))))
    }
  }
}
