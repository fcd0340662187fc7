// Files in common formats: vectors of other programs, texts in other encodings.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollLanguage
import UnrollTestSupport

@Suite("First vectors")
struct VectorTests {
  @Test("An embedding begins with the vectors of a text or a .npy file, or the file is refused")
  func files() throws {
    try withTemporaryFolder { folder in
      let text = try TrainerTests.corpus(in: folder)
      var settings = try TrainerTests.configuration { $0.corpus = text }
      settings.model.embeddingSize = 3
      let corpus = try settings.prepareCorpus(in: RunFolder(folder + "/run"))
      let count = corpus.vocabulary.count
      func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        settings.vectors = "\(folder)/\(name)"
      }
      let word = corpus.vocabulary.symbols[4]
      try write("v.txt", "2 3\n\(word) 1 -2 0.5\nnothere 1 2 3\n")
      let read = try #require(try settings.initialVectors(for: corpus.vocabulary))
      let vectors = read.vectors
      #expect(vectors.shape == [count, 3])
      #expect(read.foundCount == 1)
      #expect(read.notes == ["\(folder)/v.txt: 1 of \(count) words have vectors"])
      #expect(vectors[4, ...].elements == [1, -2, 0.5])
      #expect(vectors[5, ...].maximumMagnitude < 0.1 && vectors[5, ...].maximumMagnitude > 0)
      let array = Tensor<Float>(shape: [count, 3], elements: (0..<(3 * count)).map { Float($0) })
      try AtomicFile.write(NPY.encode(StoredArray(array)), to: folder + "/v.npy")
      settings.vectors = folder + "/v.npy"
      #expect(try settings.initialVectors(for: corpus.vocabulary)?.vectors == array)
      let trainer = try Trainer(settings, corpus, in: RunFolder(folder + "/run"), vectors: array)
      #expect(trainer.model.embedding.vectors == array)
      for (text, sentence) in [
        ("\(word) 1 2\n", "line 1: expected a symbol and 3 numbers, found 2 numbers"),
        ("\(word) 1 2 x\n", "line 1: expected a number, found 'x'"),
      ] {
        try write("wrong.txt", text)
        let error = #expect(throws: RunError.self) {
          try settings.initialVectors(for: corpus.vocabulary)
        }
        #expect(error?.description.contains(sentence) ?? false)
      }
      // Two symbols that Swift considers equal have separate vectors.
      let twins = Vocabulary(
        unit: .words, trimsLines: false, symbols: ["K", "\u{212A}", "<unk>"], counts: [3, 2, 1])
      try write("twins.txt", "\u{212A} 1 1 1\nK 2 2 2\n")
      let apart = try #require(try settings.initialVectors(for: twins)).vectors
      #expect(apart[0, ...].elements == [2, 2, 2] && apart[1, ...].elements == [1, 1, 1])
      // As in GloVe's largest files, after a byte order mark.
      try write("spaces.txt", "\u{FEFF}\(word) 1 -2 0.5\n. . . 1 2 3\nat b@c.de 4 5 6\n")
      let most = try #require(try settings.initialVectors(for: corpus.vocabulary))
      #expect(most.vectors[4, ...].elements == [1, -2, 0.5] && most.foundCount == 1)
      #expect(most.notes[0].hasSuffix("; 2 lines were skipped because their words contain spaces"))
      settings.model.embeddingSize = 4
      settings.vectors = folder + "/v.npy"
      #expect(throws: RunError.self) { try settings.initialVectors(for: corpus.vocabulary) }
    }
  }

  @Test("A file of vectors that is none, or of none of the words, is refused with the reason")
  func refusals() throws {
    try withTemporaryFolder { folder in
      let vocabulary = Vocabulary(
        unit: .words, trimsLines: false, symbols: ["a", "b", "<unk>"], counts: [3, 2, 1])
      var settings = try TrainerTests.configuration { $0.model.embeddingSize = 3 }
      settings.vectors = folder + "/v"
      let text = Array("a 1 2 3\nb 4 5 6\n".utf8)
      let cases: [([UInt8], String)] = [
        (Array("x 1 2 3\nA 1 2 3\n".utf8), "0 of 3 words have vectors, and the file has 2"),
        (Array("2 300\na 1 2 3\n".utf8), "line 1: expected a symbol and 3 numbers, found 300"),
        (Array("a 1 2 3\nb 1 2 3 4\n".utf8), "line 2: expected a symbol and 3 numbers, found 4"),
        ([0x1F, 0x8B, 8, 0] + text, "found data compressed by gzip; decompress it first"),
        ([0x50, 0x4B, 3, 4] + text, "found a ZIP archive; unpack it first"),
        (
          Array("2 3\na ".utf8) + [0, 0, 0x80, 0x3F, 1, 2, 3, 4],
          "found binary data, as word2vec and fastText write it"
        ),
        (
          [0xFF, 0xFE] + text.flatMap { byte in [byte, UInt8(0)] },
          "found UTF-16; convert it, for example with"
        ),
        ([], "0 of 3 words have vectors, and the file has 0"),
      ]
      for (bytes, sentence) in cases {
        try Data(bytes).write(to: URL(fileURLWithPath: folder + "/v"))
        let error = #expect(throws: RunError.self) { try settings.initialVectors(for: vocabulary) }
        let description = error?.description ?? ""
        #expect(description.contains(sentence) && description.hasPrefix(folder), "\(description)")
      }
    }
  }
}

