// Texts with different line ends, invalid bytes, long lines, unknown symbols, splits; empty files.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollLanguage
import UnrollTestSupport

@Suite("Corpora")
struct CorpusTests {
  private func symbols(
    _ text: [UInt8], _ unit: SymbolUnit, trims: Bool = false
  ) throws -> (symbols: [TextReader.Symbol], defects: Int) {
    try withTemporaryFolder { folder in
      try Data(text).write(to: URL(fileURLWithPath: folder + "/t.txt"))
      var reader = TextReader(TextPart(path: folder + "/t.txt"), unit: unit, trimsLines: trims)
      var result: [TextReader.Symbol] = []
      try reader.forEachSymbol { result.append($0) }
      return (result, reader.defectCount)
    }
  }

  private func characters(_ text: String) -> [TextReader.Symbol] {
    text.unicodeScalars.map { .scalar($0.value) }
  }

  @Test("Words end at white space, lines at a line feed, and the last line needs none")
  func words() throws {
    let expected: [TextReader.Symbol] = [
      .word("a"), .word("b"), .endOfLine, .endOfLine, .word("c"), .endOfLine,
    ]
    for text in ["a b\n\nc\n", " a\tb \n\n c", "a b\r\n\r\nc\r\n", "\u{FEFF}a b\n\nc"] {
      #expect(try symbols(Array(text.utf8), .words).symbols == expected)
    }
    #expect(try symbols([], .words).symbols.isEmpty)
    #expect(try symbols(Array("\n".utf8), .words).symbols == [.endOfLine])
  }

