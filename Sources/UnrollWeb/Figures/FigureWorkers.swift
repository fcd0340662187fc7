// The workers that compute requests and draw figures. Each has a queue and a gnuplot process, which is kept alive and
// restarted if it dies. The number of waiting requests is bounded.

internal import Foundation
internal import Synchronization
package import UnrollFigures
internal import UnrollFormats

/// The cancellation state and deadline of a request.
package final class Cancellation: Sendable {
  private let isCancelled = Atomic<Bool>(false)
  private let end = ContinuousClock.now + .seconds(limit)
  private static let limit = 15

  package func cancel() { isCancelled.store(true, ordering: .relaxed) }

  /// Whether the request was not cancelled and its deadline has not passed.
  package var shouldContinue: Bool {
    !isCancelled.load(ordering: .relaxed) && ContinuousClock.now < end
  }

  /// Throws if the client has disconnected or the deadline has passed.
  package func check() throws {
    if isCancelled.load(ordering: .relaxed) { throw CancellationError() }
    if ContinuousClock.now > end {
      throw WebError(
        status: 408,
        sentence: "time: expected an answer within \(Self.limit) s; choose smaller sizes")
    }
  }
}

/// A folder with a gnuplot process.
package final class FigureRenderer {
  package let folder: String
  private var gnuplot: Gnuplot?
  /// The time after which a gnuplot process counts as hung and is replaced.
  private let timeLimit: Duration

  package init(timeLimit: Duration = .seconds(5)) {
    self.timeLimit = timeLimit
    folder = FileManager.default.temporaryDirectory.path + "/unroll-page-\(UUID().uuidString)"
  }

  deinit { close() }

  /// Ends gnuplot and removes the folder.
  package func close() {
    gnuplot = nil
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// Draws a figure; a gnuplot process that died or hangs is replaced once.
  ///
  /// - Throws: `WebError` 503 if the figure cannot be drawn, `CancellationError` if the request was cancelled.
  package func draw(_ figure: Figure, as format: PictureFormat, _ cancellation: Cancellation) throws
    -> [UInt8]
  {
    for part in ["/figures", "/data"] { try AtomicFile.makeFolder(folder + part) }
    let base = "\(folder)/figures/\(figure.name)"
    try Data(figure.script.utf8).write(to: URL(fileURLWithPath: base + ".gp"))
    try Data(figure.csv.utf8).write(to: URL(fileURLWithPath: "\(folder)/data/\(figure.name).csv"))
    do {
      do { try plot(figure, format, cancellation) } catch is GnuplotError {
        try cancellation.check()
        try plot(figure, format, cancellation)
      }
    } catch let error as GnuplotError {
      try cancellation.check()
      throw WebError(status: 503, sentence: "figure: \(error)")
    }
    return try AtomicFile.read("\(base).\(format.rawValue)")
  }

  /// The identifier of the current gnuplot process, for tests.
  package var gnuplotProcess: Int32? { gnuplot?.identifier }

  private func plot(_ figure: Figure, _ format: PictureFormat, _ cancellation: Cancellation) throws
  {
    let plotter = try gnuplot ?? Gnuplot(folder: folder + "/figures")
    gnuplot = plotter
    do {
      try plotter.draw(
        figure, as: format, timeLimit: timeLimit, shouldContinue: { cancellation.shouldContinue })
    } catch {
      gnuplot = nil
      throw error
    }
  }
}

/// The workers of a server.
package final class FigureWorkers: Sendable {
  private final class Worker: @unchecked Sendable {
    // Sendable: the renderer is used only on the queue.
    let queue: DispatchQueue
    let renderer = FigureRenderer()

    init(_ index: Int) { queue = DispatchQueue(label: "unroll.figures.\(index)") }
  }

  private let workers: [Worker]
  private let waiting: Mutex<[Int]>
  private let limit: Int

  /// Creates workers.
  ///
  /// - Parameters:
  ///   - count: The number of workers, at least 1.
  ///   - limit: The maximum number of running and waiting requests per worker.
  package init(count: Int, limit: Int = 8) {
    workers = (0..<count).map { Worker($0) }
    waiting = Mutex([Int](repeating: 0, count: count))
    self.limit = limit
  }

  /// The number of running and waiting requests.
  package var waitingCount: Int { waiting.withLock { $0.reduce(0, +) } }

  /// Runs work on the least busy worker.
  ///
  /// If the client disconnects, the work is cancelled before it starts or at its next check; the caller does not wait.
  ///
  /// - Throws: `WebError` 429 if all workers are busy, `CancellationError` if the client has disconnected.
  package func run<Result: Sendable>(
    for request: HTTPRequest,
    _ body: @escaping @Sendable (FigureRenderer, Cancellation) throws -> Result
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
    let cancellation = Cancellation()
    let answer = Answer<Result>()
    let worker = workers[index]
    worker.queue.async { [self] in
      let result = Swift.Result {
        try cancellation.check()
        return try body(worker.renderer, cancellation)
      }
      waiting.withLock { $0[index] -= 1 }
      answer.give(result)
    }
    while true {
      if let result = answer.wait(.milliseconds(20)) { return try result.get() }
      guard request.isActive() else {
        cancellation.cancel()
        throw CancellationError()
      }
    }
  }

  /// Ends every gnuplot process and removes the folders of figures.
  ///
  /// Computations that take longer than a second are abandoned.
  package func close() {
    let group = DispatchGroup()
    for worker in workers { worker.queue.async(group: group) { worker.renderer.close() } }
    guard group.wait(timeout: .now() + 1) == .timedOut else { return }
    for worker in workers { try? FileManager.default.removeItem(atPath: worker.renderer.folder) }
  }
}

/// A result that is set once and awaited by one thread.
private final class Answer<Value: Sendable>: Sendable {
  private let result = Mutex<Swift.Result<Value, any Error>?>(nil)
  private let isGiven = DispatchSemaphore(value: 0)

  func give(_ result: Swift.Result<Value, any Error>) {
    self.result.withLock { $0 = result }
    isGiven.signal()
  }

  /// - Returns: The result; nil after a timeout.
  func wait(_ limit: DispatchTimeInterval) -> Swift.Result<Value, any Error>? {
    isGiven.wait(timeout: .now() + limit) == .success ? result.withLock { $0 } : nil
  }
}
