// The page's routes without a port.

import Foundation
import Synchronization
import Testing
import UnrollFigures
import UnrollFormats
import UnrollLab
import UnrollTestSupport
import UnrollWeb

@Suite("The page's routes")
struct RouterTests {
  /// Sends a request to a new server and reads until it closes the connection.
  private func ask(
    _ uri: String, method: String = "GET", headers: [(String, String)] = [], body: String = "",
    run: String? = nil, access: AccessRules = AccessRules(hosts: ["localhost"])
  ) throws -> Reply {
    let site = Site(access, workers: FigureWorkers(count: 1), run: run)
    let client = try Client { site.respond(to: $0) }
    let fields = [("Host", "localhost"), ("Connection", "close")] + headers
    client.send(
      "\(method) \(uri) HTTP/1.1\r\n" + fields.map { "\($0): \($1)\r\n" }.joined() + "\r\n" + body)
    return try Reply(client.received())
  }

  @Test(
    "Every response carries the security headers, errors too",
    arguments: ["/", "/nothing", "/api/lab?cell=x"])
  func headers(uri: String) throws {
    let reply = try ask(uri)
    for (name, value) in [
      ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
      ("X-Frame-Options", "DENY"), ("Cross-Origin-Resource-Policy", "same-origin"),
    ] {
      #expect(reply.fields[name.lowercased()] == value)
    }
    let policy = reply.fields["content-security-policy"] ?? ""
    #expect(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"))
    #expect(!policy.contains("unsafe"))
  }

  @Test("The page is whole, and takes nothing from outside")
  func page() throws {
    let page = try ask("/")
    #expect(page.status == 200)
    for path in ["/page.css", "/lab.js", "/model.js", "/icon.svg"] {
      #expect(page.text.contains("\"\(path)\""))
      let part = try ask(path)
      #expect(part.status == 200 && part.text.count > 200)
      #expect(!part.text.contains("https://"))
    }
    #expect(!page.text.contains("https://") && !page.text.contains("style="))
    #expect(try ask("/favicon.ico").status == 200)
  }

