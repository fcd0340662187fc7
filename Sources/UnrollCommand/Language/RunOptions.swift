// Options of `unroll train` for the run's folder and for the source of its settings.

#if Command
internal import ArgumentParser
internal import UnrollFormats
internal import UnrollLanguage

/// The run's folder, checkpoints and samples.
struct RunOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Folder of the run.", valueName: "folder")) var output = "unroll-run"
  @Flag(help: "Continue the run in --output.") var resume = false
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Seconds between checkpoints, at least 0.", valueName: "seconds"))
  var checkpointEvery = 60.0
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "After each new best epoch, print a sample of this many words, characters or bytes, 0 ... 1000000.",
      valueName: "count"))
  var sample = 0
  @Flag(help: "Print all settings as a commented file that --config reads, and train nothing.")
  var showConfig = false

  func validate() throws {
    guard !output.isEmpty else {
      throw ValidationError("--output: expected the run's folder, found an empty word.")
    }
    guard checkpointEvery >= 0 else {
      throw ValidationError(
        "--checkpoint-every: expected at least 0 seconds, found \(checkpointEvery).")
    }
    guard (0...1_000_000).contains(sample) else {
      throw ValidationError("--sample: expected 0 ... 1000000, found \(sample).")
    }
  }
}

/// The source of the settings: a preset or a file.
struct OriginOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Begin with the settings of a preset: \(Preset.all.map(\.name).joined(separator: ", ")). (default: grammar without a text; otherwise course, with dropout and an early end)",
      valueName: "name"))
  var preset: String?
  @Option(
    help: ArgumentHelp(
      "Begin with the settings of a file: a run's config.json, or what --show-config prints.",
      valueName: "file"))
  var config: String?

  func validate() throws {
    if preset != nil && config != nil {
      throw ValidationError("--preset and --config: give one of the two.")
    }
    if let preset, Preset.named(preset) == nil {
      let names = Preset.all.map(\.name)
      let hint = NearestName.hint(for: preset, among: names)
      throw ValidationError(
        "--preset: expected one of \(names.joined(separator: ", ")), found '\(preset)'\(hint.isEmpty ? "." : hint)"
      )
    }
  }
}
#endif
