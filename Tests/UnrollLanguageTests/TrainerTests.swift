// Runs in folders: training, stopping, resuming, damaged files.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollLanguage
import UnrollTestSupport

@Suite("Runs")
struct TrainerTests {
  /// Settings of a run of at most a few seconds: a small grammar's text, dropout everywhere, jittered lengths.
  static func configuration(_ change: (inout RunConfiguration) -> Void = { _ in })
    throws -> RunConfiguration
  {
    let preset = try #require(Preset.named("grammar"))
    var settings = RunConfiguration(preset: preset, corpus: nil, version: "test")
    settings.model.hiddenSize = 24
    settings.model.embeddingSize = 12
    settings.model.layers = 2
    settings.model.dropout = DropoutRates(
      embedding: 0.05, input: 0.1, hidden: 0.1, output: 0.1, weights: 0.1)
    settings.training.batchSize = 16
    settings.training.timeSteps = 12
    settings.training.isJittered = true
    settings.training.epochs = 2
    // The default depends on a clock.
    settings.training.logEvery = 5
    change(&settings)
    return settings
  }

  /// Writes a small corpus and returns settings that read it.
  static func corpus(in folder: String, lines: Int = 400) throws -> String {
    for (part, seed) in [("train", 1), ("valid", 2), ("test", 3)] {
      let text = EmbeddedGrammar.standard.text(
        lineCount: part == "train" ? lines : 60, seed: UInt64(seed))
      try AtomicFile.write(Array(text.utf8), to: "\(folder)/\(part).txt")
    }
    return folder
  }

  static func trainer(
    _ settings: RunConfiguration, _ path: String, resumes: Bool = false, reads: Bool = true
  ) throws -> Trainer {
    let folder = RunFolder(path)
    var settings = settings
    if resumes {
      settings.model.vocabularySize =
        try RunConfiguration(contentsOf: path + "/config.json").model.vocabularySize
    } else {
      try folder.prepare()
    }
    let corpus = try settings.prepareCorpus(
      in: folder,
      vocabulary: resumes ? Vocabulary(contentsOf: path + "/vocabulary.json") : nil)
    if !resumes { try folder.begin(settings, corpus.vocabulary) }
    let trainer = try Trainer(settings, corpus, in: folder)
    if resumes && reads { _ = try trainer.resume() }
    return trainer
  }

  /// The lines of a metrics file without values that depend on a clock.
  static func timeless(_ path: String) throws -> [String] {
    try String(decoding: AtomicFile.read(path + "/metrics.jsonl"), as: UTF8.self)
      .split(separator: "\n").map { line in
        line.split(separator: ",")
          .filter { !$0.contains("tokens_per_second") && !$0.contains("\"seconds\"") }
          .joined(separator: ",")
      }
  }

