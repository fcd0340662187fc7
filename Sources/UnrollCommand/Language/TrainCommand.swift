#if Command
internal import ArgumentParser
internal import UnrollLanguage

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a language model on words, characters or bytes.",
    discussion: TrainHelp.discussion)

  @Argument(
    help: "Training text: a folder, or a file. (default: the embedded grammar, or that of --config)"
  )
  var corpus: String?
  @OptionGroup(title: "Run") var place: RunOptions
  @OptionGroup var settings: SettingsOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions

  func run() throws {
    let outcome = try Interruption.noted(hasBegun: false) {
      try Launcher.ranks { ranks in try LanguageErrors.told { try train(ranks) } }
    }
    switch outcome {
    case .interrupted: throw ExitCode(Interruption.exitCode ?? 1)
    case .diverged: throw ExitCode(1)
    default: break
    }
  }

  private func train(_ ranks: any Ranks) throws -> TrainingOutcome {
    if ranks.rank > 0 { return place.showConfig ? .finished : try follow(ranks) }
    // Validate the settings before creating the folder.
    let chosen =
      try place.resume
      ? settings.resumed(RunFolder(place.output), corpus: corpus)
      : settings.fresh(corpus: corpus, ranks: ranks)
    if place.showConfig {
      print(try FieldOptions.file(chosen), terminator: "")
      return .finished
    }
    try settings.checkShards(chosen, ranks, resumes: place.resume)
    try RankAgreement.check(ranks, version: UnrollVersion.text)
    let note: (String) -> Void = { Terminal.note(CommandText.sentence($0)) }
    let run =
      place.resume
      ? try TrainingRun.resume(
        at: place.output, settings: chosen, layers: NamedLayers.read, ranks: ranks,
        checkpointSeconds: place.checkpointEvery, note: note)
      : try TrainingRun.create(
        at: place.output, settings: chosen, layers: NamedLayers.read, ranks: ranks,
        checkpointSeconds: place.checkpointEvery, note: note)
    if place.resume { Terminal.note("resuming after step \(run.progress.step)") }
    Terminal.note(TrainingHeader(run, timeBudget: settings.length.timeBudget).text)
    Terminal.note(
      SettingsListing.text(run.settings, origin: settings.origin(resumes: place.resume)))
    if ranks.count > 1 {
      Terminal.note(
        "\(ranks.count) ranks, a batch in \(run.settings.training.shards ?? 1) shards; the same bits for any number of ranks"
      )
    }
    Interruption.beginWork()
    return try TrainingEnd(run, folder: place.output, ranks: ranks).tell(
      observed(run, samples: place.sample))
  }

  /// Trains on a rank other than 0, which gets its settings and text from rank 0 and writes only a log.
  private func follow(_ ranks: any Ranks) throws -> TrainingOutcome {
    try RankAgreement.check(ranks, version: UnrollVersion.text)
    let run = try TrainingRun.join(at: place.output, ranks: ranks)
    RankOutput.log(to: "\(run.folder.path).rank-\(ranks.rank).log")
    Terminal.note("rank \(ranks.rank) of \(ranks.count), after step \(run.progress.step)")
    let outcome = try observed(run, samples: 0)
    switch outcome {
    case .interrupted, .diverged: return outcome
    default:
      let test = try run.test { Interruption.exitCode != nil }
      return test == nil && run.corpus.texts[.test] != nil ? .interrupted : outcome
    }
  }

  /// Trains and shows the progress.
  private func observed(_ run: TrainingRun, samples: Int) throws -> TrainingOutcome {
    let budget = settings.length.timeBudget
    var line = TrainingProgressLine(
      run.settings, vocabulary: run.corpus.vocabulary, samples: samples, timeBudget: budget)
    defer { line.end() }
    return try run.train(timeBudget: budget, until: { Interruption.exitCode != nil }) {
      line.show($0, of: place.output)
    }
  }
}
#endif
