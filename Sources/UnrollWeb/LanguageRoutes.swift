// The page's routes about a language model: what it is, text that streams in, the curves of its run.

#if Page
internal import Foundation
internal import Hummingbird
internal import ServiceLifecycle
internal import Synchronization
internal import Unroll
internal import UnrollFigures
internal import UnrollFormats
internal import UnrollLanguage

/// A language model that the page lets write.
struct LanguageRoutes: Sendable {
  let workers: FigureWorkers
  let watch: ClientWatch
  /// The run's folder; nil if none was given.
  let run: String?
  private let model = KeptModel()
  private let streams = Streams()

  init(workers: FigureWorkers, watch: ClientWatch, run: String?) {
    (self.workers, self.watch, self.run) = (workers, watch, run)
  }
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
  private let kept = Mutex<(stamp: Date, model: StoredModel)?>(nil)

  func model(of run: String) throws -> StoredModel {
    let attributes = try? FileManager.default.attributesOfItem(atPath: run + "/model.safetensors")
    let stamp = attributes?[.modificationDate] as? Date ?? .distantPast
    if let kept = kept.withLock({ $0 }), kept.stamp == stamp { return kept.model }
    do {
      let model = try StoredModel(run: run)
      kept.withLock { $0 = (stamp, model) }
      return model
    } catch {
      // The error names files, which are the business of who started the server alone.
      FileHandle.standardError.write(Data("\(error)\n".utf8))
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

  func add<Context: RequestContext>(to router: Router<Context>) {
    router.get("api/model") { request, _ in
      try await watch.json(for: request) { try describe() }
    }
    router.get("api/generate") { request, _ in try generate(request) }
    router.get("api/curves") { request, _ in
      let isNarrow = request.uri.queryParameters["narrow"] != nil
      return try await watch.json(for: request) { try await curves(isNarrow: isNarrow) }
    }
    for type in FileType.allCases {
      router.get("figure/curves.\(type.rawValue)") { request, _ in
        let (figure, _) = try curvesFigure()
        return try await FigureFile(name: "curves", type: type, watch: watch).response(to: request)
        {
          try await workers.run { board, wanted in
            try board.bytes(of: figure, arrays: figure.arrays, as: type, wanted)
          }
        }
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

  private static let names: Set<String> = [
    "prompt", "temperature", "top-k", "top-p", "seed", "length", "layer", "unit", "gate",
  ]

  private func ask(_ request: Request, _ stored: StoredModel) throws -> Ask {
    let fields = try QueryFields(request.uri.query, known: Self.names)
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
    ask.options.temperature = try fields.number("temperature", 0...10) ?? 1
    ask.options.topK = try fields.integer("top-k", 1...1_000_000)
    ask.options.topP = try fields.number("top-p", 1e-6...1) ?? 1
    ask.options.seed = UInt64(try fields.integer("seed", 0...4_294_967_295) ?? 0)
    ask.length = try fields.integer("length", 1...2000) ?? 200
    if let layer = try fields.integer("layer", 0...(stored.model.layers.count - 1)) {
      let cell = stored.model.layers[layer].cell
      let gate = try fields["gate"].map { name in
        guard let gate = Gate(rawValue: name), cell.parameters.gates.contains(gate) else {
          throw WebError.bad(
            "gate", expected: cell.parameters.gates.map(\.rawValue).joined(separator: ", "),
            found: name)
        }
        return gate
      }
      let unit = try fields.integer("unit", 0...(cell.hiddenSize - 1)) ?? 0
      ask.probe = UnitProbe(layer: layer, unit: unit, gate: gate)
    }
    return ask
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
  private func generate(_ request: Request) throws -> Response {
    let stored = try stored()
    let ask = try ask(request, stored)
    return Response(
      status: .ok,
      headers: [.contentType: "text/event-stream; charset=utf-8", .connection: "close"],
      body: ResponseBody { writer in
        // A text that never begins does not count.
        let mayWrite = streams.begin()
        defer { if mayWrite { streams.end() } }
        guard mayWrite else {
          let busy = "busy: \(Streams.limit) texts are being written; try again"
          try await writer.write(ByteBuffer(string: "event: busy\ndata: \(busy)\n\n"))
          return try await writer.finish(nil)
        }
        try await request.body.consumeWithCancellationOnInboundClose { _ in
          if let note = ask.prompt.note {
            try await writer.write(ByteBuffer(string: "event: note\ndata: prompt: \(note)\n\n"))
          }
          let events = Self.events(ask, stored).cancelOnGracefulShutdown()
          for try await event in events {
            try await writer.write(ByteBuffer(string: "data: \(event)\n\n"))
          }
          try Task.checkCancellation()
          try await writer.write(ByteBuffer(string: "event: end\ndata: {}\n\n"))
        }
        try await writer.finish(nil)
      })
  }

  /// The seconds after which a text ends, whoever reads it.
  private static let longestText = 120

  /// The events of a text, computed as they are taken.
  private static func events(_ ask: Ask, _ stored: StoredModel) -> AsyncThrowingStream<
    String, any Error
  > {
    let state = Mutex(
      (
        generator: stored.tracedGenerator(options: ask.options, probe: ask.probe),
        place: 0, previous: Int32?.none, pending: [UInt8]()
      ))
    let end = ContinuousClock.now + .seconds(longestText)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let vocabulary = stored.vocabulary
    return AsyncThrowingStream {
      guard !Task.isCancelled, ContinuousClock.now < end else { return nil }
      return try state.withLock { state in
        let isPrompt = state.place < ask.symbols.count
        guard state.place < ask.symbols.count + ask.length else { return nil }
        let symbol =
          isPrompt ? state.generator.read(ask.symbols[state.place]) : state.generator.next()
        // A character of several bytes is shown with its last one.
        state.pending += vocabulary.text(of: symbol.symbol, after: state.previous)
        let whole = Self.wholeCharacters(state.pending)
        let text = String(decoding: state.pending[..<whole], as: UTF8.self)
        state.pending.removeFirst(whole)
        let event = Event(
          text: text, probability: symbol.probability, value: symbol.value,
          candidates: symbol.candidates.map {
            Event.Candidate(text: vocabulary.symbols[Int($0.symbol)], probability: $0.probability)
          }, isPrompt: isPrompt)
        state.previous = symbol.symbol
        state.place += 1
        return String(decoding: try encoder.encode(event), as: UTF8.self)
      }
    }
  }

  /// How many bytes come before a character that is not whole yet.
  static func wholeCharacters(_ bytes: [UInt8]) -> Int {
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
    var svg: String
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

  private func curves(isNarrow: Bool) async throws -> Curves {
    let (figure, epochs) = try curvesFigure()
    return try await workers.run { board, wanted in
      let svg = try board.draw(isNarrow ? figure.narrow() : figure, as: .svg, wanted)
      return Curves(svg: String(decoding: svg, as: UTF8.self), epochs: epochs)
    }
  }
}
#endif
