// The contents of the files in a run's folder.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollLanguage
import UnrollTestSupport

@Suite("Run folders")
struct RunFolderTests {
  private func write(_ text: String, _ path: String) throws {
    let url = URL(fileURLWithPath: path)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  @Test("Lines that are cut because they are longer than the time steps are counted")
  func longLines() throws {
    try withTemporaryFolder { folder in
      let lines = (0..<60).map { String(repeating: "ab ", count: 1 + $0 % 10) + "\n" }
      try write(lines.joined(), folder + "/t.txt")
      func notes(_ steps: Int, _ resets: Bool) throws -> [String] {
        var settings = try TrainerTests.configuration {
          ($0.corpus, $0.split) = (folder + "/t.txt", [0.9, 0.1])
          ($0.training.timeSteps, $0.training.resetsEachLine) = (steps, resets)
          ($0.training.batchSize, $0.training.isJittered) = (4, false)
        }
        return try settings.prepareCorpus(in: RunFolder("\(folder)/run-\(steps)-\(resets)")).notes
      }
      // A line of n words has n + 1 symbols; 54 or 55 lines are for training, so 50 of whole tens.
      let note = try #require(try notes(8, true).first)
      #expect(note.contains("lines are longer than 8 time steps and are cut"), "\(note)")
      #expect(note.contains("the longest line has 11 words, time_steps 11 would avoid cuts"))
      let counted = try #require(note.split(separator: " ").first.flatMap { Int($0) })
      #expect((15...18).contains(counted))
      #expect(try notes(11, true).isEmpty && notes(8, false).isEmpty)
    }
  }

  @Test("Files and pictures name what a model's symbols are", arguments: SymbolUnit.allCases)
  func units(unit: SymbolUnit) throws {
    let name = ["perplexity", "bits_per_character", "bits_per_byte"][
      try #require(SymbolUnit.allCases.firstIndex(of: unit))]
    try withTemporaryFolder { folder in
      let text = try TrainerTests.corpus(in: folder, lines: 60)
      let settings = try TrainerTests.configuration {
        ($0.corpus, $0.unit) = (text, unit)
        ($0.training.epochs, $0.training.maximumSteps) = (1, 3)
      }
      let trainer = try TrainerTests.trainer(settings, folder + "/run")
      _ = try trainer.run()
      let metrics = try String(contentsOfFile: folder + "/run/metrics.jsonl", encoding: .utf8)
      let events = try AtomicFile.read(folder + "/run/events.out.tfevents.0.unroll")
      for part in ["train_", "validation_"] {
        #expect(metrics.contains("\"\(part)\(name)\":"), "\(metrics)")
        #expect(events.firstRange(of: Array((part + name).utf8)) != nil)
      }
      #expect(unit == .characters || !metrics.contains("character"))
      let found = try #require(LearningCurves.figure(run: folder + "/run"))
      #expect(found.figure.script.contains("nats per \(unit.singular)"))
      // An old byte run with metrics named for characters; its curves can still be drawn.
      try write(
        metrics.replacingOccurrences(of: "per_byte", with: "per_character"),
        folder + "/run/metrics.jsonl")
      #expect(LearningCurves.figure(run: folder + "/run")?.epochs == 1)
    }
  }

  @Test("A model with numbers that are not finite is refused, unless it is only looked at")
  func notFinite() throws {
    try withTemporaryFolder { folder in
      let text = try TrainerTests.corpus(in: folder, lines: 60)
      let settings = try TrainerTests.configuration {
        $0.corpus = text
        $0.training.maximumSteps = 2
      }
      let run = folder + "/run"
      let trainer = try TrainerTests.trainer(settings, run)
      _ = try trainer.run()
      let stored = try StoredModel(run: run)
      for bad in [Float.nan, .infinity, -.infinity] {
        var model = stored.model
        var bias = model["softmax.bias"].elements
        bias[2] = bad
        model["softmax.bias"] = Tensor(shape: [bias.count], elements: bias)
        try RunFolder(run).write(model, metadata: [:])
        let error = #expect(throws: RunError.self) { try StoredModel(run: run) }
        #expect(error?.problem == .notFinite("softmax.bias", count: 1))
        #expect(
          error?.description.contains("found 1 infinite or NaN in 'softmax.bias'") ?? false)
        #expect(
          try StoredModel(run: run, allowsNonFinite: true).model.softmax.bias[2].isFinite == false)
      }
      // The same for layers trained by another program.
      var network = RecurrentNetwork<Float>(
        levels: LanguageModel<Float>(stored.configuration.model).layers.map { [$0] })
      #expect(try stored.configuration.initialLayers(of: network).count == 2)
      var layer = network.levels[1][0]
      layer.cell.parameters.inputWeights = layer.cell.parameters.inputWeights.map { _ in .nan }
      network = RecurrentNetwork(levels: [network.levels[0], [layer]])
      #expect(throws: RunError.self) { try stored.configuration.initialLayers(of: network) }
    }
  }