  @Test(
    "A run stopped anywhere and resumed equals an uninterrupted one, to the bit", .tags(.slow),
    arguments: [LanguageOptimizer.sgd, .adam, .averaged])
  func resume(_ optimizer: LanguageOptimizer) throws {
    try withTemporaryFolder { folder in
      let text = try Self.corpus(in: folder)
      let settings = try Self.configuration {
        $0.corpus = text
        $0.training.optimizer = optimizer
        // A high rate, so that validation gets worse and averaging starts.
        $0.training.learningRate = optimizer == .adam ? 0.004 : optimizer == .sgd ? 2 : 20
        $0.training.clipNorm = optimizer == .averaged ? 0.2 : 5
        $0.training.schedule = .constant
        $0.training.nonMonotone = 1
        $0.training.epochs = optimizer == .averaged ? 9 : 4
      }
      let whole = try Self.trainer(settings, folder + "/whole")
      #expect(try whole.run() == .finished)
      for stops in [[1], [3, 4, 9], [20, 45, 46, 61]] {
        let path = folder + "/parts\(stops.count)"
        var trainer = try Self.trainer(settings, path)
        for stop in stops {
          // Another number of threads after each interruption.
          let outcome = try Threads.use(1 + stop % 3) {
            try trainer.run(shouldStop: { trainer.progress.step >= stop })
          }
          #expect(outcome == .interrupted)
          #expect(trainer.progress.step == stop)
          trainer = try Self.trainer(settings, path, resumes: true)
        }
        #expect(try trainer.run() == .finished)
        #expect(trainer.model.parameters == whole.model.parameters)
        #expect(
          try AtomicFile.read(path + "/model.safetensors")
            == AtomicFile.read(folder + "/whole/model.safetensors"))
        #expect(try Self.timeless(path) == Self.timeless(folder + "/whole"))
      }
      if optimizer == .averaged {
        let last = try CheckpointFile.newest(folder + "/whole")
        #expect(last.arrays.keys.contains("average.embedding.weights"))
      }
    }
  }

  @Test("A damaged checkpoint is told, and the one before it serves")
  func damage() throws {
    try withTemporaryFolder { folder in
      let text = try Self.corpus(in: folder)
      let settings = try Self.configuration { $0.corpus = text }
      let path = folder + "/run"
      let trainer = try Self.trainer(settings, path)
      for stop in [5, 9] {
        _ = try trainer.run(shouldStop: { trainer.progress.step >= stop })
      }
      let newest = try CheckpointFile.paths(path)[0]
      let bytes = try AtomicFile.read(newest)
      let record = try AtomicFile.read(path + "/checkpoints.json")
      let places = [0, 100, bytes.count / 2, bytes.count - 1]
      for (what, damaged) in places.map({ place -> (String, [UInt8]) in
        var copy = bytes
        copy[place] ^= 4
        return ("bit \(place)", copy)
      }) + [("cut", Array(bytes[..<(bytes.count - 7)])), ("empty", [])] {
        try Data(damaged).write(to: URL(fileURLWithPath: newest))
        try AtomicFile.write(record, to: path + "/checkpoints.json")
        let other = try Self.trainer(settings, path, resumes: true, reads: false)
        let problems = try other.resume()
        #expect(other.progress.step == 5, "\(what)")
        #expect(problems.count == 1 && problems[0].contains(newest), "\(what)")
        #expect(!FileManager.default.fileExists(atPath: newest))
      }
      for file in try CheckpointFile.paths(path) {
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: file))
      }
      #expect(throws: RunError.self) { try Self.trainer(settings, path, resumes: true) }
    }
  }

  /// An instruction set of this machine that is not in use.
  private static let otherKernels = InstructionSet.available.first {
    $0 != .current && $0 != .plain
  }

  @Test(
    "A run that goes on with other kernels says that its bits will differ",
    .needs(Need("two instruction sets") { otherKernels != nil }))
  func changedKernels() throws {
    let other = try #require(Self.otherKernels)
    try withTemporaryFolder { folder in
      let text = try Self.corpus(in: folder)
      let settings = try Self.configuration { $0.corpus = text }
      let path = folder + "/run"
      let trainer = try Self.trainer(settings, path)
      _ = try trainer.run(shouldStop: { trainer.progress.step >= 3 })
      let same = try Self.trainer(settings, path, resumes: true, reads: false)
      #expect(try same.resume() == [])
      let changed = try Self.trainer(settings, path, resumes: true, reads: false)
      let problems = try other.use { try changed.resume() }
      #expect(problems.count == 1)
      #expect(
        problems.first?.contains(
          "with the \(InstructionSet.current.rawValue) kernels and continues with \(other.rawValue)"
        )
          == true)
      #expect(changed.progress.step == 3)
    }
  }

  @Test("Settings that memory cannot hold are refused before memory is asked for")
  func memory() throws {
    var settings = try Self.configuration()
    settings.model.vocabularySize = 10_000
    try settings.checkMemory(generating: 10_000, path: "run")
    settings.model.vocabularySize = 10_000_000
    let error = #expect(throws: RunError.self) {
      try settings.checkMemory(generating: 10_000, path: "run")
    }
    #expect(error?.description.contains("generating needs about 4") == true)
    #expect(error?.description.hasSuffix("reduce the number of texts") == true)
    let many = [RunConfiguration](repeating: settings, count: 4000)
    try RunConfiguration.checkMemory(
      averaging: [Self.configuration(), Self.configuration()], batchSize: 1, path: "run")
    let refused = #expect(throws: RunError.self) {
      try RunConfiguration.checkMemory(averaging: many, batchSize: 1, path: "run")
    }
    #expect(refused?.description.contains("evaluating by 4000 models needs about") == true)
  }

  @Test("A run does not go on with another text or settings, or beside another process")
  func others() throws {
    try withTemporaryFolder { folder in
      let text = try Self.corpus(in: folder)
      let settings = try Self.configuration { $0.corpus = text }
      let path = folder + "/run"
      let trainer = try Self.trainer(settings, path)
      _ = try trainer.run(shouldStop: { trainer.progress.step >= 3 })
      func expect(_ what: String, _ settings: RunConfiguration) {
        let error = #expect(throws: RunError.self) {
          try Self.trainer(settings, path, resumes: true)
        }
        #expect(error?.problem == .otherRun(what))
      }
      var changed = settings
      changed.training.learningRate = 0.1
      expect("settings", changed)
      let train = folder + "/train.txt"
      let whole = try AtomicFile.read(train)
      try AtomicFile.write(
        Array(whole.split(separator: 0x0A)[9..<200].joined(separator: [0x0A])), to: train)
      expect("text", settings)
      try AtomicFile.write(whole, to: train)
      // A flipped bit in the encoded text is detected, and the text is encoded again.
      let encoded = path + "/corpus/train.symbols"
      _ = try Self.trainer(settings, path, resumes: true)
      var bytes = try AtomicFile.read(encoded)
      bytes[4] ^= 1
      try AtomicFile.write(bytes, to: encoded)
      #expect(try Self.trainer(settings, path, resumes: true).progress.step == 3)
      let lock = try RunFolder(path).lock()
      #expect(throws: RunError(.busy, path: path)) { try RunFolder(path).lock() }
      withExtendedLifetime(lock) {}
      for file in try CheckpointFile.paths(path) {
        try FileManager.default.removeItem(atPath: file)
      }
      try AtomicFile.write([0x0A], to: path + "/metrics.jsonl")
      #expect(throws: RunError.self) { try Self.trainer(settings, path, resumes: true) }
    }
  }

  @Test("A sitting that ends within an epoch leaves the best model of whole epochs as it is")
  func sittings() throws {
    try withTemporaryFolder { folder in
      let text = try Self.corpus(in: folder)
      let settings = try Self.configuration {
        $0.corpus = text
        $0.training.epochs = 3
      }
      let whole = try Self.trainer(settings, folder + "/whole")
      _ = try whole.run()
      var short = settings
      short.training.maximumSteps = whole.progress.step * 5 / 6
      let first = try Self.trainer(short, folder + "/parts")
      #expect(try first.run() == .reachedSteps)
      #expect(try StoredModel(run: folder + "/parts").metadata["epoch"] == "2")
      let second = try Self.trainer(settings, folder + "/parts", resumes: true)
      #expect(try second.run() == .finished)
      #expect(try Self.timeless(folder + "/parts") == Self.timeless(folder + "/whole"))
      #expect(
        try AtomicFile.read(folder + "/parts/model.safetensors")
          == AtomicFile.read(folder + "/whole/model.safetensors"))
    }
  }

  @Test("Divergence is seen within its step, and half the rate goes on")
  func divergence() throws {
    try withTemporaryFolder { folder in
      let text = try Self.corpus(in: folder)
      let settings = try Self.configuration {
        $0.corpus = text
        $0.training.optimizer = .sgd
        $0.training.learningRate = 1e6
        $0.training.clipNorm = 0
        $0.training.maximumSteps = 40
        $0.training.epochs = 9
      }
      let trainer = try Self.trainer(settings, folder + "/stops")
      guard case .diverged(let step, _, _) = try trainer.run() else {
        Issue.record("expected divergence")
        return
      }
      #expect(step <= 3)
      var halving = settings
      halving.training.halvesOnDivergence = true
      let other = try Self.trainer(halving, folder + "/halves")
      var notes: [String] = []
      let outcome = try other.run(observe: { if case .note(let text) = $0 { notes.append(text) } })
      #expect(outcome == .reachedSteps)
      #expect(notes.count > 3 && notes[0].contains("half") == false && notes[0].contains("0.5"))
    }
  }

  @Test("A run learns: the grammar's perplexity comes near to the best possible")
  func learns() throws {
    try withTemporaryFolder { folder in
      let text = try Self.corpus(in: folder, lines: 4000)
      let settings = try Self.configuration {
        $0.corpus = text
        $0.model.dropout = DropoutRates()
        $0.model.hiddenSize = 40
        $0.training.isJittered = false
        $0.training.epochs = 6
      }
      let trainer = try Self.trainer(settings, folder + "/run")
      #expect(try trainer.run() == .finished)
      let test = try #require(try trainer.test())
      let best = EmbeddedGrammar.standard.entropyRate
      // A model of word pairs would have a loss of 0.5 nats above the minimum.
      #expect(test.loss < best + 0.25)
      #expect(test.loss > best - 0.1)
    }
  }

  @Test("Patience, steps and epochs end a run as they say")
  func ends() throws {
    try withTemporaryFolder { folder in
      let text = try Self.corpus(in: folder)
      let still = try Self.configuration {
        $0.corpus = text
        $0.training.learningRate = 0
        $0.training.patience = 2
        $0.training.epochs = 9
      }
      let trainer = try Self.trainer(still, folder + "/patience")
      #expect(try trainer.run() == .noGain(epochs: 2))
      #expect(trainer.progress.validations.count == 3)
      let short = try Self.configuration {
        $0.corpus = text
        $0.training.maximumSteps = 7
      }
      let other = try Self.trainer(short, folder + "/steps")
      #expect(try other.run() == .reachedSteps)
      #expect(other.progress.step == 7)
      #expect(try StoredModel(run: folder + "/steps").metadata["step"] == "7")
      let timed = try Self.trainer(short, folder + "/time")
      #expect(try timed.run(timeBudget: 0) == .reachedTime)
    }
  }

  @Test("A full folder, or one with something else in it, is refused and left alone")
  func folders() throws {
    try withTemporaryFolder { folder in
      let text = try Self.corpus(in: folder)
      let settings = try Self.configuration {
        $0.corpus = text
        $0.training.maximumSteps = 1
      }
      _ = try Self.trainer(settings, folder + "/run")
      #expect(throws: RunError(.alreadyThere, path: folder + "/run")) {
        try RunFolder(folder + "/run").prepare()
      }
      #expect(throws: RunError(.foreignFolder(found: "run"), path: folder)) {
        try FileManager.default.removeItem(atPath: folder + "/test.txt")
        try FileManager.default.removeItem(atPath: folder + "/train.txt")
        try FileManager.default.removeItem(atPath: folder + "/valid.txt")
        try RunFolder(folder).prepare()
      }
    }
  }
}

/// The checkpoint files of a run.
enum CheckpointFile {
  static func paths(_ run: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints")
      .filter { $0.hasPrefix("0") }.sorted(by: >)
      .map { "\(run)/checkpoints/\($0)" }
  }

  static func newest(_ run: String) throws -> Safetensors {
    try Safetensors(AtomicFile.read(paths(run)[0]))
  }

  /// The bytes of the arrays in the newest checkpoint.
  static func arrays(_ run: String) throws -> [String: [Float]] {
    try newest(run).arrays.mapValues { $0.tensor(of: Float.self).elements }
  }
}
