#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollLanguage

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Generate text with a trained model.",
    discussion: """
      The text is printed while it is generated; with --samples, when all texts are done. The same seed gives the \
      same text on any number of threads. `<unk>` is not drawn unless --allow-unknown is given.

      The options act in this order, as in Hugging Face's transformers, llama.cpp and vLLM: --temperature divides \
      the logits, --top-k keeps the likeliest symbols, and --top-p counts the probability of those that are left, \
      which sum to 1 again.

      A run with --reset-each-line begins every line with its initial states, as it did in training.

      EXAMPLES
        unroll generate run
        unroll generate run --prompt "the" --temperature 0.8 --length 200
        unroll generate run --samples 5 --top-p 0.9 --seed 7
        unroll generate run --stop "\\n"
      """)

  @Argument(help: ArgumentHelp("A run's folder, made by unroll train.", valueName: "run"))
  var folder: String
  @Option(help: ArgumentHelp("Text to continue. (default: start of a line)", valueName: "text"))
  var prompt = ""
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Number of words, characters or bytes to generate, 0 ... 1000000000.", valueName: "count"))
  var length = 100
  @Option(
    parsing: .unconditional,
    help:
      "Sampling temperature, at least 0: 0 takes the most probable symbol, 1 the model's probabilities."
  )
  var temperature = 1.0
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Draw from this number of most probable symbols, at least 1. (default: all)",
      valueName: "count"))
  var topK: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Draw from the fewest most probable symbols that together have this probability, above 0 and at most 1; of those that --top-k leaves.",
      valueName: "probability")
  )
  var topP = 1.0
  @Option(
    parsing: .unconditional,
    help: "Seed of all random numbers, 0 ... 18446744073709551615. (default: 0)",
    transform: { word in
      guard let seed = UInt64(word) else {
        throw ValidationError("expected 0 ... \(UInt64.max), found '\(word)'.")
      }
      return seed
    })
  var seed: UInt64 = 0
  @Option(
    help: ArgumentHelp(
      "End a text before this symbol, such as <eos> or \\n; for a model of bytes an ASCII character, or two hexadecimal digits such as 0a. (default: none)",
      valueName: "symbol")
  )
  var stop: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Number of texts, 1 ... 10000.", valueName: "count"))
  var samples = 1
  @Flag(help: "Draw <unk>, too.") var allowUnknown = false
  @OptionGroup var threads: ThreadOptions

  private var options: SamplingOptions {
    var options = SamplingOptions()
    options.temperature = temperature
    options.topK = topK
    options.topP = topP
    options.seed = seed
    return options
  }

  func validate() throws {
    if let problem = options.problem { throw ValidationError(CommandText.sentence(problem) + ".") }
    guard (0...1_000_000_000).contains(length) else {
      throw ValidationError("--length: expected 0 ... 1000000000, found \(length).")
    }
    guard (1...10_000).contains(samples) else {
      throw ValidationError("--samples: expected 1 ... 10000, found \(samples).")
    }
  }

  func run() throws {
    try LanguageErrors.told {
      let stored = try StoredModel(run: folder)
      try stored.configuration.checkMemory(generating: samples, path: folder)
      let vocabulary = stored.vocabulary
      let read = try stored.prompt(prompt)
      let last = try stop.map { try stopSymbol($0, vocabulary) }
      if let note = read.note { Terminal.note("--prompt: \(note)") }
      var generator = stored.generator(
        after: read, count: samples, options: options, allowsUnknown: allowUnknown)
      if samples == 1 {
        try write(&generator, vocabulary, after: read.symbols.last, until: last)
      } else {
        try writeAll(&generator, vocabulary, after: read.symbols.last, until: last)
      }
    }
  }

  private func stopSymbol(_ name: String, _ vocabulary: Vocabulary) throws -> Int32 {
    if ["\n", "\\n"].contains(name), let end = vocabulary.endOfLine { return end }
    if vocabulary.unit == .bytes {
      if name.utf8.count == 1, let byte = name.utf8.first { return Int32(byte) }
      if name.utf8.count == 2, let number = vocabulary.number(named: name.lowercased()) {
        return number
      }
      throw DataError(
        description:
          "--stop: expected one byte, as a character of ASCII or as two hexadecimal digits such as 0a, found '\(name)'"
      )
    }
    guard let number = vocabulary.number(named: name) else {
      throw DataError(
        description:
          "--stop: '\(name)' is not in the vocabulary, whose symbols are in \(folder)/vocabulary.json"
          + (vocabulary.count <= 100_000
            ? NearestName.hint(for: name, among: vocabulary.symbols) : "")
      )
    }
    return number
  }

  /// Generates one text and prints it symbol by symbol.
  private func write(
    _ generator: inout TextGenerator, _ vocabulary: Vocabulary, after prompt: Int32?,
    until last: Int32?
  ) throws {
    try Terminal.output(Array(self.prompt.utf8))
    var previous = prompt
    for _ in 0..<length {
      generator.next()
      let symbol = generator.symbols[0]
      if symbol == last { break }
      try Terminal.output(vocabulary.text(of: symbol, after: previous))
      previous = symbol
    }
    try Terminal.output([0x0A])
  }

  private func writeAll(
    _ generator: inout TextGenerator, _ vocabulary: Vocabulary, after prompt: Int32?,
    until last: Int32?
  ) throws {
    var texts = [[UInt8]](repeating: Array(self.prompt.utf8), count: samples)
    var previous = [Int32?](repeating: prompt, count: samples)
    var isOpen = [Bool](repeating: true, count: samples)
    for _ in 0..<length where isOpen.contains(true) {
      generator.next()
      for (index, symbol) in generator.symbols.enumerated() where isOpen[index] {
        isOpen[index] = symbol != last
        if isOpen[index] { texts[index] += vocabulary.text(of: symbol, after: previous[index]) }
        previous[index] = symbol
      }
    }
    for (index, text) in texts.enumerated() {
      try Terminal.output(Array("--- \(index + 1)\n".utf8) + text + [0x0A])
    }
  }
}
#endif
