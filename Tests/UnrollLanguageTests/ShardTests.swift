// One model on several ranks: shards, their order, and properties that must agree. The ranks are threads; MPITests
// uses processes.

import Foundation
import RealModule
import Testing
import Unroll
import UnrollFormats
import UnrollLanguage
import UnrollTestSupport

@Suite("Shards and ranks")
struct ShardTests {
  /// Everything at once: dropout of all kinds, tied weights, penalties, jitter.
  static func configuration(
    _ folder: String, _ change: (inout RunConfiguration) -> Void = { _ in }
  ) throws -> RunConfiguration {
    try TrainerTests.configuration {
      $0.corpus = folder
      $0.model.isTied = true
      $0.model.topSize = 12
      $0.training.penalties = ActivationPenalties(activation: 2, temporal: 1)
      $0.training.shards = 6
      $0.training.evaluationBatchSize = 5
      change(&$0)
    }
  }

  /// Runs a training run on some ranks, with different numbers of threads.
  static func run(
    _ settings: RunConfiguration, _ path: String, ranks count: Int, hasMemory: Bool = false,
    level: InstructionSet = .current, resumes: Bool = false, until stop: Int = .max
  ) throws -> [(outcome: TrainingOutcome, test: Evaluation?)] {
    if !resumes { _ = try TrainerTests.trainer(settings, path) }
    let kept = try RunConfiguration(contentsOf: path + "/config.json")
    var wanted = kept
    wanted.training.epochs = settings.training.epochs
    return try ThreadRanks.run(count, hasMemory: hasMemory) { [wanted] ranks in
      try level.use {
        try Threads.use(1 + ranks.rank % 2) {
          let folder = RunFolder(path)
          let setup: RunSetup
          if ranks.rank == 0 {
            var settings = wanted
            let corpus = try settings.prepareCorpus(
              in: folder, vocabulary: Vocabulary(contentsOf: path + "/vocabulary.json"))
            setup = RunSetup(settings: settings, corpus: corpus)
            try setup.send(to: ranks)
          } else {
            setup = try RunSetup(from: ranks, in: folder)
          }
          let trainer = try Trainer(setup.settings, setup.corpus, in: folder, ranks: ranks)
          if ranks.rank == 0 && resumes { _ = try trainer.resume() }
          try trainer.share()
          // Only the last rank is told to stop; the others must agree.
          let outcome = try trainer.run(shouldStop: {
            ranks.rank == ranks.count - 1 && trainer.progress.step >= stop
          })
          return (outcome, outcome == .finished ? try trainer.test() : nil)
        }
      }
    }
  }

  @Test(
    "Every row is in one shard, every shard on one rank, every number in one slice",
    arguments: [1, 2, 3, 7])
  func plan(_ ranks: Int) {
    for shards in ranks...9 {
      let plan = ShardPlan(shardCount: shards, batchSize: 11, rankCount: ranks)
      #expect((0..<shards).flatMap { plan.rows(of: $0) } == Array(0..<11))
      #expect((0..<ranks).flatMap { plan.shards(of: $0) } == Array(0..<shards))
      #expect((0..<ranks).allSatisfy { !plan.shards(of: $0).isEmpty })
      #expect((0..<ranks).flatMap { plan.rows(ofRank: $0) } == Array(0..<11))
      for count in [0, 1, 16, 17, 100, 1000] {
        #expect((0..<ranks).flatMap { plan.slice(of: $0, count: count) } == Array(0..<count))
      }
    }
  }

  @Test("No batch has more symbols than are said to be the most", arguments: [nil, 3] as [UInt32?])
  func maximumSymbols(_ seed: UInt32?) throws {
    let source = BatchSource(
      EncodedText((0..<9).map { Int32($0) }), batchSize: 4, timeSteps: 20, jitterSeed: seed)
    let most = try #require(source.maximumSymbols)
    let lengths = (0..<20_000).map { source.length(step: $0) }
    #expect(lengths.allSatisfy { 4 * $0 <= most })
    #expect(try #require(lengths.max()) >= (seed == nil ? 20 : 30))
  }

