// The page's routes without a port.

#if Page
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import Testing
import UnrollFigures
import UnrollFormats
import UnrollLab
import UnrollTestSupport

@testable import UnrollWeb

private let needsGnuplot: Comment = "needs gnuplot, which ./run test installs"

@Suite("The page's routes")
struct RouterTests {
  /// A reply, as text.
  private struct Reply {
    var status: Int
    var text: String
    var headers: HTTPFields

    /// The reply as a JSON object.
    func json() throws -> [String: Any] {
      try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }
  }

  private func ask(
    _ uri: String, method: HTTPRequest.Method = .get, headers: HTTPFields = [:],
    body: String? = nil,
    run: String? = nil, doors: Doors? = nil
  ) async throws -> Reply {
    let own = doors ?? Doors()
    if doors == nil { own.open(hosts: ["localhost"]) }
    let responder = WebServer.router(
      own, workers: FigureWorkers(count: 1), run: run, watch: ClientWatch(isConnected: false)
    ).buildResponder()
    let request = Request(
      head: HTTPRequest(
        method: method, scheme: "http", authority: "localhost", path: uri, headerFields: headers),
      body: RequestBody(buffer: ByteBuffer(string: body ?? "")))
    let context = BasicRequestContext(
      source: ApplicationRequestContextSource(
        channel: EmbeddedChannel(), logger: Logger(label: "tests")))
    let response = try await responder.respond(to: request, context: context)
    let collector = Collector()
    try await response.body.write(collector)
    return Reply(
      status: response.status.code, text: String(buffer: collector.bytes.withLock { $0 }),
      headers: response.headers)
  }

  /// Takes a response's body.
  private final class Collector: ResponseBodyWriter {
    let bytes = Mutex(ByteBuffer())

    func write(_ buffer: ByteBuffer) async throws {
      bytes.withLock { _ = $0.writeImmutableBuffer(buffer) }
    }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
  }

  @Test(
    "Every response carries the security headers, errors too",
    arguments: ["/", "/nothing", "/api/lab?cell=x"])
  func headers(uri: String) async throws {
    let reply = try await ask(uri)
    for (name, value) in [
      ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
      ("X-Frame-Options", "DENY"), ("Cross-Origin-Resource-Policy", "same-origin"),
    ] {
      #expect(reply.headers[try #require(HTTPField.Name(name))] == value)
    }
    let policy = reply.headers[try #require(HTTPField.Name("Content-Security-Policy"))] ?? ""
    #expect(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"))
    #expect(!policy.contains("unsafe"))
  }

  @Test("The page is whole, and takes nothing from outside")
  func page() async throws {
    let page = try await ask("/")
    #expect(page.status == 200)
    for path in ["/page.css", "/page.js", "/model.js", "/icon.svg"] {
      #expect(page.text.contains("\"\(path)\""))
      let part = try await ask(path)
      #expect(part.status == 200 && part.text.count > 200)
      #expect(!part.text.contains("https://"))
    }
    #expect(!page.text.contains("https://") && !page.text.contains("style="))
    #expect(try await ask("/favicon.ico").status == 200)
  }

  static let refusals: [(String, Int, String)] = [
    ("/api/lab?cell=tree", 400, "cell: expected rnn, gru, gru-after, lstm, found 'tree'"),
    ("/api/lab?scale=abc", 400, "scale: expected 0.0 ... 1000.0, found 'abc'"),
    ("/api/lab?scale=nan", 400, "scale: expected 0.0 ... 1000.0, found 'nan'"),
    ("/api/lab?hidden=65", 400, "hidden: expected 1 ... 64, found '65'"),
    ("/api/lab?time=10&step=10", 400, "step: expected 0 ... 9, found '10'"),
    ("/api/lab?keep-bias=3", 400, "cell: expected a cell with gates"),
    ("/api/lab?chrono=9", 400, "chrono: expected a cell with gates"),
    ("/api/lab?seed=1&seed=2", 400, "seed: expected one value, found two"),
    ("/api/lab?weights=/etc/passwd", 400, "query: expected fields among"),
    (
      "/api/lab?parts=all", 400, "parts: expected memory, flow, spectrum, gates, phase, found 'all'"
    ),
    ("/api/lab?hidden=64&time=1000&batch=1000", 413, "sizes: expected time × batch × hidden"),
    ("/api/lab?cell=%ff", 400, "query: expected UTF-8 in percent-encoding"),
    ("/api/lesson/nothing", 404, "lesson: expected gru-as-rnn, remember or gradient-check"),
    ("/figure/memory.exe", 404, "figure: expected memory, flow, spectrum, gates, phase with"),
    ("/figure/..%2Fmemory.svg", 404, "figure: expected memory"),
    ("/api/model", 404, "model: this server has no language model; it was started without a run"),
    ("/api/curves", 404, "model: this server has no language model; it was started without a run"),
    (
      "/api/generate?prompt=a", 404,
      "model: this server has no language model; it was started without a run"
    ),
    ("/nothing", 404, "address: expected one of the page's own, found none here"),
  ]

  @Test("What cannot be answered gets one sentence", arguments: refusals)
  func refused(uri: String, status: Int, sentence: String) async throws {
    let reply = try await ask(uri)
    #expect(reply.status == status)
    #expect(reply.text.hasPrefix(sentence), "\(reply.text)")
    #expect(reply.text.split(separator: "\n").count == 1)
  }

  @Test("Other methods, bodies, hosts and origins are refused")
  func doors() async throws {
    #expect(try await ask("/", method: .post).status == 405)
    #expect(try await ask("/", method: .delete).status == 405)
    let body = try await ask("/", headers: [.contentLength: "5"], body: "hello")
    #expect(body.status == 413)
    let pieces = try await ask(
      "/api/lab", headers: [HTTPField.Name("Transfer-Encoding")!: "chunked"], body: "hello")
    #expect(
      pieces.status == 413 && pieces.text.hasPrefix("body: expected none, found one in pieces"))
    #expect(try await ask("/?" + String(repeating: "a", count: 9000)).status == 414)
    let origin = try await ask("/api/lab", headers: [.origin: "http://evil.example"])
    #expect(origin.status == 403)
    #expect(
      origin.text == "origin: expected http://localhost, found 'http://evil.example'\n")
    let site = try await ask(
      "/api/lab", headers: [try #require(HTTPField.Name("Sec-Fetch-Site")): "cross-site"])
    #expect(site.status == 403)
    let elsewhere = Doors()
    elsewhere.open(hosts: ["127.0.0.1:8080"])
    let host = try await ask("/", doors: elsewhere)
    #expect(host.status == 421)
    #expect(host.text == "host: expected this server's own address, found 'localhost'\n")
  }

  @Test("Beyond loopback only who has the token comes in")
  func token() async throws {
    let doors = Doors()
    doors.open(host: "0.0.0.0", port: 80, token: "secret")
    #expect(try await ask("/", doors: doors).status == 401)
    #expect(try await ask("/?token=wrong1", doors: doors).status == 401)
    #expect(try await ask("/api/lab?token=secret", doors: doors).status == 401)
    let entry = try await ask("/?cell=gru&token=secret&seed=2", doors: doors)
    #expect(entry.status == 303)
    #expect(entry.headers[.location] == "/?cell=gru&seed=2")
    let cookie = try #require(entry.headers[.setCookie])
    #expect(cookie == "unroll-token=secret; Path=/; HttpOnly; SameSite=Lax")
    #expect(
      try await ask("/", headers: [.cookie: "a=b; unroll-token=secret"], doors: doors).status == 200
    )
  }