@Suite("Encodings of texts")
struct EncodingTests {
  private func vocabulary(_ bytes: [UInt8], _ unit: SymbolUnit = .words) throws -> Vocabulary {
    try withTemporaryFolder { folder in
      try Data(bytes).write(to: URL(fileURLWithPath: folder + "/t.txt"))
      var reader = TextReader(TextPart(path: folder + "/t.txt"), unit: unit)
      return try Vocabulary.counting(
        &reader, limits: Vocabulary.Limits(), needsUnknown: false)
    }
  }

  @Test("UTF-16, UTF-32 and compressed texts are named, with and without a byte order mark")
  func foreign() throws {
    let text = Array("the cat\nsat on a mat\n".utf8)
    /// The text in code units of this many bytes, with its byte at one position of each.
    func spread(_ size: Int, _ place: Int) -> [UInt8] {
      text.flatMap { byte in (0..<size).map { $0 == place ? byte : UInt8(0) } }
    }
    let (little, big, wide) = (spread(2, 0), spread(2, 1), spread(4, 0))
    let cases: [([UInt8], String)] = [
      ([0xFF, 0xFE] + little, "found UTF-16; convert it"), (little, "found UTF-16LE"),
      ([0xFE, 0xFF] + big, "found UTF-16; convert it"), (big, "found UTF-16BE"),
      ([0xFF, 0xFE, 0, 0] + wide, "found UTF-32; convert it"), (wide, "found UTF-32LE"),
      (spread(4, 3), "found UTF-32BE"),
      ([0x1F, 0x8B, 8] + text, "compressed by gzip"),
      ([0x42, 0x5A, 0x68, 0x39] + text, "by bzip2"),
    ]
    for (bytes, name) in cases {
      for unit in [SymbolUnit.words, .characters] {
        let error = #expect(throws: CorpusError.self) { try vocabulary(bytes, unit) }
        #expect(error?.description.contains(name) ?? false, "\(String(describing: error))")
      }
      // With the unit bytes, any file is valid.
      #expect(try vocabulary(bytes, .bytes).count == 256)
    }
    #expect(try vocabulary([0xEF, 0xBB, 0xBF] + text).symbols.contains("the"))
    #expect(try vocabulary(Array("кот 猫 naïve\n".utf8)).count == 4)
    // A NUL byte anywhere: UTF-16 text in another script, or binary data after text.
    let long = String(repeating: "a b\n", count: 2000)
    let russian = "кот и дом\n".utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    for (bytes, line) in [
      (Array("a\0b c\n".utf8), 1), (Array("a\n\0".utf8), 2),
      (Array((long + "a \0\n").utf8), 2001), (russian, 1),
    ] {
      for unit in [SymbolUnit.words, .characters] {
        let error = #expect(throws: CorpusError.self) { try vocabulary(bytes, unit) }
        #expect(
          error?.description.contains(
            "t.txt: line \(line): expected text in UTF-8, found a NUL byte")
            ?? false, "\(String(describing: error))")
      }
      #expect(try vocabulary(bytes, .bytes).count == 256)
    }
  }

  @Test("Bytes that are not UTF-8 are told with the line of the file where the first are")
  func latin() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/t.txt"
      var bytes = Array(String(repeating: "a b c d\n", count: 100).utf8)
      bytes.replaceSubrange(160..<161, with: [0xE9])
      bytes.replaceSubrange(760..<761, with: [0xE8])
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      for unit in [SymbolUnit.words, .characters] {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(unit)", withIntermediateDirectories: true)
        let corpus = try Corpus(
          CorpusPlan(path: path, split: [0.9, 0.1]), unit: unit, folder: "\(folder)/\(unit)")
        let sentence =
          "\(path): 2 places are not UTF-8, first on line 21, read as U+FFFD; convert Latin-1 text with: iconv -f LATIN1 -t UTF-8 FILE > NEW"
        // One note for a file that is split, also if its encoded file is reused.
        #expect(corpus.notes.filter { !$0.contains("<unk>") } == [sentence], "\(corpus.notes)")
        let again = try Corpus(
          CorpusPlan(path: path, split: [0.9, 0.1]), unit: unit, folder: "\(folder)/\(unit)")
        #expect(again.notes == corpus.notes)
        let read = try Corpus.encode(file: path, with: corpus.vocabulary)
        #expect(read.notes[0].contains("2 places are not UTF-8, first on line 21"))
      }
    }
  }

  @Test("Of several files that are not UTF-8 each is named, and the advice is given once")
  func severalFiles() throws {
    try withTemporaryFolder { folder in
      let parts = ["train", "valid", "test"]
      for (index, part) in parts.enumerated() {
        let bytes = Array(repeating: Array("caf\u{E9} au lait\n".unicodeScalars), count: 3 + index)
          .joined().map { UInt8($0.value) }
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(part).txt"))
      }
      let corpus = try Corpus(
        CorpusPlan(path: folder), unit: .words, folder: folder)
      #expect(
        corpus.notes == [
          zip(parts, 3...5).map {
            "\(folder)/\($0).txt: \($1) places are not UTF-8, first on line 1"
          }.joined(separator: "; ")
            + ", read as U+FFFD; convert Latin-1 text with: iconv -f LATIN1 -t UTF-8 FILE > NEW"
        ])
    }
  }

  @Test("A split that cannot be is refused for what is wrong with it")
  func splits() {
    for (split, sentence) in [
      ([1, 0, 0], "split: expected more than 0 for valid, found 1.0,0.0,0.0; it selects"),
      ([0, 1], "split: expected more than 0 for train"),
      ([0.9, 0.2], "split: expected fractions that sum to 1, found 0.9,0.2, which sum to 1.1"),
      ([1.1, -0.1], "split: expected a fraction of 0 ... 1 for train, found 1.1"),
      ([0.5, .nan, 0.5], "split: expected a fraction of 0 ... 1 for valid, found nan"),
      ([1], "split: expected two or three fractions, for train, valid and perhaps test, found 1"),
      ([0.25, 0.25, 0.25, 0.25], "perhaps test, found 4: 0.25,"),
    ] {
      #expect(CorpusError.problem(ofSplit: split)?.contains(sentence) ?? false, "\(split)")
    }
    for split in [[0.9, 0.1], [0.9, 0.05, 0.05], [0.9, 0.1, 0]] {
      #expect(CorpusError.problem(ofSplit: split) == nil)
    }
  }
}
