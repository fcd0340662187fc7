// A run removes and overwrites only its own files, whatever the names of other files.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollLanguage
import UnrollTestSupport

@Suite("Files of a run")
struct RunFilesTests {
  private func write(_ text: String, _ path: String) throws {
    let url = URL(fileURLWithPath: path)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  private func read(_ path: String) throws -> String {
    try String(contentsOfFile: path, encoding: .utf8)
  }

  /// The mark of a killed process in the lock file.
  private let mark = "0123456789abcdef"

  @Test("Only what a killed process itself had not finished is removed, by the mark in the lock")
  func unfinished() throws {
    try withTemporaryFolder { folder in
      let own = [
        "config.json", "vocabulary.json", "model.safetensors", "checkpoints.json",
        "checkpoints/000000000012.safetensors", "checkpoints/000000000012-2.safetensors",
        "checkpoints/epoch-start.safetensors", "corpus/train.symbols", "corpus/test.symbols.json",
        "corpus/grammar/valid.txt", "figures/curves.svg", "data/curves.csv",
      ].map { "\($0).part-\(mark)" }
      let others = [
        // User files with names similar to those of a run.
        "config.json.part-1", "corpus/train.symbols.part-2", "vocabulary.json.part-17",
        "model.safetensors.part-99999", "checkpoints/000000000012.safetensors.part-3",
        "figures/curves.svg.part-2", "corpus/grammar/valid.txt.part-4",
        // An unknown mark, a mark with a suffix, or a name that no run uses.
        "config.json.part-fedcba9876543210", "config.json.part-\(mark).bak", "config.json.part-",
        "thesis.part-\(mark)", "checkpoints/12.safetensors.part-\(mark)",
        "corpus/config.json.part-\(mark)", "other/config.json.part-\(mark)",
      ]
      for name in own + others { try write("mine", "\(folder)/run/\(name)") }
      try write("mine", "\(folder)/run/data/curves.csv.part-0000000000000000/inside")
      // A link with such a name belongs to the user, and so does its target.
      try FileManager.default.createSymbolicLink(
        atPath: "\(folder)/run/figures/curves.png.part-\(mark)",
        withDestinationPath: folder + "/run/config.json.part-1")
      try write("mine", "\(folder)/away/train.symbols.part-\(mark)")
      try write("0000000000000000\n\(mark)\n", folder + "/run/lock")
      let run = RunFolder(folder + "/run")
      withExtendedLifetime(try run.lock()) {
        #expect((try? read(run.path + "/lock")) == AtomicFile.unfinishedMark + "\n")
      }
      // A process that exits cleanly leaves no mark.
      #expect(try read(run.path + "/lock") == "")
      for name in own { #expect(!exists("\(folder)/run/\(name)"), "\(name)") }
      for name in others + [
        "figures/curves.png.part-\(mark)", "data/curves.csv.part-0000000000000000/inside",
      ] {
        #expect(exists("\(folder)/run/\(name)"), "\(name)")
      }
      try FileManager.default.removeItem(atPath: folder + "/run/corpus")
      try FileManager.default.createSymbolicLink(
        atPath: folder + "/run/corpus", withDestinationPath: folder + "/away")
      try write(mark + "\n", folder + "/run/lock")
      withExtendedLifetime(try run.lock()) {}
      #expect(exists("\(folder)/away/train.symbols.part-\(mark)"))
    }
  }

  @Test("An unfinished file has the mark of its process, which no other process has")
  func marks() throws {
    let mark = AtomicFile.unfinishedMark
    #expect(mark.wholeMatch(of: /[0-9a-f]{16}/) != nil)
    #expect(AtomicFile.unfinished("a/config.json") == "a/config.json.part-\(mark)")
    try withTemporaryFolder { folder in
      // A file that cannot be moved into place is removed; the file next to it is kept.
      try write("mine", folder + "/file.part-1")
      try FileManager.default.createDirectory(
        atPath: folder + "/file", withIntermediateDirectories: true)
      #expect(throws: ArrayFileError.self) { try AtomicFile.write([1], to: folder + "/file") }
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [
          "file", "file.part-1",
        ])
    }
  }

  @Test("A lock that holds something else is somebody's file: the run does not begin, and it stays")
  func foreignLock() throws {
    try withTemporaryFolder { folder in
      for text in ["mine", "0123456789abcde", "0123456789ABCDEF\n", "\(mark)\nmine\n"] {
        try write(text, folder + "/lock")
        let error = #expect(throws: RunError.self) { try RunFolder(folder).lock() }
        #expect(
          error?.description
            == "\(folder)/lock: expected the lock of a run, found something else; move it out of the folder"
        )
        #expect(try read(folder + "/lock") == text)
      }
    }
  }