  @Test("Sums are folded in shard order, not in any other")
  func order() {
    // 1e8 + 1 - 1e8 is 0 in float32, 1e8 - 1e8 + 1 is 1.
    let parts: [[Float]] = [[1e8], [1], [-1e8]].map { $0 + [Float](repeating: 0.1, count: 5000) }
    var sum = [Float](repeating: 7, count: 5001)
    parts[0].withUnsafeBufferPointer { a in
      parts[1].withUnsafeBufferPointer { b in
        parts[2].withUnsafeBufferPointer { c in
          sum.withUnsafeMutableBufferPointer { sum in
            guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress,
              let base = sum.baseAddress
            else { return }
            OrderedSum.compute([a, b, c], at: 0..<5001, into: base)
          }
        }
      }
    }
    #expect(sum[0] == 0)
    #expect(sum[1...].allSatisfy { $0 == Float(0.1) + Float(0.1) + Float(0.1) })
  }

  @Test("Shards have the gradient of the whole batch, up to rounding", arguments: [2, 3, 5])
  func gradient(_ shards: Int) throws {
    let configuration = ModelConfiguration(
      vocabularySize: 20, embeddingSize: 10, hiddenSize: 10, layers: 2, isTied: true,
      dropout: DropoutRates(embedding: 0.2, weights: 0.3))
    var random = NumPyRandom(seed: 3)
    let model = LanguageModel<Float>(
      configuration, initialization: Initialization(), using: &random)
    let symbols: [Int32] = (0..<35).map { _ in Int32(random.nextWord() % 20) }
    var targets = Array(symbols.dropFirst()) + [0]
    targets[3] = -1
    let batch = LanguageBatch(timeStepCount: 5, batchSize: 7, inputs: symbols, targets: targets)
    let masks = ModelPass<Float>.Masks(rates: configuration.dropout, seed: 4, step: 2)
    let penalties = ActivationPenalties(activation: 2, temporal: 1)
    var states = model.initialStates(batchSize: 7)
    for index in states.indices { states[index].hidden.fill(0.25) }
    var (one, other) = (states, states)

    var whole = ModelPass(model)
    let loss = whole.run(model, batch, states: &one, masks: masks, penalties: penalties)
    var parts = try ShardedPass(
      model, ShardPlan(shardCount: shards, batchSize: 7, rankCount: 1), SingleRank())
    let count = batch.targetCount
    let losses = try parts.run(
      model, batch, targetCount: count, states: &other, masks: masks, penalties: penalties)

    #expect(losses.count == shards)
    #expect(abs(losses.reduce(0, +) / Double(count) - loss) < 1e-6)
    for (a, b) in zip(whole.gradients.all, parts.gradients.all) {
      let difference = zip(a.elements, b.elements).map { abs($0 - $1) }.max() ?? 0
      #expect(difference < 2e-7)
    }
    #expect(parts.gradients.all.map(\.shape) == whole.gradients.all.map(\.shape))
    for (a, b) in zip(one, other) { #expect(a == b) }
  }

  @Test(
    "The kernels leave gradients where other ranks read them, so that none are copied")
  func placesOfGradients() throws {
    let configuration = ModelConfiguration(
      vocabularySize: 20, embeddingSize: 10, hiddenSize: 10, layers: 2, isTied: true,
      dropout: DropoutRates(weights: 0.3))
    var random = NumPyRandom(seed: 3)
    let model = LanguageModel<Float>(
      configuration, initialization: Initialization(), using: &random)
    let symbols: [Int32] = (0..<35).map { _ in Int32(random.nextWord() % 20) }
    let batch = LanguageBatch(timeStepCount: 5, batchSize: 7, inputs: symbols, targets: symbols)
    for level in [InstructionSet.current, .plain] {
      let found = try ThreadRanks.run(2, hasMemory: true) { ranks in
        try level.use {
          var pass = try ShardedPass(
            model, ShardPlan(shardCount: 4, batchSize: 7, rankCount: 2), ranks)
          var states = model.initialStates(batchSize: 7)
          for step in 0..<3 {
            _ = try pass.run(
              model, batch, targetCount: 35, states: &states,
              masks: ModelPass<Float>.Masks(rates: configuration.dropout, seed: 4, step: step),
              penalties: ActivationPenalties())
          }
          return pass.copies
        }
      }
      #expect(found == [0, 0])
    }
  }

  @Test("Shards draw masks of their own for rows, and the same ones for parameters")
  func masks() {
    var masks = ModelPass<Float>.Masks(rates: DropoutRates(), seed: 9, step: 1)
    let first = (masks.dropout(0.5, 1), masks.rowDropout(0.5, 1))
    #expect(first.0 == first.1)
    masks.shard = 3
    #expect(masks.dropout(0.5, 1) == first.0)
    #expect(masks.rowDropout(0.5, 1) != first.1)
  }

  @Test(
    "Any number of ranks and threads leaves the same files, with and without memory in common",
    .tags(.slow),
    arguments: [LanguageOptimizer.sgd, .adam, .averaged], [false, true])
  func ranks(_ optimizer: LanguageOptimizer, _ hasMemory: Bool) throws {
    try withTemporaryFolder { folder in
      let text = try TrainerTests.corpus(in: folder)
      let settings = try Self.configuration(text) {
        $0.training.optimizer = optimizer
        $0.training.learningRate = optimizer == .adam ? 0.004 : 20
        $0.training.clipNorm = 0.2
        $0.training.nonMonotone = 1
        $0.training.epochs = optimizer == .averaged ? 8 : 2
      }
      let results = try [1, 2, 3, 6].map { count in
        let all = try Self.run(
          settings, "\(folder)/\(count)", ranks: count, hasMemory: hasMemory)
        #expect(all.allSatisfy { $0.outcome == .finished && $0.test == all[0].test })
        return all[0].test
      }
      #expect(results.allSatisfy { $0 == results[0] && $0 != nil })
      for count in [2, 3, 6] {
        #expect(
          try AtomicFile.read("\(folder)/\(count)/model.safetensors")
            == AtomicFile.read(folder + "/1/model.safetensors"))
        #expect(
          try TrainerTests.timeless("\(folder)/\(count)") == TrainerTests.timeless(folder + "/1"))
        #expect(
          try CheckpointFile.arrays("\(folder)/\(count)") == CheckpointFile.arrays(folder + "/1"))
      }
    }
  }

  @Test("A run that is stopped goes on with another number of ranks, to the same bits")
  func resume() throws {
    try withTemporaryFolder { folder in
      let settings = try Self.configuration(TrainerTests.corpus(in: folder))
      _ = try Self.run(settings, folder + "/whole", ranks: 1)
      let path = folder + "/parts"
      var stops = [5, 9, 30]
      var isBegun = false
      for ranks in [2, 4, 1] {
        let outcomes = try Self.run(
          settings, path, ranks: ranks, hasMemory: ranks == 4, resumes: isBegun,
          until: stops.removeFirst())
        #expect(outcomes.allSatisfy { $0.outcome == .interrupted })
        isBegun = true
      }
      let last = try Self.run(settings, path, ranks: 3, resumes: true)
      #expect(last.allSatisfy { $0.outcome == .finished })
      #expect(
        try AtomicFile.read(path + "/model.safetensors")
          == AtomicFile.read(folder + "/whole/model.safetensors"))
      #expect(try CheckpointFile.arrays(path) == CheckpointFile.arrays(folder + "/whole"))
    }
  }

  @Test("Lines of their own, of which the last batch has too few for all shards, are divided, too")
  func lines() throws {
    try withTemporaryFolder { folder in
      let settings = try Self.configuration(TrainerTests.corpus(in: folder, lines: 83)) {
        $0.training.isJittered = false
        $0.training.resetsEachLine = true
        $0.training.clipValue = 0.01
        $0.training.halvesOnDivergence = true
      }
      for ranks in [1, 3, 4] {
        _ = try Self.run(settings, "\(folder)/\(ranks)", ranks: ranks, hasMemory: ranks == 3)
      }
      for ranks in [3, 4] {
        #expect(
          try AtomicFile.read("\(folder)/\(ranks)/model.safetensors")
            == AtomicFile.read(folder + "/1/model.safetensors"))
      }
    }
  }

  @Test("Cells without fast kernels, and weights that are not tied, leave the same files, too")
  func plainCells() throws {
    try withTemporaryFolder { folder in
      let settings = try Self.configuration(TrainerTests.corpus(in: folder)) {
        $0.model.isTied = false
        $0.model.topSize = nil
        $0.model.projectionSize = 7
        $0.training.optimizer = .sgd
        $0.training.learningRate = 2
        $0.training.epochs = 1
      }
      for ranks in [1, 2, 4] {
        _ = try Self.run(
          settings, "\(folder)/\(ranks)", ranks: ranks, hasMemory: ranks > 1, level: .plain)
      }
      for ranks in [2, 4] {
        #expect(
          try CheckpointFile.arrays("\(folder)/\(ranks)")
            == CheckpointFile.arrays(folder + "/1"))
      }
    }
  }

  @Test("Divergence is the same on all ranks, and what follows it")
  func divergence() throws {
    try withTemporaryFolder { folder in
      let text = try TrainerTests.corpus(in: folder)
      for halves in [false, true] {
        let settings = try Self.configuration(text) {
          $0.training.optimizer = .sgd
          $0.training.learningRate = 1e4
          $0.training.clipNorm = 0
          $0.training.epochs = 1
          $0.training.halvesOnDivergence = halves
        }
        var outcomes: [[TrainingOutcome]] = []
        for ranks in [1, 3] {
          outcomes.append(
            try Self.run(
              settings, "\(folder)/\(halves)-\(ranks)", ranks: ranks, hasMemory: halves
            ).map(\.outcome))
        }
        #expect((outcomes[0] + outcomes[1]).allSatisfy { $0 == outcomes[0][0] })
        if halves {
          #expect(outcomes[0][0] == .finished)
        } else {
          guard case .diverged = outcomes[0][0] else {
            Issue.record("expected divergence, got \(outcomes[0][0])")
            continue
          }
        }
      }
    }
  }

  @Test("Evaluation is divided by rows, or by batches where there are fewer rows than ranks")
  func evaluation() throws {
    let configuration = ModelConfiguration(
      vocabularySize: 12, embeddingSize: 6, hiddenSize: 8, cell: .gruResetBefore)
    var random = NumPyRandom(seed: 5)
    let model = LanguageModel<Float>(
      configuration, initialization: Initialization(), using: &random)
    let symbols = (0..<3001).map { _ in Int32(random.nextWord() % 12) }
    let text = EncodedText(symbols)
    for rows in [1, 2, 4, 7] {
      var single = Evaluator<Float>()
      let alone = try #require(try single.run(model, text, batchSize: rows))
      #expect(alone.symbols == 3000)
      for count in [2, 3, 4] {
        let all = try ThreadRanks.run(count) { ranks in
          var evaluator = Evaluator<Float>()
          return try evaluator.run(model, text, batchSize: rows, ranks: ranks)
        }
        #expect(all.allSatisfy { $0 == alone })
      }
    }
  }

  @Test("More shards than rows, or than there may be, are refused")
  func impossible() throws {
    for (shards, rows) in [(9, 8), (257, 1000), (0, 8)] {
      let settings = try TrainerTests.configuration {
        $0.training.batchSize = rows
        $0.training.shards = shards
      }
      #expect(settings.problem?.hasPrefix("shards: expected") == true)
    }
  }

  @Test("Settings of one shard are written as before there were shards")
  func settings() throws {
    let text = String(decoding: try TrainerTests.configuration().encoded(), as: UTF8.self)
    #expect(!text.contains("shards"))
  }
}
