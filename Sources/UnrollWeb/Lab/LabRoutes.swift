// The page's routes about the lab: numbers with pictures for the page, single files to keep, lessons.

internal import Foundation
internal import Synchronization
internal import Unroll
internal import UnrollFigures
internal import UnrollFormats
internal import UnrollLab

/// Answers about the lab.
struct LabRoutes: Sendable {
  let workers: FigureWorkers
  /// A part is asked for at least twice, for its numbers and for its picture: the last ones are kept.
  private let answers = KeptAnswers(limit: 24)
  /// Phase diagrams take half a second and depend on few settings: they are kept longer.
  private let diagrams = KeptAnswers(limit: 16)

  init(workers: FigureWorkers) { self.workers = workers }

  func add(to routes: inout Routes) {
    routes.get("/api/lab") { request, _ in try .json(page(request)) }
    routes.get("/api/lesson/*") { request, name in
      let query = try LabQuery(QueryFields(request.query, known: LabSetting.names))
      return try .json(
        workers.run(for: request) { _, wanted in try Lessons.answer(name, query, wanted) })
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

  /// What the page shows after a change.
  struct Page: Encodable, Sendable {
    struct Picture: Encodable, Sendable {
      /// Its address.
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
    return try workers.run(for: request) { _, wanted in
      var page = Page()
      for part in parts.sorted(by: { $0.rawValue < $1.rawValue }) {
        let answer = try self.answer(part, query, wanted)
        let figure = isNarrow ? answer.figure.narrow() : answer.figure
        page.numbers[part.rawValue] = answer.numbers
        page.figures[part.rawValue] = Page.Picture(
          source: Self.source(of: part, query, isNarrow: isNarrow),
          alternative: answer.alternative, title: figure.title, areas: figure.clickableAreas)
        page.commands[part.rawValue] = query.command(part)
        try wanted.check()
      }
      return page
    }
  }

  /// The address of a part's picture: the same for settings that have the same picture.
  private static func source(
    of part: LabQuery.Part, _ query: LabQuery, isNarrow: Bool
  ) -> String {
    let fields =
      query.relevant(to: part).fields
      // On the page the mark lies over the picture, and moves.
      + (part == .phase ? [("unmarked", "1")] : []) + (isNarrow ? [("narrow", "1")] : [])
    return "/figure/\(part.rawValue).svg?"
      + fields.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
  }

  private func answer(
    _ part: LabQuery.Part, _ query: LabQuery, _ wanted: Wanted
  ) throws -> PartAnswer {
    let relevant = query.relevant(to: part)
    return try (part == .phase ? diagrams : answers).answer(part, relevant) {
      try LabAnswers.answer(part, relevant.settings, wanted)
    }
  }

  /// A figure as a file: `PART.svg`, `.png`, `.pdf`, `.csv` or `.npz`.
  ///
  /// With `narrow=1` it is drawn for a narrow screen; with `unmarked=1` a phase diagram has no mark at the present scale.
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
    let bytes = try workers.run(for: request) { board, wanted in
      let answer = try self.answer(part, query, wanted)
      var figure = isNarrow ? answer.figure.narrow() : answer.figure
      if !isUnmarked { figure = figure.marking(scale: query.settings.scale) }
      return try board.bytes(of: figure, arrays: answer.arrays, as: type, wanted)
    }
    return .file(part.rawValue, type, bytes)
  }
}

extension HTTPResponse {
  /// A figure as a file of its own.
  package static func file(_ name: String, _ type: FileType, _ bytes: [UInt8]) -> HTTPResponse {
    var response = HTTPResponse(type: type.mediaType, bytes)
    response.fields.append(
      ("Content-Disposition", "inline; filename=\"\(name).\(type.rawValue)\""))
    return response
  }
}

extension FigureBoard {
  /// A figure as one of its files.
  func bytes(
    of figure: Figure, arrays: [String: StoredArray], as type: FileType, _ wanted: Wanted
  ) throws -> [UInt8] {
    switch type {
    case .csv: Array(figure.csv.utf8)
    case .npz: NPZ.encode(arrays)
    case .svg: try draw(figure, as: .svg, wanted)
    case .png: try draw(figure, as: .png, wanted)
    case .pdf: try draw(figure, as: .pdf, wanted)
    }
  }
}

extension Figure {
  /// The lines' numbers as arrays, for figures that are drawn from nothing else.
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

/// The files that a figure can be had as.
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

/// The last few answers, by what was asked.
final class KeptAnswers: Sendable {
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
