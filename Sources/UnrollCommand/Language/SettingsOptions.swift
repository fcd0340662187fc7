// The settings of a run: a preset or a file, and the options that change them.

#if Command
internal import ArgumentParser
internal import UnrollFormats
internal import UnrollLanguage

/// Everything that a run's `config.json` is made from.
struct SettingsOptions: ParsableArguments {
  @OptionGroup(title: "Run") var source: OriginOptions
  @OptionGroup(title: "Text") var text: TextOptions
  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Optimization") var optimization: OptimizationOptions
  @OptionGroup(title: "Length and validation") var length: LengthOptions
  @OptionGroup(title: "Regularization") var regularization: RegularizationOptions
  @OptionGroup(title: "Initialization") var initialization: InitializationOptions

  private func apply(to settings: inout RunConfiguration) {
    let cell = settings.model.cell
    text.apply(to: &settings)
    model.apply(to: &settings.model)
    regularization.apply(to: &settings)
    optimization.apply(to: &settings.training)
    length.apply(to: &settings.training)
    if settings.model.cell != cell {
      settings.training.initialization.adopt(
        cell: settings.model.cell, timeSteps: settings.training.timeSteps)
    }
    initialization.apply(to: &settings.training)
  }

  /// The settings of a new run.
  ///
  /// - Parameters:
  ///   - corpus: The text; nil for that of `--config`, or the embedded grammar.
  ///   - ranks: The processes that train together.
  /// - Returns: The settings; the vocabulary's size is not known yet.
  /// - Throws: `ValidationError` if they cannot be; `RunError` if `--config` cannot be read.
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
    try text.checkUse(in: settings)
    if let onDivergence = length.onDivergence {
      settings.training.halvesOnDivergence = onDivergence == .halve
    }
    if Launcher.rank != nil, optimization.shards == nil, source.config == nil {
      // Not the number of ranks: a run on fewer or more would have other bits.
      settings.training.shards = min(settings.training.batchSize, max(8, ranks.count))
    }
    return try checked(settings)
  }

  /// The settings of a run that goes on: only how long it is may change.
  ///
  /// - Parameters:
  ///   - folder: The run's.
  ///   - corpus: Where the text is now; nil for where it was.
  /// - Returns: The settings.
  /// - Throws: `ValidationError` if an option says otherwise; `RunError` if the run cannot be read.
  func resumed(_ folder: RunFolder, corpus: String?) throws -> RunConfiguration {
    guard folder.hasRun else { throw RunError.noRun(at: folder.path) }
    let kept = try RunConfiguration(contentsOf: folder.path + "/config.json")
    var settings = kept
    apply(to: &settings)
    settings.training.epochs = kept.training.epochs
    settings.training.maximumSteps = kept.training.maximumSteps
    settings.training.logEvery = kept.training.logEvery
    guard settings == kept, [nil, kept.preset].contains(source.preset), source.config == nil else {
      throw ValidationError(
        "--resume: a run goes on with what it was started with; only CORPUS (where the text is now), --epochs, --max-steps, --time-budget, --threads, --on-divergence, --log-every, --checkpoint-every and --sample can be given."
      )
    }
    if let epochs = length.epochs { settings.training.epochs = epochs }
    if let steps = length.maxSteps {
      settings.training.maximumSteps = steps
    } else if length.epochs != nil {
      settings.training.maximumSteps = nil
    }
    if let logEvery = length.logEvery { settings.training.logEvery = logEvery }
    if let onDivergence = length.onDivergence {
      settings.training.halvesOnDivergence = onDivergence == .halve
    }
    if let corpus { settings.corpus = corpus }
    return try checked(settings)
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

  /// Where the settings are from.
  func origin(resumes: Bool) -> String {
    if resumes { return "as the run was started" }
    if let config = source.config { return "from \(config)" }
    return source.preset == nil ? "the default" : "as --preset says"
  }
}
#endif