  @Test("A prompt is read as a text was, and what is not in the vocabulary is named")
  func prompts() throws {
    try withTemporaryFolder { folder in
      func stored(_ unit: SymbolUnit, _ name: String, lines: String, resets: Bool = false) throws
        -> StoredModel
      {
        for part in ["train", "valid"] { try write(lines, "\(folder)/\(name)/\(part).txt") }
        let settings = try TrainerTests.configuration {
          ($0.corpus, $0.unit) = ("\(folder)/\(name)", unit)
          ($0.training.maximumSteps, $0.training.batchSize) = (1, 2)
          ($0.training.isJittered, $0.training.resetsEachLine) = (false, resets)
          if unit == .words { $0.minimumCount = 2 }
        }
        _ = try TrainerTests.trainer(settings, "\(folder)/\(name)-run").run()
        return try StoredModel(run: "\(folder)/\(name)-run")
      }
      let line = "the cat sat on a mat\n"
      let words = try stored(
        .words, "words", lines: String(repeating: line, count: 30) + "once\n", resets: true)
      let end = try #require(words.vocabulary.endOfLine)
      #expect(words.resettingSymbol == end)
      let prompt = try words.prompt("the quuxed cat zebra quuxed")
      #expect(prompt.symbols.count == 6 && prompt.symbols[0] == end)
      #expect(prompt.unknown == ["quuxed", "zebra"])
      #expect(
        prompt.note == "2 words are not in the vocabulary: quuxed, zebra; read as <unk>")
      #expect(try words.prompt("the cat").note == nil)
      #expect(try words.prompt("").symbols == [end])
      let letters = try stored(
        .characters, "letters", lines: String(repeating: line, count: 30))
      #expect(letters.resettingSymbol == nil)
      #expect(letters.vocabulary.unknown == nil)
      let error = #expect(throws: CorpusError.self) { try letters.prompt("cäté\u{7}") }
      #expect(
        error?.description
          == "prompt: 3 characters are not in the vocabulary: 'ä', 'é', U+0007; it has no <unk>"
      )
      #expect(try letters.prompt("cat").symbols.count == 3)
      let bytes = try stored(.bytes, "bytes", lines: String(repeating: line, count: 30))
      #expect(try bytes.prompt("cäté").note == nil)
    }
  }
}

