// The sweep over scales, which memory and gradients make of several scales.

#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollLab

extension LabCellOptions {
  /// The scales, if there are several, or one that many draws of weights are compared at.
  var sweep: [Double]? {
    guard let values = scale?.values, values.count > 1 || weightDraws != nil else { return nil }
    return values
  }

  /// Refuses several scales and draws.
  func refuseSweep() throws {
    guard (scale?.values.count ?? 1) == 1 else {
      throw ValidationError("--scale: expected one scale; memory and gradients have sweeps.")
    }
    guard weightDraws == nil else {
      throw ValidationError("--weight-draws: only sweeps of memory and gradients have them.")
    }
  }

  /// Refuses draws without a scale at which they are compared.
  func checkWeightDraws() throws {
    guard weightDraws == nil || scale != nil else {
      throw ValidationError("--weight-draws: expected --scale, too: one scale, or several.")
    }
  }

  func settings(
    _ sizes: SizeOptions, defaultScale: Double, defaultCell: CellKind = .rnn
  ) -> LabSettings {
    var settings = sizes.applied(
      to: LabSettings(cell: cell ?? defaultCell, scale: defaultScale, keepBias: keepBias))
    (settings.gateBias, settings.chronoSteps) = (gateBias, chrono)
    settings.orthogonalGain = orthogonal
    if let draws { settings.draws = draws }
    if let initialWeights { settings.initialWeights = initialWeights }
    if let inputOffset { settings.inputOffset = inputOffset }
    if let value = scale?.values.first { settings.scale = value }
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
