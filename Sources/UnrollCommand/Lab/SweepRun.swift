// The sweep over scales, which memory and gradients make of several scales.

internal import ArgumentParser
internal import UnrollLab

extension CellOptions {
  /// The scales, if there are several.
  var sweep: [Double]? {
    guard let values = scale?.values, values.count > 1 else { return nil }
    return values
  }

  /// Refuses several scales.
  func refuseSweep() throws {
    guard sweep == nil else {
      throw ValidationError("--scale: expected one scale; memory and gradients have sweeps.")
    }
  }

  func settings(
    _ sizes: SizeOptions, defaultScale: Double, defaultCell: LabCell = .rnn
  ) -> LabSettings {
    var settings = sizes.applied(
      to: LabSettings(cell: cell ?? defaultCell, scale: defaultScale, keepBias: keepBias))
    (settings.gateBias, settings.chronoSteps) = (gateBias, chrono)
    settings.orthogonalGain = orthogonal
    if let value = scale?.values.first { settings.scale = value }
    if let steps { settings.steps = steps.values }
    return settings
  }
}

/// A sweep over scales, forward and backward.
func runSweep(_ settings: LabSettings, _ scales: [Double], _ out: OutputOptions) throws {
  try prepare(out)
  let result = try attempt {
    try ScaleSweep.run(settings, scales: scales) { done in
      Terminal.progress("sweep", done, of: scales.count)
    }
  }
  if out.json {
    try Terminal.printJSON(result)
  } else {
    var table = TextTable([
      "scale", "memory at \(result.step)", "", "gone at", "gradient at \(result.step)", "",
      "gone at",
    ])
    for point in result.points {
      table.add([
        "\((point.scale * 1e4).rounded() / 1e4)", scientific(point.memory, digits: 3),
        point.memoryFate.rawValue, point.memoryVanishesAt.map(String.init) ?? "-",
        scientific(point.gradient, digits: 3), point.gradientFate.rawValue,
        point.gradientVanishesAt.map(String.init) ?? "-",
      ])
    }
    print(table.text)
    print("medians over the sequences; vanishes: below 0.001, explodes: above 100;")
    print("gone at: the first step below 0.001")
  }
  if let folder = out.output {
    try write(
      LabReport(title: "Play with the scale", introduction: "", sections: [result.section()]),
      results: result, to: folder)
  }
}
