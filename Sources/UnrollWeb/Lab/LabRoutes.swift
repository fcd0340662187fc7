// The page's routes for the lab: numbers with figures, files to download, lessons.

internal import Foundation
internal import Synchronization
internal import Unroll
internal import UnrollFigures
internal import UnrollFormats
internal import UnrollLab

/// The routes for the lab.
struct LabRoutes: Sendable {
  let workers: FigureWorkers
  /// A cache of recent results, because each part is requested at least twice: for its numbers and for its figure.
  private let answers = AnswerCache(limit: 24)
  /// A separate cache of phase diagrams, which take half a second and depend on few settings.
  private let diagrams = AnswerCache(limit: 16)

  init(workers: FigureWorkers) { self.workers = workers }

  func add(to routes: inout Routes) {
    routes.get("/api/lab") { request, _ in try .json(page(request)) }
    routes.get("/api/lesson/*") { request, name in
      let query = try LabQuery(QueryFields(request.query, known: LabSetting.names))
      return try .json(
        workers.run(for: request) { _, cancellation in try Lessons.answer(name, query, cancellation)
        })
    }
    routes.get("/api/nearest") { request, _ in
      let fields = try QueryFields(request.query, known: ["typed", "among"])
      guard let typed = fields["typed"], let names = fields["among"] else {
        throw WebError(
          status: 400, sentence: "query: expected the fields typed and among, found fewer")
      }
      let name = NearestName.nearest(
        to: typed, among: names.split(separator: ",").map(String.init))
      return try .json(["nearest": name])
    }
    routes.get("/figure/*") { request, name in try file(name, request) }
  }

  /// The response for a part of the page.
  struct Page: Encodable, Sendable {
    struct Picture: Encodable, Sendable {
      /// The URL of the figure.
      var source: String
      var alternative: String
      var title: String
      var areas: [[Double]]
    }
    var numbers: [String: [String: JSONNumber]] = [:]
    var figures: [String: Picture] = [:]
    var commands: [String: String] = [:]
  }

  private func page(_ request: HTTPRequest) throws -> Page {
    let known = LabSetting.names.union(["parts", "narrow"])
    let fields = try QueryFields(request.query, known: known)
    let isNarrow = try fields.flag("narrow")
    let parts = try fields.words("parts", LabQuery.Part.self) ?? [.memory, .flow, .spectrum]
    let query = try LabQuery(fields)
    return try workers.run(for: request) { _, cancellation in
      var page = Page()
      for part in parts.sorted(by: { $0.rawValue < $1.rawValue }) {
        let answer = try self.answer(part, query, cancellation)
        let figure = isNarrow ? answer.figure.narrow() : answer.figure
        page.numbers[part.rawValue] = answer.numbers
        page.figures[part.rawValue] = Page.Picture(
          source: Self.source(of: part, query, isNarrow: isNarrow),
          alternative: answer.alternative, title: figure.title, areas: figure.clickableAreas)
        page.commands[part.rawValue] = query.command(part)
        try cancellation.check()
      }
      return page
    }
  }

  /// Returns the URL of a part's figure; equal for settings with the same figure.
  private static func source(
    of part: LabQuery.Part, _ query: LabQuery, isNarrow: Bool
  ) -> String {
    let fields =
      query.relevant(to: part).fields
      // On the page the mark is a movable overlay.
      + (part == .phase ? [("unmarked", "1")] : []) + (isNarrow ? [("narrow", "1")] : [])
    return "/figure/\(part.rawValue).svg?"
      + fields.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
  }

  private func answer(
    _ part: LabQuery.Part, _ query: LabQuery, _ cancellation: Cancellation
  ) throws -> PartAnswer {
    let relevant = query.relevant(to: part)
    return try (part == .phase ? diagrams : answers).answer(part, relevant) {
      try LabAnswers.answer(part, relevant.settings, cancellation)
    }
  }

