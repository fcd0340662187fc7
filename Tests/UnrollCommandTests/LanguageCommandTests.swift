// Language models on the command line: training, killing, resuming, evaluating, generating.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Language models by the command")
struct LanguageCommandTests {
  private let command = CommandTests()

  /// Writes a corpus of simple sentences, for runs that take a second.
  static func writeCorpus(_ folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for (part, lines) in [("train", 1500), ("valid", 120), ("test", 120)] {
      var text = ""
      for line in 0..<lines {
        let number = line * 7919 % 5
        text += "the \(["cat", "dog", "bird", "fish", "cow"][number]) "
        text += number % 2 == 0 ? "sees the other\n" : "hears a very small \(number)\n"
      }
      try text.write(toFile: "\(folder)/\(part).txt", atomically: true, encoding: .utf8)
    }
  }

  private static let sizes = [
    "--hidden-size", "20", "--embedding-size", "8", "--cell", "lstm", "--layers", "2",
    "--batch-size", "8", "--time-steps", "6", "--dropout", "0.1", "--learning-rate", "0.01",
    "--checkpoint-every", "0", "--seed", "5", "--patience", "1000",
  ]
  /// Options of a small run without metrics within epochs.
  static let small = sizes + ["--log-every", "0"]
  /// Options of a small run with metrics every four steps.
  static let logged = sizes + ["--log-every", "4"]

  /// The name of the newest checkpoint of a run; empty before the first.
  private static func newestCheckpoint(_ run: String) -> String {
    let names = try? FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints")
    return names?.filter { $0.hasPrefix("0") }.max() ?? ""
  }