  @Test("A folder with anything that a run cannot have left is refused, and nothing in it changes")
  func foreign() throws {
    let names = [
      "thesis.part-1.txt", "corpus/text.txt", "corpus/text.part-1.txt", "corpus/grammar/poem.txt",
      "lock", "checkpoints/000000000012.safetensors", "metrics.jsonl", ".hidden",
      "config.json.part-1", "corpus/train.symbols.part-2", "checkpoints.json",
    ]
    // Without a lock there was no run, so even files with names of a run belong to the user.
    let likeOwn = ["corpus/train.symbols", "corpus/grammar/train.txt", "vocabulary.json"]
    for (name, hasLock) in names.map({ ($0, true) }) + (names + likeOwn).map({ ($0, false) }) {
      try withTemporaryFolder { folder in
        if hasLock { try write(mark + "\n", folder + "/lock") }
        try write("mine", "\(folder)/\(name)")
        let error = #expect(throws: RunError.self) { try RunFolder(folder).prepare() }
        let found =
          name.hasPrefix("checkpoints/")
          ? "checkpoints" : name.hasPrefix("corpus/grammar/") && !hasLock ? "corpus/grammar" : name
        #expect(error?.problem == .foreignFolder(found: found), "\(name)")
        #expect(try read("\(folder)/\(name)") == "mine")
      }
    }
    try withTemporaryFolder { folder in
      try write("mine", folder + "/file")
      #expect(throws: RunError(.foreignFolder(found: "a file"), path: folder + "/file")) {
        try RunFolder(folder + "/file").prepare()
      }
      try FileManager.default.createSymbolicLink(
        atPath: folder + "/link", withDestinationPath: folder)
      #expect(throws: RunError(.foreignFolder(found: "file"), path: folder + "/link")) {
        try RunFolder(folder + "/link").prepare()
      }
      #expect(throws: RunError.self) { try RunFolder("/").prepare() }
    }
  }

  @Test("What a run leaves that was stopped before it had begun may be begun again")
  func early() throws {
    try withTemporaryFolder { folder in
      let text = try TrainerTests.corpus(in: folder)
      var settings = try TrainerTests.configuration { $0.corpus = text }
      let run = RunFolder(folder + "/run")
      try run.prepare()
      // Killed before the lock was created.
      try run.prepare()
      withExtendedLifetime(try run.lock()) {}
      let corpus = try settings.prepareCorpus(in: run)
      try AtomicFile.write(corpus.vocabulary.encoded(), to: run.path + "/vocabulary.json")
      try run.prepare()
      // Killed while writing files.
      try write(mark + "\n", run.path + "/lock")
      try write("", "\(run.path)/config.json.part-\(mark)")
      try write("", "\(run.path)/corpus/train.symbols.part-\(mark)")
      try run.prepare()
      withExtendedLifetime(try run.lock()) {}
      #expect(!exists("\(run.path)/corpus/train.symbols.part-\(mark)"))
      try run.prepare()
      // A text must not be overwritten by its encoding.
      settings.corpus = run.corpusFolder + "/train.symbols"
      let path = run.corpusFolder + "/train.symbols"
      #expect(throws: CorpusError(.overwritten, path: path)) {
        try settings.prepareCorpus(in: run)
      }
    }
  }

  @Test("Checkpoints that the run has not written neither serve nor go, even with a step's number")
  func copies() throws {
    try withTemporaryFolder { folder in
      let text = try TrainerTests.corpus(in: folder)
      let settings = try TrainerTests.configuration { $0.corpus = text }
      let path = folder + "/run"
      let trainer = try TrainerTests.trainer(settings, path)
      _ = try trainer.run(shouldStop: { trainer.progress.step >= 5 })
      let checkpoints = path + "/checkpoints/"
      // The last three: named like an earlier step, a later step, and a step that is never reached.
      let names = [
        "backup.safetensors", "000000000099.sync-conflict.safetensors",
        "000000000002.safetensors", "000000000009.safetensors", "000000009999.safetensors",
      ]
      let own = checkpoints + "000000000005.safetensors"
      for name in names {
        try FileManager.default.copyItem(atPath: own, toPath: checkpoints + name)
      }
      let bytes = try Data(contentsOf: URL(fileURLWithPath: own))
      _ = try trainer.run(shouldStop: { trainer.progress.step >= 9 })
      let other = try TrainerTests.trainer(settings, path, resumes: true)
      #expect(other.progress.step == 9)
      for name in names {
        #expect(try Data(contentsOf: URL(fileURLWithPath: checkpoints + name)) == bytes, "\(name)")
      }
      #expect(exists(checkpoints + "000000000009-2.safetensors"))
      // Two of the run's checkpoints remain, however long it runs.
      for step in 10...14 {
        _ = try other.run(shouldStop: { other.progress.step >= step })
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: path + "/checkpoints")
      #expect(
        left.sorted()
          == (names + [
            "000000000013.safetensors", "000000000014.safetensors", "epoch-start.safetensors",
          ]).sorted())
      #expect(
        try read(path + "/checkpoints.json")
          == "[\"000000000013.safetensors\",\"000000000014.safetensors\"]")
    }
  }

  @Test(
    "A run without a record of its checkpoints goes on, and removes none that it has not written")
  func withoutRecord() throws {
    try withTemporaryFolder { folder in
      let text = try TrainerTests.corpus(in: folder)
      let settings = try TrainerTests.configuration { $0.corpus = text }
      let path = folder + "/run"
      let trainer = try TrainerTests.trainer(settings, path)
      _ = try trainer.run(shouldStop: { trainer.progress.step >= 3 })
      for step in 4...5 { _ = try trainer.run(shouldStop: { trainer.progress.step >= step }) }
      for damage in ["", "[1]", "{"] {
        if damage.isEmpty {
          try FileManager.default.removeItem(atPath: path + "/checkpoints.json")
        } else {
          try write(damage, path + "/checkpoints.json")
        }
        let other = try TrainerTests.trainer(settings, path, resumes: true)
        #expect(other.progress.step == 5)
      }
      let other = try TrainerTests.trainer(settings, path, resumes: true)
      for step in 6...8 { _ = try other.run(shouldStop: { other.progress.step >= step }) }
      let names = try CheckpointFile.paths(path).map { String($0.suffix(14)) }
      #expect(
        names == ["08.safetensors", "07.safetensors", "05.safetensors", "04.safetensors"])
    }
  }
}