  /// Returns a figure as a file: `PART.svg`, `.png`, `.pdf`, `.csv` or `.npz`.
  ///
  /// `narrow=1` selects the variant for narrow screens; `unmarked=1` omits the mark at the current scale.
  private func file(_ name: String, _ request: HTTPRequest) throws -> HTTPResponse {
    let halves = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard halves.count == 2, let part = LabQuery.Part(rawValue: halves[0]),
      let type = FileType(rawValue: halves[1])
    else {
      throw WebError(
        status: 404,
        sentence:
          "figure: expected \(LabQuery.Part.allCases.map(\.rawValue).joined(separator: ", ")) with .svg, .png, .pdf, .csv or .npz"
      )
    }
    let known = LabSetting.names.union(["narrow", "unmarked"])
    let fields = try QueryFields(request.query, known: known)
    let (isNarrow, isUnmarked) = (try fields.flag("narrow"), try fields.flag("unmarked"))
    let query = try LabQuery(fields)
    let bytes = try workers.run(for: request) { renderer, cancellation in
      let answer = try self.answer(part, query, cancellation)
      var figure = isNarrow ? answer.figure.narrow() : answer.figure
      if !isUnmarked { figure = figure.marking(scale: query.settings.scale) }
      return try renderer.bytes(of: figure, arrays: answer.arrays, as: type, cancellation)
    }
    return .file(part.rawValue, type, bytes)
  }
}

extension HTTPResponse {
  /// Returns a response with a file to download.
  package static func file(_ name: String, _ type: FileType, _ bytes: [UInt8]) -> HTTPResponse {
    var response = HTTPResponse(type: type.mediaType, bytes)
    response.fields.append(
      ("Content-Disposition", "inline; filename=\"\(name).\(type.rawValue)\""))
    return response
  }
}

extension FigureRenderer {
  /// Returns the contents of a figure's file.
  func bytes(
    of figure: Figure, arrays: [String: StoredArray], as type: FileType,
    _ cancellation: Cancellation
  ) throws -> [UInt8] {
    switch type {
    case .csv: Array(figure.csv.utf8)
    case .npz: NPZ.encode(arrays)
    case .svg: try draw(figure, as: .svg, cancellation)
    case .png: try draw(figure, as: .png, cancellation)
    case .pdf: try draw(figure, as: .pdf, cancellation)
    }
  }
}

extension Figure {
  /// The data of lines as arrays, for figures without other arrays.
  var arrays: [String: StoredArray] {
    var result: [String: StoredArray] = [:]
    for panel in panels {
      guard case .lines(let lines) = panel.content else { continue }
      for line in lines {
        let name = line.title.replacingOccurrences(of: " ", with: "_")
        result["\(name).x"] = StoredArray(Tensor(line.x))
        result["\(name).y"] = StoredArray(Tensor(line.y))
      }
    }
    return result
  }
}

/// The file types of a figure.
package enum FileType: String, CaseIterable {
  case svg, png, pdf, csv, npz

  package var mediaType: String {
    switch self {
    case .svg: "image/svg+xml"
    case .png: "image/png"
    case .pdf: "application/pdf"
    case .csv: "text/csv; charset=utf-8"
    case .npz: "application/zip"
    }
  }
}

/// A cache of recent results, by query.
final class AnswerCache: Sendable {
  private typealias Kept = (part: LabQuery.Part, query: LabQuery, answer: PartAnswer)

  private let answers = Mutex<[Kept]>([])
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  func answer(
    _ part: LabQuery.Part, _ query: LabQuery, _ compute: () throws -> PartAnswer
  ) throws -> PartAnswer {
    let kept = answers.withLock { $0.first { $0.part == part && $0.query == query }?.answer }
    if let kept { return kept }
    let answer = try compute()
    answers.withLock { answers in
      answers.insert((part, query, answer), at: 0)
      if answers.count > limit { answers.removeLast() }
    }
    return answer
  }
}
