// Sweeps over scales: what memory and gradients do with several scales.

#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollLab

extension LabCellOptions {
  /// The scales of a sweep: several, or one at which draws of weights are compared; nil if there is no sweep.
  var sweep: [Double]? {
    guard let values = drawn.scale?.values, values.count > 1 || drawn.weightDraws != nil else {
      return nil
    }
    return values
  }

  /// Refuses several scales and draws.
  ///
  /// - Parameter comparesDraws: Whether the experiment compares draws of weights at its one scale.
  /// - Throws: `ValidationError` that names the option.
  func refuseSweep(comparesDraws: Bool = false) throws {
    guard (drawn.scale?.values.count ?? 1) == 1 else {
      throw ValidationError("--scale: expected one scale; memory and gradients have sweeps.")
    }
    guard comparesDraws || drawn.weightDraws == nil else {
      throw ValidationError(
        "--weight-draws: only sweeps of memory and gradients, and capacity, have them.")
    }
  }

  /// Refuses draws without a scale at which they are compared.
  func checkWeightDraws() throws {
    guard drawn.weightDraws == nil || drawn.scale != nil else {
      throw ValidationError("--weight-draws: expected --scale, too: one scale, or several.")
    }
  }

  /// The settings of an experiment.
  func settings(
    _ sizes: LabSizeOptions<some LabDefaults>, defaultScale: Double, defaultCell: CellKind = .rnn,
    defaults: LabSettings = LabSettings()
  ) -> LabSettings {
    var settings = sizes.applied(to: defaults)
    settings.cell = cell ?? defaultCell
    settings.scale = defaultScale
    settings.keepBias = drawn.keepBias
    (settings.gateBias, settings.chronoSteps) = (drawn.gateBias, drawn.chrono)
    settings.orthogonalGain = drawn.orthogonal
    if let draws = drawn.draws { settings.draws = draws }
    if let initialWeights = drawn.initialWeights { settings.initialWeights = initialWeights }
    if let inputOffset = drawn.inputOffset { settings.inputOffset = inputOffset }
    if let value = drawn.scale?.values.first { settings.scale = value }
    settings.steps =
      steps?.values ?? LabSettings.defaultSteps(timeStepCount: settings.timeStepCount)
    return settings
  }
}

/// A sweep over scales, forward and backward.
func runSweep(
  _ settings: LabSettings, _ scales: [Double], weightDraws: Int?, _ out: OutputOptions
) throws {
  try prepare(out)
  let result = try attempt {
    try ScaleSweep.run(
      settings, scales: scales, weightDraws: weightDraws ?? WeightDraws.defaultCount
    ) { done, all in
      Terminal.progress("sweep", done, of: all)
    }
  }
  if out.json {
    try Terminal.printJSON(result)
  } else {
    result.table.show()
    result.weightDraws?.table.show()
    print(result.statement)
  }
  if let folder = out.output {
    try write(
      LabReport(title: "Play with the scale", introduction: "", sections: [result.section()]),
      results: result, to: folder)
  }
}
#endif
