#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollLanguage

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Learn a language model of words, characters or bytes.",
    discussion: """
      CORPUS is a folder with train, valid and perhaps test (train.txt, ptb.train.txt, ...), or one \
      text file, which is split. Texts are in UTF-8. Without it, an embedded grammar is learnt, whose best possible \
      perplexity is known exactly.

      Without --preset a text is learnt with the preset course, which is the default: a GRU of 400 units with dropout \
      (0.1 of the input, 0.5 of the output) that stops early, after 2 epochs without gain, or after 20. The embedded \
      grammar has its own preset. The preset and all settings are printed before training begins.

      The run's folder gets config.json, vocabulary.json, model.safetensors (the best model by \
      validation), metrics.jsonl, event files for TensorBoard, checkpoints and, at the end, learning curves. \
      Ctrl-C, Ctrl-\\, SIGTERM, a closed terminal (SIGHUP) and --time-budget end with a checkpoint; --resume goes on \
      from it, to the same bits as if nothing had happened. A second Ctrl-C ends at once.

      Under an MPI launcher (mpirun -n 4 unroll train ..., after ./run mpi) all processes learn one \
      model; each has some of a batch's shards. Another number of processes gives the same bits.

      Presets, each with its source:
      \(Preset.all.map { "  \($0.name): \($0.source)" }.joined(separator: "\n"))

      Options change a preset; what a run was started with stands in its config.json, from which \
      --config starts another.
      """)

  @Argument(
    help: "Training text: a folder, or a file. (default: the embedded grammar, or that of --config)"
  )
  var corpus: String?
  @Option(help: ArgumentHelp("Folder of the run.", valueName: "folder")) var output = "unroll-run"
  @Flag(help: "Continue the run in --output.") var resume = false
  @Flag(
    help:
      "Print all settings as a commented file that --config reads, and exit. Nothing is trained.")
  var showConfig = false
  @OptionGroup var settings: SettingsOptions
  @OptionGroup var threads: ThreadOptions
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

  func run() throws {
    let outcome = try Interruption.noted(hasBegun: false) {
      try Launcher.ranks { ranks in try LanguageErrors.told { try learn(ranks) } }
    }
    switch outcome {
    case .interrupted: throw ExitCode(Interruption.exitCode ?? 1)
    case .diverged: throw ExitCode(1)
    default: break
    }
  }

  private func learn(_ ranks: any Ranks) throws -> TrainingOutcome {
    let folder = RunFolder(output)
    if showConfig {
      if ranks.rank == 0 { print(try FieldOptions.file(chosen(folder, ranks)), terminator: "") }
      return .finished
    }
    if ranks.rank > 0 { return try follow(ranks, folder) }
    // Validate the settings before creating the folder.
    var settings = try chosen(folder, ranks)
    try checkShards(settings, ranks)
    try RankAgreement.check(ranks, version: UnrollVersion.text)
    let isNew = !folder.hasCheckpoint
    if isNew { try settings.checkFiles() }
    let layers = isNew ? try initialLayers(settings) : nil
    if !resume { try folder.prepare() }
    let lock = try folder.lock()
    defer { withExtendedLifetime(lock) {} }
    let corpus = try settings.prepareCorpus(
      in: folder,
      vocabulary: resume ? Vocabulary(contentsOf: output + "/vocabulary.json") : nil)
    for note in corpus.notes { Terminal.note(CommandText.sentence(note)) }
    try RunSetup(settings: settings, corpus: corpus).give(to: ranks)
    try settings.checkMemory(path: output)
    let vectors = isNew ? try settings.initialVectors(for: corpus.vocabulary) : nil
    for note in vectors?.notes ?? [] { Terminal.note(note) }
    let trainer = try Trainer(
      settings, corpus, in: folder, vectors: vectors?.vectors, layers: layers, ranks: ranks)
    trainer.checkpointSeconds = checkpointEvery
    if resume {
      for problem in try trainer.resume() { Terminal.note(problem) }
      // A longer run stays longer when it is resumed again.
      try folder.begin(settings, corpus.vocabulary)
      Terminal.note("going on after step \(trainer.progress.step)")
    } else {
      try folder.begin(settings, corpus.vocabulary)
    }
    let header = TrainingHeader(
      settings: settings, corpus: corpus, folder: folder.path,
      timeBudget: self.settings.length.timeBudget)
    Terminal.note(header.text)
    Terminal.note(
      SettingsListing.text(settings, origin: self.settings.origin(resumes: resume)))
    if ranks.count > 1 {
      Terminal.note(
        "\(ranks.count) ranks, a batch in \(settings.training.shards ?? 1) shards; the same bits for any number of ranks"
      )
    }
    try trainer.share()
    var line = TrainingProgressLine(
      settings, vocabulary: corpus.vocabulary, samples: sample,
      timeBudget: self.settings.length.timeBudget)
    Interruption.beginWork()
    let outcome = try trainer.run(
      timeBudget: self.settings.length.timeBudget, shouldStop: { Interruption.exitCode != nil }
    ) { line.show($0, of: output) }
    line.end()
    return try finish(outcome, trainer, corpus, ranks)
  }

  /// The settings that the command line asks for.
  private func chosen(_ folder: RunFolder, _ ranks: any Ranks) throws -> RunConfiguration {
    guard resume else { return try settings.fresh(corpus: corpus, ranks: ranks) }
    guard folder.hasRun else { throw RunError.noRun(at: folder.path) }
    return try settings.resumed(folder, corpus: corpus)
  }

  /// What ranks other than 0 do: the same with what rank 0 gives them, and no files but a log.
  private func follow(_ ranks: any Ranks, _ folder: RunFolder) throws -> TrainingOutcome {
    try RankAgreement.check(ranks, version: UnrollVersion.text)
    let setup = try RunSetup(from: ranks, in: folder)
    RankOutput.log(to: "\(folder.path).rank-\(ranks.rank).log")
    let trainer = try Trainer(setup.settings, setup.corpus, in: folder, ranks: ranks)
    try trainer.share()
    Terminal.note("rank \(ranks.rank) of \(ranks.count), after step \(trainer.progress.step)")
    var line = TrainingProgressLine(
      setup.settings, vocabulary: setup.corpus.vocabulary, samples: 0)
    let outcome = try trainer.run(shouldStop: { Interruption.exitCode != nil }) {
      line.show($0, of: output)
    }
    line.end()
    switch outcome {
    case .interrupted, .diverged: return outcome
    default:
      let test = try trainer.test { Interruption.exitCode != nil }
      return test == nil && setup.corpus.texts[.test] != nil ? .interrupted : outcome
    }
  }

  /// Refuses more ranks than shards.
  private func checkShards(_ settings: RunConfiguration, _ ranks: any Ranks) throws {
    let shards = settings.training.shards ?? 1
    guard ranks.count > shards else { return }
    throw DataError(
      description: resume
        ? "--resume: this run has \(shards) shards, so expected at most \(shards) ranks, found \(ranks.count); start fewer"
        : "--shards: expected at least \(ranks.count), one for each rank, found \(shards)")
  }

  /// The recurrent layers that the model begins with; nil if no file is named.
  private func initialLayers(
    _ settings: RunConfiguration
  ) throws -> [CellParameters<Float>]? {
    guard let path = settings.weights else { return nil }
    let read = try BridgeNetwork(
      contentsOf: path, assuming: NetworkAssumptions(prefix: settings.weightsPrefix),
      hints: .training)
    for line in read.summary { Terminal.note(line) }
    return try settings.initialLayers(of: read.single)
  }

  /// Tells how the run ended, and judges it by the test text if that was its end.
  ///
  /// - Returns: The outcome; interrupted, if the test was.
  private func finish(
    _ outcome: TrainingOutcome, _ trainer: Trainer, _ corpus: Corpus, _ ranks: any Ranks
  ) throws -> TrainingOutcome {
    switch outcome {
    case .interrupted:
      Terminal.note(
        "stopped after step \(trainer.progress.step), which is kept; go on with: unroll train --resume --output \(output)"
      )
      return outcome
    case .diverged(let step, let loss, let norm):
      Terminal.note(
        DivergenceReport(
          settings: trainer.configuration, unit: corpus.vocabulary.unit, step: step, loss: loss,
          norm: norm, folder: output
        ).text)
      return outcome
    case .noGain(let epochs):
      Terminal.note(
        "stopped early: validation has not improved for \(epochs) \(epochs == 1 ? "epoch" : "epochs")"
      )
    case .reachedTime:
      Terminal.note(
        "stopped by --time-budget after step \(trainer.progress.step); go on with: unroll train --resume --output \(output)"
      )
    case .reachedSteps: Terminal.note("stopped by --max-steps \(trainer.progress.step)")
    case .finished: break
    }
    let test = try trainer.test { Interruption.exitCode != nil }
    let unit = corpus.vocabulary.unit
    print(
      TrainingSummary.text(
        trainer, test: test, folder: RunFolder(output).path, unit: unit, ranks: ranks))
    if let problem = LearningCurves.draw(run: output) { Terminal.note("no curves: \(problem)") }
    guard test == nil, corpus.texts[.test] != nil else {
      Terminal.note(TrainingHeader.next(folder: output, trainer.configuration))
      return outcome
    }
    Terminal.note(
      "training is finished, but the test was interrupted; run it with: unroll evaluate \(output) FILE"
    )
    return .interrupted
  }
}
#endif