  @Test("A run that is killed again and again equals one that is not, byte for byte", .tags(.slow))
  func kills() throws {
    let isLong = ProcessInfo.processInfo.environment["UNROLL_LONG_TESTS"] != nil
    let kills = isLong ? 50 : 4
    let moments = seededIntegers(kills, in: 1..<200)
    try withTemporaryFolder { folder in
      try Self.writeCorpus(folder + "/text")
      let epochs = isLong ? "40" : "4"
      let train = { (run: String, more: [String]) in
        ["train", folder + "/text", "--output", folder + "/" + run, "--epochs", epochs]
          + Self.logged + more
      }
      let whole = try command.run(train("whole", ["--threads", "1"]))
      #expect(whole.status == 0)
      let run = folder + "/parts"
      // Without config.json there is no run yet, so it is started again.
      let isBegun = { FileManager.default.fileExists(atPath: run + "/config.json") }
      var (hits, hitsInTraining) = (0, 0)
      for (index, moment) in moments.enumerated() {
        let process = Process()
        process.executableURL = CommandTests.binary
        process.arguments =
          isBegun()
          ? [
            "train", "--resume", "--output", run, "--threads", "\(1 + index % 2)",
            "--checkpoint-every", "0",
          ]
          : train("parts", ["--threads", "2"])
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        let before = Self.newestCheckpoint(run)
        try process.run()
        // Every second kill waits for a step; the others hit at any moment, even before training begins.
        while index % 2 == 0, process.isRunning, Self.newestCheckpoint(run) == before {
          usleep(1000)
        }
        usleep(UInt32(moment) * 1000)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        guard process.terminationReason == .uncaughtSignal else {
          #expect(process.terminationStatus == 0)
          break  // it came to its end before
        }
        #expect(process.terminationStatus == SIGKILL)
        hits += 1
        if Self.newestCheckpoint(run) != before { hitsInTraining += 1 }
      }
      let history = "killed \(hits) times, seed \(testSeed): \(moments) ms"
      #expect(hits >= 2 && hitsInTraining >= 1, "\(history)")
      let last = try command.run(
        isBegun() ? ["train", "--resume", "--output", run] : train("parts", []))
      #expect(last.status == 0, "\(history): \(last.errors)")
      let bytes = { (run: String) in
        try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(run)/model.safetensors"))
      }
      #expect(try bytes("parts") == bytes("whole"), "\(history)")
      // The rows of metrics without times.
      let rows = { (run: String) in
        try String(contentsOfFile: "\(folder)/\(run)/metrics.jsonl", encoding: .utf8)
          .replacing(/"(tokens_per_second|seconds)":[^,}]*/, with: "")
      }
      #expect(try rows("parts") == rows("whole"), "\(history)")
      #expect(Self.newestCheckpoint(run) == Self.newestCheckpoint(folder + "/whole"))
    }
  }

  /// Runs the command with a limit on the size of files: writing more fails as on a full disk.
  private func run(_ arguments: [String], fileLimit kilobytes: Int) throws -> (Int32, String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments =
      ["-c", "trap '' XFSZ; ulimit -f \(kilobytes); exec \"$@\"", "bash", CommandTests.binary.path]
      + arguments
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
  }

  @Test(
    "On a full disk a run stops with a message, and resumes to the same bytes",
    .tags(.slow))
  func fullDisk() throws {
    try withTemporaryFolder { folder in
      try Self.writeCorpus(folder + "/text")
      let train = { (run: String, more: [String]) in
        ["train", folder + "/text", "--output", folder + "/" + run, "--epochs", "2"]
          + Self.small + more
      }
      #expect(try command.run(train("whole", [])).status == 0)
      // The encoded text does not fit: there is no run yet.
      let early = try run(train("parts", []), fileLimit: 8)
      #expect(early.0 != 0)
      #expect(early.1.contains("train.symbols: cannot be written: File too large"))
      #expect(try command.run(train("parts", ["--max-steps", "40"])).status == 0)
      let checkpoints = folder + "/parts/checkpoints"
      let before = try FileManager.default.contentsOfDirectory(atPath: checkpoints).sorted()
      // The text fits, but not another checkpoint.
      let late = try run(
        ["train", "--resume", "--output", folder + "/parts", "--max-steps", "80"], fileLimit: 60)
      #expect(late.0 != 0)
      #expect(late.1.contains(checkpoints) && late.1.contains("File too large"), "\(late.1)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: checkpoints).sorted() == before)
      let last = try command.run(
        ["train", "--resume", "--output", folder + "/parts", "--max-steps", "1000000"])
      #expect(last.status == 0, "\(last.errors)")
      let bytes = { (run: String) in
        try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(run)/model.safetensors"))
      }
      #expect(try bytes("parts") == bytes("whole"))
    }
  }

  @Test("An option overrides its setting of a preset or a run and no other")
  func options() throws {
    try withTemporaryFolder { folder in
      try Self.writeCorpus(folder + "/text")
      let sizes = [
        "--hidden-size", "8", "--embedding-size", "8", "--batch-size", "8", "--max-steps", "2",
      ]
      func settings(_ run: String, _ options: [String]) throws -> String {
        let learnt = try command.run(
          ["train", "--output", folder + "/" + run] + options + sizes)
        #expect(learnt.status == 0, "\(learnt.errors)")
        return try String(contentsOfFile: "\(folder)/\(run)/config.json", encoding: .utf8)
      }
      let text = folder + "/text"
      let slower = try settings(
        "slower", [text, "--preset", "zaremba-small", "--decay", "0.7", "--on-divergence", "halve"])
      #expect(slower.contains("\"afterEpoch\" : 4") && slower.contains("\"factor\" : 0.7"))
      #expect(slower.contains("\"halves_on_divergence\" : true"))
      let other = try settings(
        "other", ["--config", folder + "/slower/config.json", "--on-divergence", "stop"])
      #expect(other.contains("\"afterEpoch\" : 4"))
      #expect(other.contains("\"halves_on_divergence\" : false"))
      let course = try settings("course", [text, "--preset", "course", "--decay", "0.7"])
      #expect(course.contains("\"afterEpoch\" : 1"))
    }
  }

  @Test(
    "A model is trained, evaluated and inspected; the same seed generates the same text",
    .tags(.slow))
  func life() throws {
    try withTemporaryFolder { folder in
      try Self.writeCorpus(folder + "/text")
      let run = folder + "/run"
      let learnt = try command.run(
        ["train", folder + "/text", "--output", run, "--epochs", "6"] + Self.logged)
      #expect(learnt.status == 0)
      #expect(learnt.output.contains("test             perplexity"))
      #expect(learnt.errors.contains("epoch 6: train perplexity"))
      let metrics = try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8)
        .split(separator: "\n")
      #expect(metrics.count { $0.contains("\"validation_loss\"") } == 6)
      #expect(metrics.contains { $0.contains("\"gradient_norm\"") })
      let last = try #require(metrics.last)
      let line = try #require(
        JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any])
      for key in [
        "epoch", "step", "tokens_per_second", "train_perplexity", "validation_perplexity",
      ] {
        #expect(line[key] is NSNumber, "\(key)")
      }
      let measured = try command.unroll("evaluate", run, folder + "/text/test.txt", "--json")
      let result = try #require(
        JSONSerialization.jsonObject(with: Data(measured.output.utf8)) as? [String: Any])
      let perplexity = try #require(result["perplexity"] as? Double)
      #expect(learnt.output.contains(String(format: "perplexity %.2f", perplexity)))
      #expect(perplexity < 3)
      let dynamic = try command.unroll(
        "evaluate", run, folder + "/text/test.txt", "--dynamic", "0.001", "--dynamic-steps", "5")
      #expect(dynamic.status == 0 && dynamic.output.contains("learning while reading  rate 0.001"))
      let after = try command.unroll("evaluate", run, folder + "/text/test.txt", "--json")
      #expect(
        after.output.components(separatedBy: "seconds")[0]
          == measured.output.components(separatedBy: "seconds")[0])
      let first = try command.unroll(
        "generate", run, "--prompt", "the cat", "--length", "40", "--seed", "3", "--threads", "1")
      let second = try command.unroll(
        "generate", run, "--prompt", "the cat", "--length", "40", "--seed", "3", "--threads", "2")
      #expect(first.status == 0 && first.output == second.output)
      #expect(first.output.hasPrefix("the cat"))
      let greedy = try command.unroll(
        "generate", run, "--prompt", "the dog", "--temperature", "0", "--stop", "<eos>")
      #expect(greedy.output == "the dog hears a very small 1\n")
      let shown = try command.unroll("inspect", run)
      #expect(shown.output.contains("layers.1.recurrent_weights"))
      #expect(shown.output.contains("float32[20,80]"))
      // A run can start with another run's settings.
      let again = try command.unroll(
        "train", "--config", run + "/config.json", "--output", folder + "/again")
      #expect(again.status == 0)
      let bytes = { (run: String) in
        try Data(contentsOf: URL(fileURLWithPath: run + "/model.safetensors"))
      }
      #expect(try bytes(folder + "/again") == bytes(run))
    }
  }

  @Test(
    "An ensemble has the same result on any number of threads, and one vocabulary",
    .tags(.slow))
  func ensemble() throws {
    try withTemporaryFolder { folder in
      try Self.writeCorpus(folder + "/text")
      let text = folder + "/text/test.txt"
      func train(_ name: String, _ more: [String]) throws {
        let learnt = try command.run(
          ["train", folder + "/text", "--output", folder + "/" + name, "--epochs", "1"]
            + Self.small + more)
        #expect(learnt.status == 0, "\(learnt.errors)")
      }
      try train("one", [])
      try train("two", ["--seed", "6", "--cell", "gru", "--hidden-size", "12"])
      try train("letters", ["--unit", "characters"])
      try train("few", ["--vocabulary-size", "9"])
      try train("lines", ["--reset-each-line"])
      try train("trimmed", ["--unit", "characters", "--trim-lines"])
      func evaluate(_ arguments: [String]) throws -> (loss: Double, models: Int, symbols: Int) {
        let outcome = try command.run(["evaluate"] + arguments + ["--json"])
        let result = try #require(
          JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        return try (
          #require(result["loss"] as? Double), #require(result["models"] as? Int),
          #require(result["symbols"] as? Int)
        )
      }
      let (one, two) = (folder + "/one", folder + "/two")
      let apart = try [one, two].map { try evaluate([$0, text]) }
      let together = try ["1", "2"].map {
        try evaluate([one, text, "--with", two, "--threads", $0])
      }
      #expect(apart.allSatisfy { $0.models == 1 } && together.allSatisfy { $0.models == 2 })
      #expect(together[0] == together[1])
      #expect(together[0].symbols == apart[0].symbols)
      #expect(together[0].loss < (apart[0].loss + apart[1].loss) / 2)
      let shown = try command.unroll("evaluate", one, text, "--with", two, "--with", one)
      #expect(shown.output.contains("models averaged  3"))
      // Words have no surrounding spaces to remove.
      try train("words", ["--trim-lines"])
      #expect(try evaluate([one, text, "--with", folder + "/words"]).models == 2)
      let trimmed = try command.run([
        "evaluate", folder + "/letters", text, "--with", folder + "/trimmed",
      ])
      #expect(trimmed.errors.contains("found one that removes them"), "\(trimmed.errors)")
      for (other, sentence) in [
        ("letters", "letters: --with: expected a model of words, found one of characters"),
        ("few", "symbols, in the same order, found another of 9"),
        ("lines", "expected a model that carries its states from line to line, found one"),
        ("text", "text: expected a run with config.json, found none"),
      ] {
        let refused = try command.run(["evaluate", one, text, "--with", folder + "/" + other])
        #expect(refused.status == 1 && refused.output.isEmpty)
        #expect(refused.errors.contains(sentence), "\(refused.errors)")
      }
      let dynamic = try command.run(["evaluate", one, text, "--with", two, "--dynamic", "0.001"])
      #expect(dynamic.status == 64 && dynamic.errors.contains("--dynamic: expected one model"))
    }
  }

  @Test("Invalid arguments are reported in one sentence and leave no files")
  func mistakes() throws {
    try withTemporaryFolder { folder in
      try Self.writeCorpus(folder + "/text")
      let run = folder + "/run"
      func expect(
        _ arguments: [String], _ status: Int32, _ sentence: String,
        _ location: SourceLocation = #_sourceLocation
      ) throws {
        let outcome = try command.run(arguments)
        #expect(outcome.status == status, sourceLocation: location)
        #expect(
          outcome.errors.contains(sentence), "\(outcome.errors)", sourceLocation: location)
      }
      let train = ["train", folder + "/text", "--output", run]
      try expect(
        train + ["--hidden-size", "0"], 64, "--hidden-size: expected 1 ... 10000000, found 0")
      try expect(train + ["--decay", "nan"], 64, "--decay: expected more than 0")
      try expect(
        train + ["--learning-rate", "inf"], 64, "--learning-rate: expected a number of at least 0")
      try expect(train + ["--preset", "huge"], 64, "--preset: expected one of grammar, course,")
      try expect(train + ["--dropout", "1"], 64, "--dropout: expected 0 up to")
      try expect(train + ["--tied"], 64, "use --top-size 50 or --projection-size 50")
      try expect(train + ["--output", ""], 64, "--output: expected the run's folder")
      try expect(
        train + ["--split", "0.9,0.1"], 64, "--split: expected one text file to divide, found")
      try expect(
        ["train", "--split", "0.9,0.1"], 64, "--split: expected one text file to divide, found no")
      try expect(
        train + ["--unit", "bytes", "--min-count", "2"], 64,
        "--vocabulary-size and --min-count: expected words or characters, found bytes")
      try expect(["train", folder + "/no", "--output", run], 1, "no such file or folder")
      #expect(!FileManager.default.fileExists(atPath: run))
      try expect(
        ["train", "--resume", "--output", folder + "/text"], 1, "expected a run with config.json")
      try expect(
        train + ["--hidden-size", "500000"], 1, "run: learning needs about 120")
      try expect(train + ["--batch-size", "100000"], 1, "expected at least 200001 words, found")
      #expect(!FileManager.default.fileExists(atPath: run + "/config.json"))
      try expect(["evaluate", folder + "/text", "x"], 1, "expected a run with config.json")
      let learnt = try command.run(train + ["--max-steps", "3"] + Self.small)
      #expect(learnt.status == 0)
      try expect(train, 1, "already contains a run; continue it with --resume")
      try expect(
        ["train", "--resume", "--output", run, "--learning-rate", "0.3"], 64,
        "--learning-rate: expected 0.01, with which the run was started, found 0.3")
      try expect(
        ["generate", run, "--temperature", "-1"], 64,
        "--temperature: expected a number of at least 0")
      try expect(
        ["generate", run, "--stop", "xyz"], 1,
        "--stop: 'xyz' is not in the vocabulary, whose symbols are in \(run)/vocabulary.json")
      try expect(["evaluate", run, folder + "/no.txt"], 1, "no.txt: cannot be read")
      for rate in ["0", "-1", "nan", "2"] {
        try expect(
          ["evaluate", run, "x", "--dynamic=\(rate)"], 64, "--dynamic: expected a learning rate")
      }
      try expect(
        ["evaluate", run, "x", "--dynamic", "0.1", "--batch-size", "4"], 64,
        "--dynamic: expected --batch-size 1")
      try expect(["evaluate", run, "x", "--dynamic-steps", "0"], 64, "expected 1 ... 10000")
      try expect(["evaluate", run, "x", "--dynamic-steps", "5"], 64, "expected --dynamic with it")
      let model = URL(fileURLWithPath: run + "/model.safetensors")
      var bytes = try Data(contentsOf: model)
      bytes[bytes.count - 3] ^= 1
      try bytes.write(to: model)
      try expect(["generate", run], 1, "model.safetensors: the checksum does not match")
      let settings = URL(fileURLWithPath: run + "/config.json")
      let text = try String(contentsOf: settings, encoding: .utf8)
      try text.replacingOccurrences(of: "\"hidden_size\" : 20", with: "\"hidden_size\" : 9000000")
        .write(to: settings, atomically: true, encoding: .utf8)
      bytes[bytes.count - 3] ^= 1
      try bytes.write(to: model)
      try expect(["generate", run], 1, "model.safetensors: expected 'all parameters' of shape")
      try Data("{".utf8).write(to: settings)
      try expect(
        ["generate", run], 1,
        "config.json: line 1, column 2: expected a field's name in quotes, found")
    }
  }
}