  @Test(
    "The page's numbers are the experiments' own", .enabled(if: Gnuplot.path() != nil, needsGnuplot)
  )
  func numbers() async throws {
    let page = try await ask(
      "/api/lab?cell=gru&scale=3&step=7&hidden=5&seed=4&dtype=float64&parts=memory,flow,spectrum,gates"
    )
    #expect(page.status == 200, "\(page.text.prefix(300))")
    let numbers = try #require(page.json()["numbers"] as? [String: [String: Any]])
    var settings = LabSettings(cell: .gru, scale: 3, steps: [7], hiddenSize: 5, seed: 4)
    settings.precision = .float64
    // JSON's reader may miss the last bit.
    func expect(_ part: String, _ name: String, _ expected: [Double]) {
      let value = numbers[part]?[name]
      let found = value as? [Double] ?? (value as? Double).map { [$0] } ?? []
      #expect(found.count == expected.count && !found.isEmpty, "\(part).\(name)")
      for (a, b) in zip(found, expected) { #expect(abs(a - b) <= 1e-14 * abs(b)) }
    }
    let memory = try MemoryExperiment.run(settings)
    expect("memory", "medians", memory.distances[0].summaries.map(\.median))
    expect("flow", "gradient_median", [try GradientExperiment.run(settings).sets[0].summary.median])
    let spectrum = try SpectrumExperiment.run(settings, sequences: 2)
    expect("spectrum", "exponents", Array(spectrum.exponents.prefix(3)))
    expect("gates", "means", try GateExperiment.run(settings).gates.map(\.mean))
    let commands = try #require(page.json()["commands"] as? [String: String])
    #expect(
      commands["memory"]
        == "unroll lab memory --cell gru --scale 3.0 --steps 7 --hidden 5 --input 5 --batch 100 --time 50 --seed 4 --dtype float64"
    )
    let figures = try #require(page.json()["figures"] as? [String: [String: Any]])
    for (name, figure) in figures {
      #expect((figure["svg"] as? String)?.contains("<svg") == true, "\(name)")
      #expect((figure["alternative"] as? String)?.isEmpty == false)
    }
  }

