// Helpful messages: misspelt words, ranges of values, settings of a run.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Messages of the command")
struct MessageTests {
  private let command = CommandTests()

  private func expect(
    _ arguments: [String], _ status: Int32, _ sentences: String...,
    location: SourceLocation = #_sourceLocation
  ) throws {
    let outcome = try command.run(arguments)
    #expect(outcome.status == status, "\(arguments)", sourceLocation: location)
    for sentence in sentences {
      #expect(outcome.errors.contains(sentence), "\(outcome.errors)", sourceLocation: location)
    }
  }

  @Test("A misspelt command, option or value is answered with the nearest one")
  func misspelt() throws {
    try expect(
      ["trian"], 64, "unroll: unknown command 'trian'; did you mean 'train'? Commands: lab,")
    try expect(["help", "evalute"], 64, "unknown command 'evalute'; did you mean 'evaluate'?")
    try expect(["frobnicate"], 64, "unknown command 'frobnicate'. Commands: lab, train, evaluate,")
    try expect(["lab", "memry"], 64, "unroll lab: unknown command 'memry'; did you mean 'memory'?")
    try expect(["help", "lab", "sevre"], 64, "unknown command 'sevre'; did you mean 'serve'?")
    try expect(["train", "--lerning-rate", "1"], 64, "Did you mean '--learning-rate'?")
    try expect(
      ["train", "--cell", "gruu"], 64,
      "expected one of rnn, gru, gru-after, lstm, mgu, janet, found 'gruu'. Did you mean 'gru'?")
    try expect(["train", "--cell", "LSTM"], 64, "Did you mean 'lstm'?")
    try expect(["train", "--optimizer", "adm"], 64, "Did you mean 'adam'?")
    try expect(["train", "--unit", "word"], 64, "Did you mean 'words'?")
    try expect(
      ["train", "--on-divergence", "half"], 64, "Please provide one of 'stop' and 'halve'")
    try expect(["train", "--preset", "corse"], 64, "found 'corse'; did you mean 'course'?")
    try expect(["train", "--preset", "x"], 64, "char-shakespeare, found 'x'.")
    try expect(["lab", "memory", "--cell", "lstn"], 64, "Did you mean 'lstm'?")
    try expect(["lab", "gates", "--dtype", "flot32"], 64, "Did you mean 'float32'?")
    try expect(["convert", "a", "b", "--to", "kers"], 64, "found 'kers'. Did you mean 'keras'?")
    let level = try command.run(["info"], environment: ["UNROLL_ISA": "plane"])
    #expect(level.errors.contains("found 'plane'. Did you mean 'plain'?"))
    #expect(try command.run(["help", "lab", "memory"]).status == 0)
  }

