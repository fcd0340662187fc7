// Where requests are computed and figures drawn: a few workers, each with a queue and a gnuplot of its own
// that is kept alive, and started again when it dies. What waits is bounded.

internal import Foundation
internal import Synchronization
package import UnrollFigures
internal import UnrollFormats

/// Says whether anybody still wants a result, and whether there is time for it.
package final class Wanted: Sendable {
  private let isCancelled = Atomic<Bool>(false)
  private let end = ContinuousClock.now + .seconds(limit)
  private static let limit = 15

  package func cancel() { isCancelled.store(true, ordering: .relaxed) }

  /// Whether the result is wanted, and there is time for it.
  package var isWanted: Bool { !isCancelled.load(ordering: .relaxed) && ContinuousClock.now < end }

  /// Ends the work of a client that has gone, and work that takes too long.
  package func check() throws {
    if isCancelled.load(ordering: .relaxed) { throw CancellationError() }
    if ContinuousClock.now > end {
      throw WebError(
        status: 408,
        sentence: "time: expected an answer within \(Self.limit) s; choose smaller sizes")
    }
  }
}

/// A folder and the gnuplot in it.
package final class FigureBoard {
  package let folder: String
  private var gnuplot: Gnuplot?
  /// After this time a gnuplot is taken for hung, and another is asked.
  private let patience: Duration

  package init(patience: Duration = .seconds(5)) {
    self.patience = patience
    folder = FileManager.default.temporaryDirectory.path + "/unroll-page-\(UUID().uuidString)"
  }

  deinit { close() }

  /// Ends gnuplot, and removes the folder.
  package func close() {
    gnuplot = nil
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// Draws a figure; a gnuplot that died or hangs is replaced, once.
  ///
  /// - Throws: `WebError` 503 if there is no picture, `CancellationError` if nobody wants it any more.
  package func draw(_ figure: Figure, as format: PictureFormat, _ wanted: Wanted) throws -> [UInt8]
  {
    for part in ["/figures", "/data"] { try AtomicFile.makeFolder(folder + part) }
    let base = "\(folder)/figures/\(figure.name)"
    try Data(figure.script.utf8).write(to: URL(fileURLWithPath: base + ".gp"))
    try Data(figure.csv.utf8).write(to: URL(fileURLWithPath: "\(folder)/data/\(figure.name).csv"))
    do {
      do { try plot(figure, format, wanted) } catch is GnuplotError {
        try wanted.check()
        try plot(figure, format, wanted)
      }
    } catch let error as GnuplotError {
      try wanted.check()
      throw WebError(status: 503, sentence: "figure: \(error)")
    }
    return try AtomicFile.read("\(base).\(format.rawValue)")
  }

  /// The present gnuplot's number with the system, for tests.
  package var gnuplotProcess: Int32? { gnuplot?.identifier }

  private func plot(_ figure: Figure, _ format: PictureFormat, _ wanted: Wanted) throws {
    let plotter = try gnuplot ?? Gnuplot(folder: folder + "/figures")
    gnuplot = plotter
    do {
      try plotter.draw(figure, as: format, timeLimit: patience, isWanted: { wanted.isWanted })
    } catch {
      gnuplot = nil
      throw error
    }
  }
}

/// The workers of a server.
package final class FigureWorkers: Sendable {
  private final class Worker: @unchecked Sendable {
    // Sendable: the board is touched on the queue alone.
    let queue: DispatchQueue
    let board = FigureBoard()

    init(_ index: Int) { queue = DispatchQueue(label: "unroll.figures.\(index)") }
  }

  private let workers: [Worker]
  private let waiting: Mutex<[Int]>
  private let limit: Int

  /// Creates workers.
  ///
  /// - Parameters:
  ///   - count: How many, at least 1.
  ///   - limit: How many requests may be computed or wait at each.
  package init(count: Int, limit: Int = 8) {
    workers = (0..<count).map { Worker($0) }
    waiting = Mutex([Int](repeating: 0, count: count))
    self.limit = limit
  }

  /// How many requests are computed or wait.
  package var waitingCount: Int { waiting.withLock { $0.reduce(0, +) } }

  /// Runs work on the least busy worker.
  ///
  /// If the client goes, the work stops before it begins, or where it checks; the caller does not wait for that.
  ///
  /// - Throws: `WebError` 429 if all are busy, `CancellationError` if the client has gone.
  package func run<Result: Sendable>(
    for request: HTTPRequest, _ body: @escaping @Sendable (FigureBoard, Wanted) throws -> Result
  ) throws -> Result {
    let index = waiting.withLock { waiting -> Int? in
      guard let least = waiting.indices.min(by: { waiting[$0] < waiting[$1] }),
        waiting[least] < limit
      else { return nil }
      waiting[least] += 1
      return least
    }
    guard let index else {
      throw WebError(status: 429, sentence: "busy: expected fewer requests at once; try again")
    }
    let wanted = Wanted()
    let answer = Answer<Result>()
    let worker = workers[index]
    worker.queue.async { [self] in
      let result = Swift.Result {
        try wanted.check()
        return try body(worker.board, wanted)
      }
      waiting.withLock { $0[index] -= 1 }
      answer.give(result)
    }
    while true {
      if let result = answer.wait(.milliseconds(20)) { return try result.get() }
      guard request.isAwaited() else {
        wanted.cancel()
        throw CancellationError()
      }
    }
  }

  /// Ends every gnuplot, and removes the figures' folders.
  ///
  /// What is still computed after a second is left behind.
  package func close() {
    let group = DispatchGroup()
    for worker in workers { worker.queue.async(group: group) { worker.board.close() } }
    guard group.wait(timeout: .now() + 1) == .timedOut else { return }
    for worker in workers { try? FileManager.default.removeItem(atPath: worker.board.folder) }
  }
}

/// A result that is given once, and waited for by one.
private final class Answer<Value: Sendable>: Sendable {
  private let result = Mutex<Swift.Result<Value, any Error>?>(nil)
  private let isGiven = DispatchSemaphore(value: 0)

  func give(_ result: Swift.Result<Value, any Error>) {
    self.result.withLock { $0 = result }
    isGiven.signal()
  }

  /// - Returns: The result; nil if it is not given in time.
  func wait(_ limit: DispatchTimeInterval) -> Swift.Result<Value, any Error>? {
    isGiven.wait(timeout: .now() + limit) == .success ? result.withLock { $0 } : nil
  }
}
