// The page's routes for a language model: its description, streamed text, and learning curves.

internal import Foundation
internal import Synchronization
internal import Unroll
internal import UnrollFigures
internal import UnrollFormats
internal import UnrollLanguage

/// The routes for a language model.
package struct LanguageRoutes: Sendable {
  package let workers: FigureWorkers
  /// The run's folder; nil without a model.
  package let run: String?
  private let model = CachedModel()
  private let streams = Streams()

  package init(workers: FigureWorkers, run: String?) { (self.workers, self.run) = (workers, run) }
}

/// The number of texts being generated.
private final class Streams: Sendable {
  static let limit = 4
  private let count = Mutex(0)

  /// Returns whether another text may start.
  func begin() -> Bool {
    count.withLock { count in
      guard count < Self.limit else { return false }
      count += 1
      return true
    }
  }

  func end() { count.withLock { $0 -= 1 } }
}

/// The model of a run, reloaded when its file changes.
private final class CachedModel: Sendable {
  private let kept = CachedValue<Date, StoredModel>()

  func model(of run: String) throws -> StoredModel {
    let attributes = try? FileManager.default.attributesOfItem(atPath: run + "/model.safetensors")
    let stamp = attributes?[.modificationDate] as? Date ?? .distantPast
    do { return try kept.value(at: stamp) { try StoredModel(run: run) } } catch {
      // The error contains file names, which are shown only to the user who started the server.
      report(error)
      if let error = error as? RunError, case .notFinite(let name, let count) = error.problem {
        throw WebError(
          status: 503,
          sentence:
            "model: expected finite numbers, found \(count) infinite or NaN in '\(name)'; the model cannot predict"
        )
      }
      throw WebError(
        status: 503,
        sentence:
          "model: expected a model in the run, found none; it is written after the first validation"
      )
    }
  }
}

extension LanguageRoutes {
  /// The properties of the model that the page needs.
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
        // The number of epochs known to the page makes the URL change with the figure.
        _ = try fields.integer("epochs", 0...Int.max)
        let (figure, _) = try curvesFigure()
        let bytes = try workers.run(for: request) { renderer, cancellation in
          try renderer.bytes(
            of: isNarrow ? figure.narrow() : figure, arrays: figure.arrays, as: type, cancellation)
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
    let fields = try QueryFields(request.query, known: GenerationForm.names, mayBeEmpty: ["prompt"])
    let prompt = fields["prompt"] ?? ""
    guard prompt.utf8.count <= 2000 else {
      throw WebError(
        status: 413, sentence: "prompt: expected at most 2000 bytes, found \(prompt.utf8.count)")
    }
    var ask: Ask
    do { ask = Ask(prompt: try stored.prompt(prompt)) } catch {
      // The error quotes the prompt.
      throw WebError(status: 400, sentence: "\(error)")
    }
    ask.options.temperature = try fields.number(GenerationForm.temperature) ?? 1
    ask.options.topK = try fields.integer(GenerationForm.topK)
    ask.options.topP = try fields.number(GenerationForm.topP) ?? 1
    ask.options.seed = UInt64(try fields.integer(GenerationForm.seed) ?? 0)
    ask.length = try fields.integer(GenerationForm.length) ?? 200
    ask.probe = try probe(fields, stored)
    return ask
  }

  /// Returns the unit to record; nil if none was requested.
  private func probe(_ fields: QueryFields, _ stored: StoredModel) throws -> UnitProbe? {
    let last = stored.model.layers.count - 1
    guard let layer = try fields.integer("layer", 0...last) else {
      for name in ["unit", "gate"] where fields[name] != nil {
        throw WebError(
          status: 400, sentence: "layer: expected 0 ... \(last) together with \(name), found none")
      }
      return nil
    }
    let cell = stored.model.layers[layer].cell
    guard let unit = try fields.integer("unit", 0...(cell.hiddenSize - 1)) else {
      throw WebError(
        status: 400,
        sentence: "unit: expected 0 ... \(cell.hiddenSize - 1) together with layer, found none")
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

  /// Streams the symbols of the prompt and of the model as server-sent events.
  private func generate(_ request: HTTPRequest) throws -> HTTPResponse {
    let stored = try stored()
    let ask = try ask(request, stored)
    return HTTPResponse(type: "text/event-stream; charset=utf-8") { stream in
      // A stream that never starts does not count.
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
        guard stream.isActive() else { throw CancellationError() }
        try stream.write("data: \(event)\n\n")
      }
      try stream.write("event: end\ndata: {}\n\n")
    }
  }

  /// The events of a text, computed on demand.
  private struct Events: ~Copyable {
    /// The maximum duration of a text in seconds.
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

    /// Returns the next event; nil after the last symbol.
    mutating func next() throws -> String? {
      guard place < ask.symbols.count + ask.length, ContinuousClock.now < end else { return nil }
      let isPrompt = place < ask.symbols.count
      let symbol = isPrompt ? generator.read(ask.symbols[place]) : generator.next()
      // A character of several bytes is sent with its last byte.
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

  /// Returns the number of bytes before an incomplete character at the end.
  package static func wholeCharacters(_ bytes: [UInt8]) -> Int {
    guard let lead = bytes.lastIndex(where: { $0 & 0xC0 != 0x80 }) else {
      return bytes.count > 3 ? bytes.count : 0
    }
    let expected =
      switch bytes[lead] {
      case 0xC0..<0xE0: 2
      case 0xE0..<0xF0: 3
      case 0xF0..<0xF8: 4
      default: 1
      }
    return bytes.count - lead < expected ? lead : bytes.count
  }

  // MARK: - Curves

  private struct Curves: Encodable, Sendable {
    /// The URL of the figure.
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
      throw WebError(status: 503, sentence: "curves: the run has not completed an epoch yet")
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