  @Test("info --plan takes a cell and sizes, and says what it expected in place of other words")
  func plans() throws {
    for (plan, sentence) in [
      ("lstn H=4", "expected a cell (rnn, gru, gru-after, lstm, mgu, janet) followed by sizes"),
      ("lstm", "expected the number of units, as in H=256, got 'lstm'"),
      ("lstm H=0", "expected H, D, B or T with a number in 1 ... 16777216"),
      ("lstm H=4 Q=2", "got 'Q=2'"), ("lstm H=4 B", "got 'B'"),
      ("lstm H=4 H=5", "expected H once, got it again in 'H=5'"),
      ("lstm float32 H=5 float64", "expected the number type once, got it again in 'float64'"),
      ("lstm H=4 threads=257", "threads with one in 1 ... 256"),
      ("lstm H=16777216", "expected sizes whose arrays have at most 281474976710656 numbers"),
      ("lstm H=4 T=16777216 B=16777216", "whose arrays have at most 281474976710656 numbers"),
    ] {
      try expect(["info", "--plan", plan], 64, sentence)
    }
    try expect(
      ["info", "--plan", "lstm H=4 threads=2", "--threads", "3"], 64,
      "Error: --threads: expected the number of threads once, found it in --plan, too, as 'threads=2'; leave out one of the two."
    )
    let shared = try ["--threads 3", "threads=3"].map { threads in
      let words = threads.split(separator: " ").map(String.init)
      let plan = "gru H=64 B=64 T=50"
      return try command.run(
        words.count == 2
          ? ["info", "--plan", plan] + words : ["info", "--plan", "\(plan) \(threads)"])
    }
    #expect(shared[0].status == 0 && shared[0].output == shared[1].output)
    let plain = try command.run(
      ["info", "--plan", "gru H=4"], environment: ["UNROLL_ISA": "plain"])
    #expect(
      plain.output.contains("stream     plain  1        none            none"), "\(plain.output)")
    // A plan allocates nothing, so its sizes may exceed the memory of any machine.
    let large = try command.run(["info", "--plan", "gru H=1000000 B=20 T=50 threads=2"])
    #expect(large.status == 0 && large.output.contains("packed weights"), "\(large.errors)")
    let stream = try command.run(["info", "--plan", "lstm H=256 D=8 B=1 T=1 threads=1 float64"])
    #expect(stream.output.contains("LSTM, D 8, H 256, B 1, T 1, float64"))
    #expect(stream.output.contains("streamed weights"))
  }

  @Test("A negative number is the value of a numeric option, and its error states the range")
  func negative() throws {
    let train = ["train", "--output", "/nonexistent/run"]
    for (option, range) in [
      ("learning-rate", "expected a number of at least 0, found -1.0"),
      ("hidden-size", "expected 1 ... 10000000, found -1"),
      ("layers", "expected 1 ... 1000, found -1"),
      ("dropout-input", "expected 0 up to, but not including, 1, found -1.0"),
      ("shards", "expected 1 ... 256, found -1"),
      ("decay", "expected more than 0 and at most 1"), ("min-count", "expected at least 1"),
      ("vocabulary-size", "expected 3 ... 10000000, found -1"),
      ("sample", "expected 0 ... 1000000, found -1"),
      ("time-budget", "expected more than 0 seconds"),
      ("checkpoint-every", "expected at least 0 seconds"),
      ("threads", "expected 1 ... 256, found -1"),
    ] {
      try expect(train + ["--\(option)", "-1"], 64, "Error: --\(option): \(range)")
    }
    try expect(
      train + ["--decay", "0.5", "--decay-after", "-1"], 64, "--decay-after: expected 0 ...")
    for value in ["-1", "4294967296", "0.5"] {
      try expect(
        train + ["--seed", value], 64,
        "Error: --seed: expected 0 ... 4294967295, found '\(value)'.")
    }
    for value in ["-1", "1000000001"] {
      try expect(
        train + ["--decay", "0.5", "--decay-after", value], 64,
        "Error: --decay-after: expected 0 ... 1000000000, found \(value).")
    }
    for value in ["-1.0", "1.0", "nan"] {
      try expect(
        train + ["--dropout", value], 64,
        "Error: --dropout: expected 0 up to, but not including, 1, found \(value).")
    }
    for value in ["-1", "10001"] {
      for lab in ["memory", "gradients", "notebook", "spectrum"] {
        try expect(
          ["lab", lab, "--weight-draws", value], 64,
          "Error: --weight-draws: expected 0 ... 10000, found \(value).")
      }
    }
    try expect(
      train + ["--split", "-0.1,1.1"], 64, "--split: expected a fraction of 0 ... 1 for train")
    for (arguments, sentence) in [
      (["generate", "run", "--length"], "--length: expected 0 ... 1000000000, found -1"),
      (["generate", "run", "--samples"], "--samples: expected 1 ... 10000, found -1"),
      (["generate", "run", "--temperature"], "--temperature: expected a number of at least 0"),
      (["generate", "run", "--top-k"], "--top-k: expected at least 1, found -1"),
      (["generate", "run", "--top-p"], "--top-p: expected more than 0 and at most 1, found -1.0"),
      (
        ["generate", "run", "--seed"],
        "Error: --seed: expected 0 ... 18446744073709551615, found '-1'."
      ),
      (["evaluate", "run", "x", "--batch-size"], "--batch-size: expected 1 ... 100000, found -1"),
      (["evaluate", "run", "x", "--dynamic"], "--dynamic: expected a learning rate above 0"),
      (["evaluate", "run", "x", "--dynamic-steps"], "--dynamic-steps: expected 1 ... 10000"),
      (["lab", "spectrum", "--sequences"], "--sequences: expected at least 1, found -1"),
      (["lab", "memory", "--layer"], "--layer: expected at least 0"),
      (["lab", "serve", "--port"], "--port: expected 0 ... 65535, found -1"),
    ] {
      try expect(arguments + ["-1"], 64, sentence)
    }
    try expect(
      ["generate", "run", "--length", "100000000000"], 64,
      "--length: expected 0 ... 1000000000, found 100000000000")
  }

  @Test("An invalid split is refused with the reason")
  func split() throws {
    let train = ["train", "text", "--split"]
    try expect(train + ["1,0,0"], 64, "--split: expected more than 0 for valid, found 1.0,0.0,0.0")
    try expect(train + ["0.5,0.6"], 64, "--split: expected fractions that sum to 1, found 0.5,0.6")
    try expect(train + ["1"], 64, "--split: expected two or three fractions")
  }

  @Test("Help says which preset is the default, and the settings are printed before training")
  func settings() throws {
    let help = try command.run(["train", "--help"]).output
    let words = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(
      words.contains(
        "(default: grammar without a text; otherwise course, with dropout and an early end)"))
    #expect(
      words.contains("the preset course, which is the default: a GRU of 400 units with dropout"))
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let run = folder + "/run"
      let small = ["--hidden-size", "8", "--embedding-size", "4", "--batch-size", "8"]
      let learnt = try command.run(
        ["train", folder + "/text", "--output", run, "--max-steps", "2"] + small)
      #expect(learnt.status == 0)
      let said = learnt.errors
      #expect(
        said.contains(
          "preset course, the default; dropout 0.1 (input), 0.5 (output); stops early after 2 epochs without gain"
        ), "\(said)")
      for setting in [
        "hidden_size 8", "learning_rate 0.002", "schedule plateau factor 0.25", "patience 2",
        "maximum_steps 2", "optimizer adam", "unit words", "seed 0", "clip_norm 5",
      ] {
        #expect(said.contains(" \(setting)"), "\(setting) in \(said)")
      }
      // The settings come before the first line about an epoch.
      let listing = try #require(said.range(of: "settings:"))
      let epoch = try #require(said.range(of: "\npart of epoch 1: "))
      #expect(listing.lowerBound < epoch.lowerBound)
      #expect(
        said.split(separator: "\n").allSatisfy {
          !$0.hasPrefix("  ") || $0.count <= 100 + folder.count
        })
      let again = try command.run(["train", "--resume", "--output", run, "--max-steps", "3"])
      #expect(again.errors.contains("preset course, as the run was started"))
      let chosen = try command.run(
        ["train", "--preset", "grammar", "--output", folder + "/chosen", "--max-steps", "1"] + small
      )
      #expect(chosen.errors.contains("preset grammar, as --preset says\n"), "\(chosen.errors)")
    }
  }

  @Test(
    "A run by lines writes every line as it was trained: from states that are zero", .tags(.slow))
  func lines() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let run = folder + "/run"
      let learnt = try command.run(
        ["train", folder + "/text", "--output", run, "--reset-each-line", "--epochs", "1"]
          + LanguageCommandTests.small + ["--time-steps", "12"])
      #expect(learnt.status == 0 && !learnt.errors.contains("longer than"), "\(learnt.errors)")
      let written = try command.run(["generate", run, "--length", "60", "--temperature", "0"])
      let lines = written.output.split(separator: "\n").dropLast()
      #expect(lines.count > 3 && Set(lines).count == 1, "\(written.output)")
      let cut = try command.run(
        ["train", folder + "/text", "--output", folder + "/cut", "--reset-each-line"]
          + LanguageCommandTests.small + ["--time-steps", "6", "--max-steps", "2"])
      #expect(
        cut.errors.contains("600 of 1500 lines are longer than 6 time steps and are cut"),
        "\(cut.errors)")
      #expect(cut.errors.contains("the longest line has 8 words, --time-steps 8 would avoid cuts"))
    }
  }

  @Test("Every command reports unknown words and files that it cannot use")
  func unknown() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let train = { (run: String, options: [String]) in
        ["train", folder + "/text", "--output", folder + "/" + run, "--max-steps", "2"]
          + LanguageCommandTests.small + options
      }
      #expect(try command.run(train("words", ["--vocabulary-size", "9"])).status == 0)
      let run = folder + "/words"
      let note = "--prompt: 2 words are not in the vocabulary: quuxed, zebra; read as <unk>"
      let prompted = try command.run([
        "generate", run, "--prompt", "the quuxed zebra", "--length", "3",
      ])
      #expect(prompted.status == 0 && prompted.errors == note + "\n", "\(prompted.errors)")
      #expect(prompted.output.hasPrefix("the quuxed zebra"))
      try "the quuxed zebra\n".write(toFile: folder + "/new.txt", atomically: true, encoding: .utf8)
      let measured = try command.run(["evaluate", run, folder + "/new.txt"])
      #expect(measured.output.contains("2, such as quuxed, zebra"), "\(measured.output)")
      #expect(measured.output.contains("nats per word"))
      #expect(try command.run(train("bytes", ["--unit", "bytes"])).status == 0)
      let bytes = try command.run(["evaluate", folder + "/bytes", folder + "/new.txt", "--json"])
      let result = try #require(
        JSONSerialization.jsonObject(with: Data(bytes.output.utf8)) as? [String: Any])
      #expect(result["unit"] as? String == "bytes")
      #expect(result["bits_per_byte"] as? Double == result["bits_per_symbol"] as? Double)
      #expect(result["bits_per_character"] == nil)
      #expect(
        try command.run(["evaluate", folder + "/bytes", folder + "/new.txt"]).output
          .contains("nats per byte"))
      try expect(
        train("none", ["--vectors", folder + "/new.txt"]), 1,
        "new.txt: line 1: expected a symbol and 8 numbers, found 2 numbers; the vectors must have --embedding-size numbers"
      )
      let text = Data([0xFF, 0xFE] + "the cat\n".utf8.flatMap { byte in [byte, UInt8(0)] })
      try text.write(to: URL(fileURLWithPath: folder + "/wide.txt"))
      for arguments in [
        ["evaluate", run, folder + "/wide.txt"],
        ["train", folder + "/wide.txt", "--output", folder + "/none"],
        ["train", "--config", folder + "/wide.txt", "--output", folder + "/none"],
        train("none", ["--vectors", folder + "/wide.txt"]),
      ] {
        try expect(
          arguments, 1, "wide.txt: expected", "found UTF-16; convert it, for example with: iconv")
        try? FileManager.default.removeItem(atPath: folder + "/none")
      }
    }
  }
}