  @Test(
    "A query can ask for the notebook's order of draws",
    .enabled(if: Gnuplot.path() != nil, needsGnuplot))
  func draws() async throws {
    let page = try await ask("/api/lab?draws=notebook&step=20&parts=memory").json()
    let numbers = try #require((page["numbers"] as? [String: [String: Any]])?["memory"])
    let mean = try #require((numbers["means"] as? [Double])?.first)
    #expect(abs(mean - 0.15839251858765238) < 4e-5)
    let command = try #require((page["commands"] as? [String: String])?["memory"])
    #expect(command.hasSuffix(" --dtype float32 --draws notebook"))
    let wrong = try await ask("/api/lab?draws=other")
    #expect(wrong.status == 400)
    #expect(wrong.text.contains("draws: expected fresh, notebook, later-edition, found 'other'"))
    let keeping = try await ask("/api/lab?cell=gru&keep-bias=18&parts=spectrum").json()
    let spectrum = try #require((keeping["numbers"] as? [String: [String: Any]])?["spectrum"])
    #expect(spectrum["fixed_points"] as? String == "every state")
  }

  @Test(
    "A figure comes as picture, table and arrays", .enabled(if: Gnuplot.path() != nil, needsGnuplot)
  )
  func files() async throws {
    for (type, beginning) in [
      ("svg", "<?xml"), ("png", "\u{FFFD}PNG"), ("pdf", "%PDF"), ("csv", "low_1,high_1,count_1"),
      ("npz", "PK"),
    ] {
      let file = try await ask("/figure/memory.\(type)?scale=1")
      #expect(file.status == 200)
      #expect(file.text.hasPrefix(beginning), "\(type)")
    }
  }

  @Test(
    "The phase diagram says where it can be clicked",
    .enabled(if: Gnuplot.path() != nil, needsGnuplot))
  func phase() async throws {
    let page = try await ask("/api/lab?parts=phase&time=12&step=5&batch=4&scale=3")
    let figures = try #require(page.json()["figures"] as? [String: [String: Any]])
    let areas = try #require(figures["phase"]?["areas"] as? [[Double]])
    #expect(areas.count == 2)
    for area in areas {
      #expect(area[0] < area[1] && area[2] < area[3])
      #expect(area[4] < -1.9 && area[5] > 2.9)
    }
    #expect(areas[0][1] < areas[1][0])
  }

  @Test("Lessons say their numbers")
  func lessons() async throws {
    let rnn = try await ask("/api/lesson/gru-as-rnn?cell=gru").json()
    #expect((rnn["numbers"] as? [String: Double])?["residual"] == 0)
    let remember = try await ask("/api/lesson/remember?cell=gru&keep-bias=4").json()
    let numbers = try #require(remember["numbers"] as? [String: Double])
    // ln 2 / −ln σ(4)
    #expect(abs((numbers["half_life"] ?? 0) - log(2) / log1p(0.01831563888873418)) < 1e-9)
    let check = try await ask("/api/lesson/gradient-check?cell=lstm&hidden=3").json()
    let worst = try #require((check["numbers"] as? [String: Any])?["worst_error"] as? Double)
    #expect(worst < 1e-8 && worst > 0)
  }

  @Test(
    "A gnuplot that dies in mid-figure is started again",
    .enabled(if: Gnuplot.path() != nil, needsGnuplot))
  func killed() async throws {
    let workers = FigureWorkers(count: 1)
    let query = try LabQuery(QueryFields("batch=4&time=5&step=2", known: LabQuery.settingNames))
    // The colour that a gnuplot begins with is that of its last figure; nothing is drawn in it.
    @Sendable func lines(_ svg: [UInt8]) -> [String] {
      String(decoding: svg, as: UTF8.self).components(separatedBy: "\n")
        .filter { !$0.contains("color=\"#FFFFFF\"") }
    }
    func draw() async throws -> [String] {
      try await workers.run { board, wanted in
        let figure = try LabAnswers.answer(.memory, query.settings, wanted).figure
        let first = lines(try board.draw(figure, as: .svg, wanted))
        // Before a figure, and in the middle of some: a drawing takes some milliseconds.
        for microseconds in [0, 500, 1000, 2000, 3000, 4000] {
          let process = board.gnuplotProcess
          DispatchQueue.global().asyncAfter(deadline: .now() + .microseconds(microseconds)) {
            if let process { kill(process, SIGKILL) }
          }
          #expect(lines(try board.draw(figure, as: .svg, wanted)) == first)
        }
        return first
      }
    }
    #expect(try await !draw().isEmpty)
    #expect(try await !draw().isEmpty)
  }

  @Test("More requests than can wait are told so; one that nobody waits for is not computed")
  func busy() async throws {
    let workers = FigureWorkers(count: 1, limit: 2)
    let (gate, entered) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    async let first: Int = workers.run { _, _ in
      entered.signal()
      gate.wait()
      return 1
    }
    await withCheckedContinuation { done in
      DispatchQueue.global().async {
        entered.wait()
        done.resume()
      }
    }
    let second = Task { try await workers.run { _, _ in 2 } }
    while workers.waitingCount < 2 { await Task.yield() }
    let error = await #expect(throws: WebError.self) { try await workers.run { _, _ in 3 } }
    #expect(error?.status == 429)
    second.cancel()
    gate.signal()
    #expect(try await first == 1)
    await #expect(throws: CancellationError.self) { try await second.value }
    #expect(try await workers.run { _, _ in 4 } == 4)
  }
}
#endif
