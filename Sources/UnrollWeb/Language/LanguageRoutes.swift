// The page's routes about a language model: what it is, text that streams in, the curves of its run.

internal import Foundation
internal import Synchronization
internal import Unroll
internal import UnrollFigures
internal import UnrollFormats
internal import UnrollLanguage

/// A language model that the page lets write.
package struct LanguageRoutes: Sendable {
  package let workers: FigureWorkers
  /// The run's folder; nil if none was given.
  package let run: String?
  private let model = KeptModel()
  private let streams = Streams()

  package init(workers: FigureWorkers, run: String?) { (self.workers, self.run) = (workers, run) }
}

/// How many texts are being written.
private final class Streams: Sendable {
  static let limit = 4
  private let count = Mutex(0)

  /// Whether one more may be.
  func begin() -> Bool {
    count.withLock { count in
      guard count < Self.limit else { return false }
      count += 1
      return true
    }
  }

  func end() { count.withLock { $0 -= 1 } }
}

/// The model of a run, read again when its file has changed.
private final class KeptModel: Sendable {
  private let kept = KeptValue<Date, StoredModel>()

  func model(of run: String) throws -> StoredModel {
    let attributes = try? FileManager.default.attributesOfItem(atPath: run + "/model.safetensors")
    let stamp = attributes?[.modificationDate] as? Date ?? .distantPast
    do { return try kept.value(at: stamp) { try StoredModel(run: run) } } catch {
      // The error names files, which are the business of who started the server alone.
      report(error)
      if let error = error as? RunError, case .notFinite(let name, let count) = error.problem {
        throw WebError(
          status: 503,
          sentence:
            "model: expected finite numbers, found \(count) infinite or NaN in '\(name)'; such a model predicts nothing"
        )
      }
      throw WebError(
        status: 503,
        sentence:
          "model: expected a model in the run, found none that can be read; it comes with the first validation"
      )
    }
  }
}

extension LanguageRoutes {
  /// What the page needs to know of the model.
  private struct Description: Encodable, Sendable {
    struct Layer: Encodable, Sendable {
      var units: Int
      var gates: [String]
    }
    var cell: String
    var unit: String
    var vocabulary: Int
    var parameters: Int
    var layers: [Layer]
    var words: [String: String]
  }

  package func add(to routes: inout Routes) {
    routes.get("/api/model") { request, _ in
      _ = try QueryFields(request.query, known: [])
      return try .json(describe())
    }
    routes.get("/api/generate") { request, _ in try generate(request) }
    routes.get("/api/curves") { request, _ in try .json(curves(request)) }
    for type in FileType.allCases {
      routes.get("/figure/curves.\(type.rawValue)") { request, _ in
        let fields = try QueryFields(request.query, known: ["narrow", "epochs"])
        let isNarrow = try fields.flag("narrow")
        // What the page last heard of: another number is another picture to the browser.
        _ = try fields.integer("epochs", 0...Int.max)
        let (figure, _) = try curvesFigure()
        let bytes = try workers.run(for: request) { board, wanted in
          try board.bytes(
            of: isNarrow ? figure.narrow() : figure, arrays: figure.arrays, as: type, wanted)
        }
        return .file("curves", type, bytes)
      }
    }
  }

  private func stored() throws -> StoredModel {
    guard let run else {
      throw WebError(
        status: 404,
        sentence: "model: this server has no language model; it was started without a run")
    }
    return try model.model(of: run)
  }

  private func describe() throws -> Description {
    let stored = try stored()
    return Description(
      cell: stored.configuration.model.cell.rawValue, unit: stored.vocabulary.unit.rawValue,
      vocabulary: stored.vocabulary.count, parameters: stored.configuration.model.parameterCount,
      layers: stored.model.layers.map { layer in
        Description.Layer(
          units: layer.cell.hiddenSize,
          gates: layer.cell.parameters.gates.filter { $0 != .candidate }.map(\.rawValue))
      }, words: stored.metadata)
  }

  // MARK: - Text

  private struct Ask {
    var prompt: Prompt
    var symbols: [Int32] { prompt.symbols }
    var options = SamplingOptions()
    var length = 200
    var probe: UnitProbe?
  }

  private func ask(_ request: HTTPRequest, _ stored: StoredModel) throws -> Ask {
    let fields = try QueryFields(request.query, known: WritingForm.names, mayBeEmpty: ["prompt"])
    let prompt = fields["prompt"] ?? ""
    guard prompt.utf8.count <= 2000 else {
      throw WebError(
        status: 413, sentence: "prompt: expected at most 2000 bytes, found \(prompt.utf8.count)")
    }
    var ask: Ask
    do { ask = Ask(prompt: try stored.prompt(prompt)) } catch {
      // The error names the prompt.
      throw WebError(status: 400, sentence: "\(error)")
    }
    ask.options.temperature = try fields.number(WritingForm.temperature) ?? 1
    ask.options.topK = try fields.integer(WritingForm.topK)
    ask.options.topP = try fields.number(WritingForm.topP) ?? 1
    ask.options.seed = UInt64(try fields.integer(WritingForm.seed) ?? 0)
    ask.length = try fields.integer(WritingForm.length) ?? 200
    ask.probe = try probe(fields, stored)
    return ask
  }