  @Test("Every script of the page is served, and imported by another")
  func scripts() throws {
    var waiting = ["lab.js", "model.js"]
    var found: Set<String> = []
    while let name = waiting.popLast() {
      guard found.insert(name).inserted else { continue }
      let script = try ask("/\(name)")
      #expect(script.status == 200, "\(name)")
      #expect(script.fields["content-type"] == "text/javascript; charset=utf-8")
      waiting += script.text.matches(of: /from "\.\/(?<name>[^"]*)"/).map { String($0.name) }
    }
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Sources/UnrollWeb/Page")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(found == Set(files.filter { $0.hasSuffix(".js") }))
  }

  static let refusals: [(String, Int, String)] = [
    (
      "/api/lab?cell=tree", 400,
      "cell: expected rnn, gru, gru-after, lstm, mgu, janet, found 'tree'"
    ),
    (
      "/api/lab?cell=grru", 400,
      "cell: expected rnn, gru, gru-after, lstm, mgu, janet, found 'grru'; did you mean 'gru'?"
    ),
    ("/api/lab?dtype=float", 400, "dtype: expected float32, float64, found 'float'"),
    ("/api/lab?scale=", 400, "scale: expected a value, found none; leave the field out"),
    ("/api/lab?scale", 400, "scale: expected a value, found none"),
    ("/figure/memory.svg?seed=", 400, "seed: expected a value, found none"),
    ("/api/lab?narrow=x", 400, "narrow: expected 1, or no such field, found 'x'"),
    ("/api/curves?narrow=0", 400, "narrow: expected 1, or no such field, found '0'"),
    (
      "/api/curves?narow=1", 400, "query: expected fields among narrow, found 'narow'; did you mean"
    ),
    ("/api/model?x=1", 400, "query: expected no fields, found 'x'"),
    (
      "/figure/curves.svg?cell=gru", 400,
      "query: expected fields among epochs, narrow, found 'cell'"
    ),
    ("/api/lab?parts=", 400, "parts: expected a value, found none"),
    (
      "/api/lab?parts=memory,,flow", 400,
      "parts: expected memory, flow, spectrum, gates, phase, found ''"
    ),
    (
      "/api/lab?parts=memory,memory", 400,
      "parts: expected each at most once, found 'memory,memory'"
    ),
    ("/api/nearest?typed=x", 400, "query: expected the fields typed and among, found fewer"),
    ("/api/lab?scale=abc", 400, "scale: expected 0.0 ... 1000.0, found 'abc'"),
    ("/api/lab?scale=nan", 400, "scale: expected 0.0 ... 1000.0, found 'nan'"),
    ("/api/lab?hidden=65", 400, "hidden: expected 1 ... 64, found '65'"),
    ("/api/lab?time=10&step=10", 400, "step: expected 0 ... 9, found '10'"),
    ("/api/lab?keep-bias=3", 400, "cell: expected a cell with a gate that keeps its state"),
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
  func refused(uri: String, status: Int, sentence: String) throws {
    let reply = try ask(uri)
    #expect(reply.status == status)
    #expect(reply.text.hasPrefix(sentence), "\(reply.text)")
    #expect(reply.text.split(separator: "\n").count == 1)
  }

  @Test("The server finds the name that was probably meant")
  func nearest() throws {
    for (typed, nearest) in [("sclae", "scale"), ("sed", "seed"), ("zzzzzz", nil)] {
      let reply = try ask("/api/nearest?typed=\(typed)&among=cell,scale,seed")
      #expect(reply.status == 200)
      #expect(try reply.json()["nearest"] as? String == nearest, "\(reply.text)")
    }
  }

  @Test("Other methods, bodies, hosts and origins are refused")
  func access() throws {
    #expect(try ask("/", method: "POST").status == 405)
    #expect(try ask("/", method: "DELETE").status == 405)
    let body = try ask("/", headers: [("Content-Length", "5")], body: "hello")
    #expect(body.status == 413)
    let pieces = try ask(
      "/api/lab", headers: [("Transfer-Encoding", "chunked")], body: "hello")
    #expect(
      pieces.status == 413 && pieces.text.hasPrefix("body: expected none, found a chunked body"))
    #expect(try ask("/", headers: [("Content-Length", "0")]).status == 200)
    let negative = try ask("/", headers: [("Content-Length", "-1")])
    #expect(negative.status == 400)
    #expect(negative.text == "content-length: expected a number of bytes, found '-1'\n")
    let expecting = try ask("/", headers: [("Expect", "100-continue")])
    #expect(expecting.status == 417)
    #expect(expecting.text == "expect: expected no such field, and no body\n")
    #expect(try ask("/", method: "POST").fields["allow"] == "GET, HEAD")
    #expect(try ask("/?" + String(repeating: "a", count: 9000)).status == 414)
    let origin = try ask("/api/lab", headers: [("Origin", "http://evil.example")])
    #expect(origin.status == 403)
    #expect(
      origin.text == "origin: expected http://localhost, found 'http://evil.example'\n")
    let site = try ask(
      "/api/lab", headers: [("Sec-Fetch-Site", "cross-site")])
    #expect(site.status == 403)
    let host = try ask("/", access: AccessRules(hosts: ["127.0.0.1:8080"]))
    #expect(host.status == 421)
    #expect(host.text == "host: expected this server's own address, found 'localhost'\n")
  }

  @Test("Beyond loopback only who has the token comes in")
  func token() throws {
    let access = AccessRules(host: "0.0.0.0", port: 80, token: "secret")
    #expect(try ask("/", access: access).status == 401)
    #expect(try ask("/?token=wrong1", access: access).status == 401)
    #expect(try ask("/api/lab?token=secret", access: access).status == 401)
    let entry = try ask("/?cell=gru&token=secret&seed=2", access: access)
    #expect(entry.status == 303)
    #expect(entry.fields["location"] == "/?cell=gru&seed=2")
    let cookie = try #require(entry.fields["set-cookie"])
    #expect(cookie == "unroll-token=secret; Path=/; HttpOnly; SameSite=Lax")
    #expect(
      try ask("/", headers: [("Cookie", "a=b; unroll-token=secret")], access: access).status == 200
    )
  }

  @Test(
    "The page's numbers are the experiments' own", .needs(.gnuplot)
  )
  func numbers() throws {
    let page = try ask(
      "/api/lab?cell=gru&scale=3&step=7&hidden=5&seed=4&dtype=float64&parts=memory,flow,spectrum,gates"
    )
    #expect(page.status == 200, "\(page.text.prefix(300))")
    let numbers = try #require(page.json()["numbers"] as? [String: [String: Any]])
    var settings = LabSettings(cell: .gruResetBefore, scale: 3, steps: [7], hiddenSize: 5, seed: 4)
    settings.precision = .float64
    // A JSON parser may round the last bit.
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
      let source = try #require(figure["source"] as? String)
      #expect(source.hasPrefix("/figure/\(name).svg?cell=gru&scale=3.0&"), "\(source)")
      let picture = try ask(source)
      #expect(picture.fields["content-type"] == "image/svg+xml")
      #expect(picture.text.contains("<svg"), "\(name)")
      #expect((figure["alternative"] as? String)?.isEmpty == false)
    }
  }

  @Test(
    "A query can ask for the notebook's order of draws",
    .needs(.gnuplot))
  func draws() throws {
    let page = try ask("/api/lab?draws=notebook&step=20&parts=memory").json()
    let numbers = try #require((page["numbers"] as? [String: [String: Any]])?["memory"])
    let mean = try #require((numbers["means"] as? [Double])?.first)
    #expect(abs(mean - 0.15839251858765238) < 4e-5)
    let command = try #require((page["commands"] as? [String: String])?["memory"])
    #expect(command.hasSuffix(" --dtype float32 --draws notebook"))
    let wrong = try ask("/api/lab?draws=other")
    #expect(wrong.status == 400)
    #expect(wrong.text.contains("draws: expected fresh, notebook, later-edition, found 'other'"))
    let keeping = try ask("/api/lab?cell=gru&keep-bias=18&parts=spectrum").json()
    let spectrum = try #require((keeping["numbers"] as? [String: [String: Any]])?["spectrum"])
    #expect(spectrum["fixed_points"] as? String == "every state")
  }

  @Test(
    "A figure comes as picture, table and arrays", .needs(.gnuplot)
  )
  func files() throws {
    for (type, beginning) in [
      ("svg", "<?xml"), ("png", "\u{FFFD}PNG"), ("pdf", "%PDF"), ("csv", "low_1,high_1,count_1"),
      ("npz", "PK"),
    ] {
      let file = try ask("/figure/memory.\(type)?scale=1")
      #expect(file.status == 200)
      #expect(file.text.hasPrefix(beginning), "\(type)")
    }
  }

  @Test(
    "Pictures may come from this server alone, and none comes within JSON", .needs(.gnuplot))
  func pictures() throws {
    let page = try ask("/api/lab?parts=memory&batch=2")
    #expect(page.status == 200 && !page.text.contains("<svg"))
    let policy = try #require(page.fields["content-security-policy"])
    #expect(policy.contains("img-src 'self';"))
    #expect(try ask("/figure/memory.svg?batch=2&unmarked=2").status == 400)
  }

  @Test(
    "The phase diagram says where it can be clicked",
    .needs(.gnuplot))
  func phase() throws {
    let page = try ask("/api/lab?parts=phase&time=12&step=5&batch=4&scale=3")
    let figures = try #require(page.json()["figures"] as? [String: [String: Any]])
    let areas = try #require(figures["phase"]?["areas"] as? [[Double]])
    #expect(areas.count == 2)
    for area in areas {
      #expect(area[0] < area[1] && area[2] < area[3])
      #expect(area[4] < -1.9 && area[5] > 2.9)
    }
    #expect(areas[0][1] < areas[1][0])
  }

  @Test(
    "A phase diagram is the same picture for every scale and step, and for no other size",
    .needs(.gnuplot))
  func samePhase() throws {
    func query(_ text: String) throws -> LabQuery {
      try LabQuery(QueryFields(text, known: LabSetting.names))
    }
    func source(_ text: String) throws -> String? {
      let page = try ask("/api/lab?parts=phase&batch=2&\(text)").json()
      return (page["figures"] as? [String: [String: Any]])?["phase"]?["source"] as? String
    }
    let first = try #require(try source("time=12&step=5&scale=3"))
    #expect(try source("time=12&step=7&scale=0.5") == first)
    #expect(try source("time=13&step=5&scale=3") != first)
    #expect(try source("time=12&step=5&scale=3&narrow=1") == first + "&narrow=1")
    // For long sequences the diagram shows some steps, including the selected one.
    for (time, isSame) in [(2, true), (199, true), (200, false)] {
      let (one, other) = (
        try query("time=\(time)&step=0&scale=3"), try query("time=\(time)&step=1&scale=2")
      )
      #expect((one.relevant(to: .phase) == other.relevant(to: .phase)) == isSame, "T = \(time)")
      #expect(one.relevant(to: .memory) != other.relevant(to: .memory))
    }
    // The downloaded file has a mark at the scale; the page's figure does not.
    let marked = try ask("/figure/phase.svg?time=12&batch=2")
    let bare = try ask(first)
    #expect(marked.status == 200 && marked.text.contains(">here<"))
    #expect(bare.status == 200 && !bare.text.contains(">here<"))
  }

  @Test("Lessons say their numbers")
  func lessons() throws {
    let rnn = try ask("/api/lesson/gru-as-rnn?cell=gru").json()
    #expect((rnn["numbers"] as? [String: Double])?["residual"] == 0)
    let remember = try ask("/api/lesson/remember?cell=gru&keep-bias=4").json()
    let numbers = try #require(remember["numbers"] as? [String: Double])
    // ln 2 / −ln σ(4)
    #expect(abs((numbers["half_life"] ?? 0) - log(2) / log1p(0.01831563888873418)) < 1e-9)
    let check = try ask("/api/lesson/gradient-check?cell=lstm&hidden=3").json()
    let worst = try #require((check["numbers"] as? [String: Any])?["worst_error"] as? Double)
    #expect(worst < 1e-8 && worst > 0)
  }

  @Test(
    "A gnuplot that dies in mid-figure is started again",
    .needs(.gnuplot))
  func killed() throws {
    let workers = FigureWorkers(count: 1)
    let query = try LabQuery(QueryFields("batch=4&time=5&step=2", known: LabSetting.names))
    // gnuplot's initial colour is that of its last figure, but nothing is drawn with it.
    @Sendable func lines(_ svg: [UInt8]) -> [String] {
      String(decoding: svg, as: UTF8.self).components(separatedBy: "\n")
        .filter { !$0.contains("color=\"#FFFFFF\"") }
    }
    func draw() throws -> [String] {
      try workers.run(for: HTTPRequest(method: "GET", target: "/")) { renderer, cancellation in
        let figure = try LabAnswers.answer(.memory, query.settings, cancellation).figure
        let first = lines(try renderer.draw(figure, as: .svg, cancellation))
        // Before a figure, and while some are drawn: drawing takes some milliseconds.
        for microseconds in [0, 500, 1000, 2000, 3000, 4000] {
          let process = renderer.gnuplotProcess
          DispatchQueue.global().asyncAfter(deadline: .now() + .microseconds(microseconds)) {
            if let process { kill(process, SIGKILL) }
          }
          #expect(lines(try renderer.draw(figure, as: .svg, cancellation)) == first)
        }
        return first
      }
    }
    #expect(try !draw().isEmpty)
    #expect(try !draw().isEmpty)
  }

  @Test("More requests than can wait are told so; one that nobody waits for is not computed")
  func busy() throws {
    let workers = FigureWorkers(count: 1, limit: 2)
    let (gate, entered) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let request = HTTPRequest(method: "GET", target: "/")
    let first = Background {
      try workers.run(for: HTTPRequest(method: "GET", target: "/")) { _, _ in
        entered.signal()
        gate.wait()
        return 1
      }
    }
    entered.wait()
    let hasLeft = Flag()
    let isComputed = Flag()
    let second = Background {
      var request = HTTPRequest(method: "GET", target: "/")
      request.isActive = { !hasLeft.isSet }
      return try workers.run(for: request) { _, _ in isComputed.set() }
    }
    while workers.waitingCount < 2 { usleep(1000) }
    let error = #expect(throws: WebError.self) { try workers.run(for: request) { _, _ in 3 } }
    #expect(error?.status == 429)
    hasLeft.set()
    #expect(throws: CancellationError.self) { try second.value() }
    gate.signal()
    #expect(try first.value() == 1)
    #expect(try workers.run(for: request) { _, _ in 4 } == 4)
    #expect(!isComputed.isSet)
  }
}
