// The settings of a run: a preset or a file, and the options that change them.

#if Command
internal import ArgumentParser
internal import UnrollContracts
internal import UnrollFormats
internal import UnrollLanguage

/// All options that determine a run's `config.json`.
struct SettingsOptions: ParsableArguments {
  @OptionGroup(title: "Run") var source: OriginOptions
  @OptionGroup(title: "Text") var text: TextOptions
  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Optimization") var optimization: OptimizationOptions
  @OptionGroup(title: "Length and validation") var length: LengthOptions
  @OptionGroup(title: "Regularization") var regularization: RegularizationOptions
  @OptionGroup(title: "Initialization") var initialization: InitializationOptions

  /// The settings that were given, in the order of the table, each with its option and value.
  private var given: [(setting: Setting, option: String, value: Any)] {
    let groups: [any SettingGroup] = [
      text, model, optimization, length, regularization, initialization,
    ]
    let values = groups.reduce(into: [String: Any]()) { values, group in
      values.merge(group.givenValues) { $1 }
    }
    return Settings.all.compactMap { setting in
      guard let option = FieldOptions.name(of: setting.path) else { return nil }
      if let value = values[option] { return (setting, option, value) }
      guard let rate = regularization.dropout,
        RegularizationOptions.fieldsOfDropout.contains(setting.path)
      else { return nil }
      return (setting, "dropout", rate)
    }
  }

  private func set(_ setting: Setting, to value: Any, in settings: inout RunConfiguration) {
    guard setting.path != "training.shards" || value as? Int != 1 else {
      // A single shard is stored as none.
      settings.training.shards = nil
      return
    }
    guard setting.set(&settings, value) else {
      contractViolation("No value of '\(setting.path)': \(value).")
    }
  }

  private func apply(to settings: inout RunConfiguration) {
    let before = settings
    let chrono = "training.initialization.chrono_steps"
    for (setting, _, value) in given where setting.path != chrono {
      set(setting, to: value, in: &settings)
    }
    settings.updateChronoSteps(since: before)
    // After the cell and the time steps, whose rule it overrides.
    if let steps = initialization.chronoSteps {
      settings.training.initialization.chronoSteps = steps
    }
  }

  /// The settings of a new run.
  ///
  /// - Parameters:
  ///   - corpus: The path of the text; nil for the one of `--config` or the embedded grammar.
  ///   - ranks: The processes that train together.
  /// - Returns: The settings, without the size of the vocabulary, which is not known yet.
  /// - Throws: `ValidationError` if the settings are invalid; `RunError` if `--config` cannot be read.
  func fresh(corpus: String?, ranks: any Ranks) throws -> RunConfiguration {
    var settings: RunConfiguration
    if let config = source.config {
      settings = try RunConfiguration(contentsOf: config)
      if let corpus { settings.corpus = corpus }
      settings.version = UnrollVersion.text
    } else {
      let name = source.preset ?? (corpus == nil ? "grammar" : "course")
      guard let preset = Preset.named(name) else { throw ValidationError("--preset: '\(name)'.") }
      settings = RunConfiguration(preset: preset, corpus: corpus, version: UnrollVersion.text)
    }
    apply(to: &settings)
    if Launcher.rank != nil, optimization.shards == nil, source.config == nil {
      // The number of shards must not depend on the number of ranks, or the results would.
      settings.training.shards = min(settings.training.batchSize, max(8, ranks.count))
    }
    settings = try checked(settings)
    try text.checkUse(in: settings)
    return settings
  }

  /// The settings that may change when a run is resumed, besides the path of its text.
  private static let changeable: Set = [
    "training.epochs", "training.maximum_steps", "training.log_every",
    "training.halves_on_divergence",
  ]

  /// The settings of a resumed run: only its length and what it logs may change.
  ///
  /// - Parameters:
  ///   - folder: The run's.
  ///   - corpus: The new path of the text; nil if it has not moved.
  /// - Returns: The settings.
  /// - Throws: `ValidationError` naming an option that would change anything else; `RunError` if the run cannot be read.
  func resumed(_ folder: RunFolder, corpus: String?) throws -> RunConfiguration {
    guard folder.hasRun else { throw RunError.noRun(at: folder.path) }
    let kept = try RunConfiguration(contentsOf: folder.path + "/config.json")
    try refuseChanges(of: kept)
    var settings = kept
    // More epochs are no longer limited by the number of steps that the run was started with.
    if length.epochs != nil { settings.training.maximumSteps = nil }
    for (setting, _, value) in given where Self.changeable.contains(setting.path) {
      set(setting, to: value, in: &settings)
    }
    if let corpus { settings.corpus = corpus }
    return try checked(settings)
  }

  /// Refuses options that would change a setting of a resumed run.
  private func refuseChanges(of kept: RunConfiguration) throws {
    func refuse(_ option: String, expected: String, found: String) -> ValidationError {
      ValidationError(
        "--\(option): expected \(expected), with which the run was started, found \(found); with --resume only CORPUS (where the text is now), --epochs, --max-steps, --time-budget, --threads, --on-divergence, --log-every, --checkpoint-every and --sample can change."
      )
    }
    if let config = source.config {
      throw refuse("config", expected: "the run's own config.json", found: config)
    }
    if let preset = source.preset, preset != kept.preset {
      throw refuse("preset", expected: kept.preset, found: preset)
    }
    for (setting, option, value) in given where !Self.changeable.contains(setting.path) {
      var changed = kept
      set(setting, to: value, in: &changed)
      guard changed != kept else { continue }
      // Messages show the whole schedule in place of one of its parts.
      let parts = setting.path.split(separator: ".").map(String.init)
      let path = parts.starts(with: ["training", "schedule"]) ? Array(parts.prefix(2)) : parts
      let words = { (settings: RunConfiguration) in settings.tree?[path]?.words ?? "none" }
      throw refuse(option, expected: words(kept), found: words(changed))
    }
  }

  /// Refuses more ranks than shards.
  func checkShards(_ settings: RunConfiguration, _ ranks: any Ranks, resumes: Bool) throws {
    let shards = settings.training.shards ?? 1
    guard ranks.count > shards else { return }
    throw DataError(
      description: resumes
        ? "--resume: this run has \(shards) shards, so expected at most \(shards) ranks, found \(ranks.count); start fewer"
        : "--shards: expected at least \(ranks.count), one for each rank, found \(shards)")
  }

  private func checked(_ settings: RunConfiguration) throws -> RunConfiguration {
    if let problem = settings.problem { throw ValidationError(CommandText.sentence(problem) + ".") }
    return settings
  }

  /// The source of the settings, in words.
  func origin(resumes: Bool) -> String {
    if resumes { return "as the run was started" }
    if let config = source.config { return "from \(config)" }
    return source.preset == nil ? "the default" : "as --preset says"
  }
}
#endif