@Suite("Settings in a file")
struct SettingsFileTests {
  @Test("A field that is not known is named with the nearest one, and so is a wrong value")
  func fields() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/config.json"
      let settings = try TrainerTests.configuration()
      let whole = String(decoding: try settings.encoded(), as: UTF8.self)
      func sentence(_ old: String, _ new: String) throws -> String {
        #expect(whole.contains(old))
        try Data(whole.replacingOccurrences(of: old, with: new).utf8)
          .write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: RunError.self) { try RunConfiguration(contentsOf: path) }
        return error?.description.replacingOccurrences(of: path + ": ", with: "") ?? ""
      }
      for (old, new, expected) in [
        (
          "\"learning_rate\"", "\"learning_rat\"",
          "'training.learning_rat' is not a setting; did you mean 'learning_rate'?"
        ),
        (
          "\"hidden_size\"", "\"hiden-size\"",
          "'model.hiden-size' is not a setting; did you mean 'hidden_size'?"
        ),
        (
          "\"input\"", "\"inputs\"",
          "'model.dropout.inputs' is not a setting; did you mean 'input'?"
        ),
        (
          "\"factor\"", "\"factr\"",
          "'training.schedule.decay.factr' is not a setting; did you mean 'factor'?"
        ),
        ("\"decay\"", "\"step\"", "'training.schedule.step' is not a setting"),
        ("\"activation\"", "\"q\"", "'training.penalties.q' is not a setting"),
        (
          "\"forget_bias\"", "\"forgetbias\"",
          "'training.initialization.forgetbias' is not a setting; did you mean 'forget_bias'?"
        ),
        ("\"unit\"", "\"units\"", "'units' is not a setting; did you mean 'unit'?"),
        (
          "\"gru-after\"", "\"gruafter\"",
          "'model.cell': expected one of rnn, gru, gru-after, lstm, mgu, janet, found 'gruafter'; did you mean 'gru-after'?"
        ),
        (
          "\"adam\"", "\"Adm\"",
          "'training.optimizer': expected one of sgd, momentum, rmsprop, adam, nt-asgd, found 'Adm'; did you mean 'adam'?"
        ),
        (
          "\"layers\" : 2", "\"layers\" : 2.5",
          "'model.layers': expected a whole number of 1 ... 1000, found 2.5"
        ),
        (
          "\"layers\" : 2", "\"layers\" : \"2\"",
          "'model.layers': expected a whole number of 1 ... 1000, found '2'"
        ),
        ("\"layers\" : 2", "\"layers\" : 0", "layers: expected 1 ... 1000, found 0"),
        (
          "\"jittered\" : true", "\"jittered\" : 1",
          "'training.jittered': expected true or false, found 1"
        ),
        (
          "\"learning_rate\" : 0.004", "\"learning_rate\" : -1",
          "learning_rate: expected a number of at least 0, found -1.0"
        ),
      ] {
        let found = try sentence(old, new)
        #expect(found.hasPrefix(expected), "\(found)")
      }
      #expect(try sentence(whole, "[1]") == "expected an object of settings, found a list")
      // A byte order mark is not a defect; UTF-16 is reported.
      try Data([0xEF, 0xBB, 0xBF] + Array(whole.utf8)).write(to: URL(fileURLWithPath: path))
      #expect(try RunConfiguration(contentsOf: path) == settings)
      try Data([0xFF, 0xFE] + whole.utf8.flatMap { byte in [byte, UInt8(0)] }).write(
        to: URL(fileURLWithPath: path))
      let error = #expect(throws: RunError.self) { try RunConfiguration(contentsOf: path) }
      #expect(error?.description.contains("found UTF-16") ?? false)
    }
  }

  @Test("A listing of settings holds every field of the file")
  func listing() throws {
    let settings = try TrainerTests.configuration { $0.vocabularyLimit = 77 }
    let names = settings.listing.flatMap { group in
      group.settings.map { "\(group.title).\($0.name)" }
    }
    for name in [
      "run.vocabulary_limit", "run.split", "run.preset", "model.cell", "dropout.weights",
      "training.patience", "training.schedule", "penalties.activation",
      "initialization.forget_bias",
    ] { #expect(names.contains(name), "\(name)") }
    let values = Dictionary(
      settings.listing.flatMap { $0.settings.map { ($0.name, $0.value) } },
      uniquingKeysWith: { first, _ in first })
    #expect(values["vocabulary_limit"] == "77" && values["patience"] == "none")
    #expect(values["schedule"] == "decay afterEpoch 3, factor 0.5" && values["jittered"] == "yes")
    let file = String(decoding: try settings.encoded(), as: UTF8.self)
    for name in names.compactMap({ $0.split(separator: ".").last })
    where values[String(name)] != "none" {
      #expect(file.contains("\"\(name)\""), "\(name)")
    }
  }

  @Test("The nearest name is the one that was meant, and no name is near to another word")
  func nearest() {
    let cells = CellKind.allCases.map(\.rawValue)
    for (typed, meant) in [
      ("gruu", "gru"), ("LSTM", "lstm"), ("gru_after", "gru-after"), ("lsmt", "lstm"),
      ("gr", "gru"),
    ] {
      #expect(NearestName.nearest(to: typed, among: cells) == meant)
    }
    let presets = Preset.all.map(\.name)
    for (typed, meant) in [
      ("corse", "course"), ("zaremba", "zaremba-small"), ("tied200", "tied-200"),
    ] {
      #expect(NearestName.nearest(to: typed, among: presets) == meant)
    }
    for typed in ["transformer", "", "x", String(repeating: "gru", count: 999)] {
      #expect(NearestName.nearest(to: typed, among: cells + presets) == nil)
    }
  }

  @Test("No sentence of the library speaks of the command's options")
  func sentences() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Sources/UnrollLanguage").path
    let files = try #require(FileManager.default.enumerator(atPath: folder))
    for case let name as String in files where name.hasSuffix(".swift") {
      let text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
      for line in text.split(separator: "\n") where line.contains("\"") && !line.contains("///") {
        #expect(!line.contains(/--[a-z]/), "\(name): \(line)")
      }
    }
  }
}