  /// The unit whose values are asked for; nil if none is.
  private func probe(_ fields: QueryFields, _ stored: StoredModel) throws -> UnitProbe? {
    let last = stored.model.layers.count - 1
    guard let layer = try fields.integer("layer", 0...last) else {
      for name in ["unit", "gate"] where fields[name] != nil {
        throw WebError(
          status: 400, sentence: "layer: expected 0 ... \(last), found none beside \(name)")
      }
      return nil
    }
    let cell = stored.model.layers[layer].cell
    guard let unit = try fields.integer("unit", 0...(cell.hiddenSize - 1)) else {
      throw WebError(
        status: 400,
        sentence: "unit: expected 0 ... \(cell.hiddenSize - 1), found none beside layer")
    }
    let gate = try fields["gate"].map { name in
      let names = cell.parameters.gates.map(\.rawValue)
      let gate = Gate(rawValue: name)
      guard cell.gates.contains(gate) else {
        throw WebError.bad(
          "gate", expected: names.joined(separator: ", "), found: name, among: names)
      }
      return gate
    }
    return UnitProbe(layer: layer, unit: unit, gate: gate)
  }

  /// A symbol as an event.
  private struct Event: Encodable {
    struct Candidate: Encodable {
      var text: String
      var probability: Double
    }
    var text: String
    var probability: Double?
    var value: Double?
    var candidates: [Candidate]
    var isPrompt: Bool
  }

  /// Streams the prompt's symbols, then the model's, as server-sent events.
  private func generate(_ request: HTTPRequest) throws -> HTTPResponse {
    let stored = try stored()
    let ask = try ask(request, stored)
    return HTTPResponse(type: "text/event-stream; charset=utf-8") { stream in
      // A text that never begins does not count.
      guard streams.begin() else {
        let busy = "busy: \(Streams.limit) texts are being written; try again"
        return try stream.write("event: busy\ndata: \(busy)\n\n")
      }
      defer { streams.end() }
      if let note = ask.prompt.note {
        try stream.write("event: note\ndata: prompt: \(note)\n\n")
      }
      var events = Events(ask, stored)
      while let event = try events.next() {
        guard stream.isAwaited() else { throw CancellationError() }
        try stream.write("data: \(event)\n\n")
      }
      try stream.write("event: end\ndata: {}\n\n")
    }
  }

  /// The events of a text, computed as they are taken.
  private struct Events: ~Copyable {
    /// The seconds after which a text ends, whoever reads it.
    private static let longestText = 120

    private let ask: Ask
    private let vocabulary: Vocabulary
    private var generator: TracedGenerator
    private var place = 0
    private var previous: Int32?
    private var pending: [UInt8] = []
    private let encoder = JSONEncoder()
    private let end = ContinuousClock.now + .seconds(Events.longestText)

    init(_ ask: Ask, _ stored: StoredModel) {
      (self.ask, vocabulary) = (ask, stored.vocabulary)
      generator = stored.tracedGenerator(options: ask.options, probe: ask.probe)
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    }

    /// The next symbol; nil after the last one.
    mutating func next() throws -> String? {
      guard place < ask.symbols.count + ask.length, ContinuousClock.now < end else { return nil }
      let isPrompt = place < ask.symbols.count
      let symbol = isPrompt ? generator.read(ask.symbols[place]) : generator.next()
      // A character of several bytes is shown with its last one.
      pending += vocabulary.text(of: symbol.symbol, after: previous)
      let whole = LanguageRoutes.wholeCharacters(pending)
      let text = String(decoding: pending[..<whole], as: UTF8.self)
      pending.removeFirst(whole)
      let event = Event(
        text: text, probability: symbol.probability, value: symbol.value,
        candidates: symbol.candidates.map {
          Event.Candidate(text: vocabulary.symbols[Int($0.symbol)], probability: $0.probability)
        }, isPrompt: isPrompt)
      (previous, place) = (symbol.symbol, place + 1)
      return String(decoding: try encoder.encode(event), as: UTF8.self)
    }
  }

  /// How many bytes come before a character that is not whole yet.
  package static func wholeCharacters(_ bytes: [UInt8]) -> Int {
    guard let lead = bytes.lastIndex(where: { $0 & 0xC0 != 0x80 }) else {
      return bytes.count > 3 ? bytes.count : 0
    }
    let wanted =
      switch bytes[lead] {
      case 0xC0..<0xE0: 2
      case 0xE0..<0xF0: 3
      case 0xF0..<0xF8: 4
      default: 1
      }
    return bytes.count - lead < wanted ? lead : bytes.count
  }

  // MARK: - Curves

  private struct Curves: Encodable, Sendable {
    /// The picture's address.
    var source: String
    var epochs: Int
  }

  private func curvesFigure() throws -> (figure: Figure, epochs: Int) {
    guard let run else {
      throw WebError(
        status: 404,
        sentence: "model: this server has no language model; it was started without a run")
    }
    guard let found = LearningCurves.figure(run: run) else {
      throw WebError(status: 503, sentence: "curves: the run has no epoch behind it yet")
    }
    return found
  }

  private func curves(_ request: HTTPRequest) throws -> Curves {
    let isNarrow = try QueryFields(request.query, known: ["narrow"]).flag("narrow")
    let epochs = try curvesFigure().epochs
    return Curves(
      source: "/figure/curves.svg?epochs=\(epochs)" + (isNarrow ? "&narrow=1" : ""), epochs: epochs
    )
  }
}