  @Test("Characters are Unicode scalars; CR LF is one line feed, a lone CR stays")
  func scalars() throws {
    #expect(try symbols(Array("aé\r\n\rb👩".utf8), .characters).symbols == characters("aé\n\rb👩"))
    #expect(
      try symbols(Array("  a b  \n c\n".utf8), .characters, trims: true).symbols
        == characters("a b\nc\n"))
    // No normalisation: a combining accent remains a separate symbol.
    #expect(try symbols(Array("e\u{301}".utf8), .characters).symbols.count == 2)
  }

  @Test("Bytes that are not UTF-8 become U+FFFD and are counted")
  func defects() throws {
    let text: [UInt8] = [0x61, 0xFF, 0x62, 0xE2, 0x82, 0x20, 0xC3]
    let result = try symbols(text, .characters)
    #expect(result.symbols == characters("a\u{FFFD}b\u{FFFD} \u{FFFD}"))
    #expect(result.defects == 3)
    let words = try symbols(text, .words)
    #expect(words.symbols == [.word("a\u{FFFD}b\u{FFFD}"), .word("\u{FFFD}"), .endOfLine])
    #expect(words.defects == 2)
    #expect(try symbols(text, .bytes).symbols.count == 7)
  }

  @Test("A line of 50 MB is read like any other")
  func longLine() throws {
    try withTemporaryFolder { folder in
      let word = Array("abcd ".utf8)
      var text: [UInt8] = []
      text.reserveCapacity(50_000_000)
      for _ in 0..<10_000_000 { text += word }
      try Data(text).write(to: URL(fileURLWithPath: folder + "/t.txt"))
      var reader = TextReader(TextPart(path: folder + "/t.txt"), unit: .words)
      var (count, ends) = (0, 0)
      try reader.forEachSymbol { if $0 == .endOfLine { ends += 1 } else { count += 1 } }
      #expect((count, ends) == (10_000_000, 1))
    }
    // A word must not be split.
    #expect(throws: CorpusError.self) {
      try symbols([UInt8](repeating: 0x61, count: TextReader.wordLimit + 1), .words)
    }
  }

  private func corpus(
    _ folder: String, _ texts: [String: String], unit: SymbolUnit = .words,
    _ limits: Vocabulary.Limits = Vocabulary.Limits()
  ) throws -> Corpus {
    for (name, text) in texts {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }
    return try Corpus(
      CorpusPlan(path: folder), unit: unit, limits: limits, folder: folder)
  }

  private func numbers(_ text: EncodedText?) -> [Int32] {
    guard let text else { return [] }
    return (0..<text.count).map { text[$0] }
  }

  @Test("Symbols are numbered by frequency, then by their bytes")
  func order() throws {
    try withTemporaryFolder { folder in
      let corpus = try corpus(
        folder, ["x.train.txt": "b a b c\nb <unk> a", "x.valid.txt": "d a\n"])
      #expect(corpus.vocabulary.symbols == ["b", "<eos>", "a", "<unk>", "c"])
      #expect(corpus.vocabulary.counts == [3, 2, 2, 1, 1])
      #expect(numbers(corpus.texts[.train]) == [0, 2, 0, 4, 1, 0, 3, 2, 1])
      #expect(numbers(corpus.texts[.valid]) == [3, 2, 1])
      #expect(
        corpus.notes.count == 1 && corpus.notes[0].hasSuffix("(valid): 1 of 3 words became <unk>"))
    }
  }

  @Test("Symbols that Swift holds for equal are different symbols, in one order")
  func canonicalEquivalence() throws {
    try withTemporaryFolder { folder in
      // K and the Kelvin sign; an accented letter as one scalar and as two.
      let text = "K \u{212A} \u{E9} e\u{301} K \u{212A}\n"
      for unit in [SymbolUnit.words, .characters] {
        let corpus = try corpus(folder, ["train.txt": text, "valid.txt": text], unit: unit)
        let symbols = corpus.vocabulary.symbols.map { Array($0.utf8) }
        #expect(Set(symbols).count == symbols.count)
        #expect(symbols.contains(Array("K".utf8)) && symbols.contains(Array("\u{212A}".utf8)))
        try AtomicFile.write(corpus.vocabulary.encoded(), to: folder + "/v.json")
        let read = try Vocabulary(contentsOf: folder + "/v.json")
        #expect(read.symbols.map { Array($0.utf8) } == symbols)
        #expect(try read.encode("K \u{212A}") == corpus.vocabulary.encode("K \u{212A}"))
        for (number, symbol) in corpus.vocabulary.symbols.enumerated() {
          #expect(read.number(named: symbol) == Int32(number))
        }
      }
    }
  }

  @Test("A prompt has the symbols of a file with its bytes")
  func prompts() throws {
    try withTemporaryFolder { folder in
      // Two-byte line ends, a single carriage return, and a space with a combining accent.
      let text = "a\r\nb \u{301}c\rd\ta\r\n"
      for unit in SymbolUnit.allCases {
        let corpus = try corpus(folder, ["train.txt": text, "valid.txt": text], unit: unit)
        #expect(try corpus.vocabulary.encode(text) == numbers(corpus.texts[.train]), "\(unit)")
      }
    }
  }

  @Test("A smaller vocabulary leaves the rare out; <unk> and <eos> stay")
  func limits() throws {
    try withTemporaryFolder { folder in
      let texts = ["train.txt": "a a a b b c\n", "valid.txt": "a b\n"]
      let three = try corpus(folder, texts, Vocabulary.Limits(size: 3))
      #expect(three.vocabulary.symbols == ["a", "<eos>", "<unk>"])
      #expect(numbers(three.texts[.train]) == [0, 0, 0, 2, 2, 2, 1])
      let frequent = try corpus(folder, texts, Vocabulary.Limits(minimumCount: 2))
      #expect(frequent.vocabulary.symbols == ["a", "b", "<eos>", "<unk>"])
      let all = try corpus(folder, texts, Vocabulary.Limits(size: 4))
      #expect(all.vocabulary.symbols == ["a", "b", "<eos>", "c"])
    }
  }

  @Test("A character that training lacks becomes <unk>, which then is a symbol")
  func unseenCharacter() throws {
    try withTemporaryFolder { folder in
      let corpus = try corpus(
        folder, ["train.txt": "abab\n", "valid.txt": "abz\n"], unit: .characters)
      #expect(corpus.vocabulary.symbols.contains("<unk>"))
      let text = try corpus.vocabulary.encode("ab")
      #expect(text.count == 2)
    }
  }

  @Test("An empty part, a missing part and a missing file each get their sentence")
  func missing() throws {
    try withTemporaryFolder { folder in
      #expect(
        throws: CorpusError(.missingPart("train", found: []), path: folder)
      ) { try CorpusPlan(path: folder) }
      try Data("a b\n".utf8).write(to: URL(fileURLWithPath: folder + "/train.txt"))
      let problem = #expect(throws: CorpusError.self) { try CorpusPlan(path: folder) }
      #expect(problem?.description.contains("expected a text for valid") ?? false)
      try Data().write(to: URL(fileURLWithPath: folder + "/valid.txt"))
      let empty = #expect(throws: CorpusError.self) {
        try Corpus(CorpusPlan(path: folder), unit: .words, folder: folder)
      }
      #expect(empty?.description.contains("expected at least 2 words, found 0") ?? false)
      #expect(throws: CorpusError(.system("no such file or folder"), path: folder + "/no")) {
        try CorpusPlan(path: folder + "/no")
      }
    }
  }

  @Test("Of several files for a part the one with the plainest name is taken; of two such, none")
  func several() throws {
    try withTemporaryFolder { folder in
      func write(_ name: String) throws {
        try Data("a b\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
      }
      for part in ["train", "valid", "test"] {
        try write("ptb.char.\(part).txt")
        try write("ptb.\(part).txt")
      }
      for other in ["train.csv", "._ptb.train.txt", ".train.txt"] { try write(other) }
      let plan = try CorpusPlan(path: folder)
      for part in CorpusPart.allCases {
        #expect(plan.parts[part]?.path == "\(folder)/ptb.\(part.rawValue).txt")
      }
      try write("wiki.train.tokens")
      let problem = #expect(throws: CorpusError.self) { try CorpusPlan(path: folder) }
      #expect(
        problem?.description
          == "\(folder): expected one text for train, found ptb.train.txt, wiki.train.tokens; use a folder with only one of them"
      )
    }
  }

  @Test("One file is cut in file order, at line ends, into parts that together are the file")
  func split() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/all.txt"
      let lines = (0..<100).map { "line \($0)\n" }.joined()
      try Data(lines.utf8).write(to: URL(fileURLWithPath: path))
      let plan = try CorpusPlan(path: path, split: [0.8, 0.1, 0.1])
      let ranges = CorpusPart.allCases.compactMap { plan.parts[$0]?.range }
      #expect(ranges[0].lowerBound == 0 && ranges[2].upperBound == lines.utf8.count)
      #expect(ranges[0].upperBound == ranges[1].lowerBound)
      #expect(ranges[1].upperBound == ranges[2].lowerBound)
      #expect(Array(lines.utf8)[ranges[1].lowerBound - 1] == 0x0A)
      for wrong in [[0.5], [0.5, 0.6], [1, 0], [-0.5, 1.5], [.nan, 1]] as [[Double]] {
        #expect(throws: CorpusError.self) { try CorpusPlan(path: path, split: wrong) }
      }
    }
  }

  @Test("Encoded texts are used again while text and vocabulary are the same, and only then")
  func again() throws {
    try withTemporaryFolder { folder in
      let texts = ["train.txt": "a b a\n", "valid.txt": "b\n"]
      _ = try corpus(folder, texts)
      let path = folder + "/train.symbols"
      let before = try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int
      _ = try Corpus(CorpusPlan(path: folder), unit: .words, folder: folder)
      let after = try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int
      #expect(before == after)
      let changed = try corpus(folder, ["train.txt": "a b a c c\n"])
      #expect(numbers(changed.texts[.train]).count == 6)
      // A damaged encoded file is rewritten.
      try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path))
      let mended = try Corpus(CorpusPlan(path: folder), unit: .words, folder: folder)
      #expect(numbers(mended.texts[.train]).count == 6)
    }
  }

  @Test("Batches read every target of a row once, in order, and lines one by one")
  func batches() {
    let text = EncodedText((0..<23).map { Int32($0) })
    let rows = BatchSource(text, batchSize: 3, timeSteps: 3)
    var batch = LanguageBatch(timeStepCount: 0, batchSize: 0, inputs: [], targets: [])
    var (position, seen) = (0, [Int32]())
    while let next = rows.fill(&batch, at: position, step: 0) {
      for (input, target) in zip(batch.inputs, batch.targets) { #expect(target == input + 1) }
      seen += batch.targets
      position = next
    }
    #expect(seen.sorted() == (1...21).map { Int32($0) })
    let all = BatchSource(text, batchSize: 3, timeSteps: 3, isComplete: true)
    (position, seen) = (0, [])
    while let next = all.fill(&batch, at: position, step: 0) {
      seen += batch.targets.filter { $0 >= 0 }
      position = next
    }
    #expect(seen.sorted() == (1...22).map { Int32($0) })
    // 0 ends lines: 5 0 6 7 0 8 0 9 9 9 9 0
    let lines = BatchSource(
      EncodedText([5, 0, 6, 7, 0, 8, 0, 9, 9, 9, 9, 0]), batchSize: 2, timeSteps: 3, lineEnd: 0)
    var read: [[Int32]] = []
    position = 0
    while let next = lines.fill(&batch, at: position, step: 0) {
      for row in 0..<2 {
        read.append(
          (0..<batch.timeStepCount).map { batch.targets[$0 * 2 + row] }.filter { $0 >= 0 })
      }
      position = next
    }
    #expect(read == [[0], [6, 7, 0], [8, 0], [9, 9, 9], [9, 0], []])
  }
}
