// `unroll lab serve`, and the page in a real browser (Scripts/python).

import Foundation
import Synchronization
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

@Suite("The live page", .serialized)
struct PageTests {
  /// A running server and its address.
  private final class Server {
    let process = Process()
    let address: String
    private let output = Pipe()

    init(_ arguments: [String]) throws {
      process.executableURL = CommandTests.binary
      process.arguments = ["lab", "serve", "--port", "0"] + arguments
      process.standardOutput = output
      process.standardError = FileHandle.nullDevice
      try process.run()
      var text = ""
      while !text.contains("\n") {
        let data = output.fileHandleForReading.availableData
        try #require(!data.isEmpty, "the server ended without an address")
        text += String(decoding: data, as: UTF8.self)
      }
      address = String(try #require(text.split(separator: "\n").first?.split(separator: " ").last))
    }

    func stop(_ signal: Int32 = SIGTERM) -> Int32 {
      kill(process.processIdentifier, signal)
      process.waitUntilExit()
      return process.terminationStatus
    }

    deinit { if process.isRunning { process.terminate() } }
  }

  /// The status and text of a response.
  private func fetch(_ address: String) throws -> (status: Int, text: String) {
    let done = DispatchSemaphore(value: 0)
    let result = Mutex<(Int, String)>((0, ""))
    URLSession.shared.dataTask(with: try #require(URL(string: address))) { data, response, _ in
      let status = (response as? HTTPURLResponse)?.statusCode ?? 0
      result.withLock { $0 = (status, String(decoding: data ?? Data(), as: UTF8.self)) }
      done.signal()
    }.resume()
    done.wait()
    return result.withLock { $0 }
  }

  @Test("The server prints its address and ends when it is told to")
  func starts() throws {
    for signal in [SIGTERM, SIGINT] {
      let server = try Server([])
      #expect(server.address.hasPrefix("http://127.0.0.1:"))
      let (status, page) = try fetch(server.address)
      #expect(status == 200)
      #expect(page.contains("<title>Unroll"))
      #expect(server.stop(signal) == 0)
    }
  }

  @Test("Beyond loopback the address has a token, without which requests are refused")
  func token() throws {
    let server = try Server(["--host", "0.0.0.0"])
    let address = server.address.replacingOccurrences(of: "0.0.0.0", with: "127.0.0.1")
    #expect(address.contains("/?token="))
    let bare = try #require(address.split(separator: "?").first)
    #expect(try fetch(String(bare)).status == 401)
    #expect(server.stop() == 0)
  }

  @Test("What cannot be served is refused in a sentence")
  func refusals() throws {
    let command = CommandTests()
    let run = try command.unroll("lab", "serve", "--model", "/nowhere")
    #expect(run.status == 1)
    #expect(
      run.errors.contains(
        "--model: expected a run's folder, made by unroll train, found '/nowhere'"))
    #expect(try command.unroll("lab", "serve", "--port", "70000").status == 64)
    let server = try Server([])
    let port = try #require(URL(string: server.address)?.port)
    let taken = try command.unroll("lab", "serve", "--port", "\(port)")
    #expect(taken.status == 1)
    #expect(taken.errors.contains("127.0.0.1:\(port) cannot be listened at"))
    #expect(server.stop() == 0)
  }

  @Test("The page generates what the command generates, and names unknown words")
  func writes() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let run = folder + "/run"
      let trained = try CommandTests().run(
        ["train", folder + "/text", "--output", run, "--vocabulary-size", "9", "--max-steps", "60"]
          + ["--reset-each-line"] + LanguageCommandTests.small)
      #expect(trained.status == 0, "\(trained.errors)")
      let server = try Server(["--model", run])
      let fields = "temperature=0.7&top-k=4&top-p=0.6&seed=3&length=60"
      let page = try fetch("\(server.address)api/generate?prompt=the%20quuxed&\(fields)")
      let command = try CommandTests().run([
        "generate", run, "--prompt", "the quuxed", "--temperature", "0.7", "--top-k", "4",
        "--top-p", "0.6", "--seed", "3", "--length", "60",
      ])
      #expect(
        page.text.contains(
          "event: note\ndata: prompt: 1 word is not in the vocabulary: quuxed; read as <unk>\n"),
        "\(page.text.prefix(300))")
      let events = try page.text.split(separator: "\n").filter { $0.hasPrefix("data: {\"") }.map {
        try #require(
          JSONSerialization.jsonObject(with: Data($0.dropFirst(6).utf8)) as? [String: Any])
      }
      let text = events.filter { $0["isPrompt"] as? Bool == false }
        .compactMap { $0["text"] as? String }.joined()
      #expect(command.output == "the quuxed\(text)\n")
      #expect(text.contains("\n"))
      // For a damaged model the page shows why it generates nothing.
      try damage(run + "/model.safetensors")
      let refused = try fetch("\(server.address)api/generate?prompt=the")
      #expect(refused.status == 503)
      #expect(
        refused.text.contains("expected finite numbers, found 1 infinite or NaN in 'softmax.bias'"),
        "\(refused.text)")
      #expect(server.stop() == 0)
      let generated = try CommandTests().run(["generate", run])
      #expect(generated.status == 1 && generated.output.isEmpty)
      #expect(generated.errors.contains("found 1 infinite or NaN in 'softmax.bias'"))
      #expect(try CommandTests().run(["inspect", run]).output.contains("suspicious"))
    }
  }

  /// Sets an element of the softmax's bias to NaN, in a file without a checksum.
  private func damage(_ path: String) throws {
    var file = try Safetensors(AtomicFile.read(path))
    file.metadata["crc32"] = nil
    var bias = try #require(file.arrays["softmax.bias"]).tensor(of: Float.self).elements
    bias[2] = .nan
    file.arrays["softmax.bias"] = StoredArray(Tensor(shape: [bias.count], elements: bias))
    try AtomicFile.write(file.encoded(), to: path)
  }

  @Test(
    "A person drags, presses, follows links, reads and writes",
    .needs(.browser, .python))
  func browser() throws {
    try withTemporaryFolder { folder in
      let run = folder + "/run"
      let trained = try CommandTests().run([
        "train", "--output", run, "--max-steps", "60", "--threads", "1",
      ])
      #expect(trained.status == 0, "\(trained.errors)")
      let server = try Server(["--model", run])
      let shots = ProcessInfo.processInfo.environment["UNROLL_SCREENSHOTS"] ?? folder
      let (status, output) = try runScript(
        "page_in_browser.py", #require(preparedPython()),
        [server.address, CommandTests.binary.path, shots, run])
      let text = String(decoding: output, as: UTF8.self)
      #expect(status == 0, "\(text.suffix(1500))")
      #expect(text.contains("a redraw at the notebook's size takes"))
      #expect(server.stop() == 0)
    }
  }

  @Test(
    "In a browser no text of a figure is clipped or overlapped, and nothing overflows the page",
    .needs(.browser, .python))
  func figures() throws {
    let server = try Server([])
    let (status, output) = try runScript(
      "page_figures.py", #require(preparedPython()), [server.address])
    #expect(status == 0, "\(String(decoding: output, as: UTF8.self).suffix(1500))")
    #expect(server.stop() == 0)
  }

  @Test(
    "In a browser no text of a report is clipped or overlapped, and nothing overflows it",
    .needs(.browser, .python))
  func report() throws {
    let help = try CommandTests().unroll("help", "lab", "notebook").output
    // Figures of three draws of weights are as wide as those of a hundred.
    let few = help.contains("--weight-draws") ? ["--weight-draws", "3"] : []
    try withTemporaryFolder { folder in
      for arguments in [
        ["lab", "notebook"] + few, ["lab", "spectrum", "--cell", "lstm"],
        ["lab", "gates", "--cell", "lstm"],
        ["lab", "gradients", "--cell", "gru", "--parts"],
        ["lab", "notebook", "--hidden", "3", "--batch", "2", "--scale", "0", "--weight-draws", "0"]
          + ["--seed", "4294967295"],
        ["lab", "notebook", "--hidden", "1", "--batch", "1", "--time", "1", "--scale", "0,1000"]
          + ["--weight-draws", "1"],
        ["lab", "gradients", "--time", "2", "--batch", "2", "--scale", "1000"],
      ] {
        let report = "\(folder)/\(arguments.joined(separator: "-"))"
        let made = try CommandTests().run(arguments + ["--output", report])
        #expect(made.status == 0, "\(made.errors)")
        let (status, output) = try runScript(
          "report_in_browser.py", #require(preparedPython()), [report])
        #expect(status == 0, "\(String(decoding: output, as: UTF8.self).suffix(1000))")
      }
    }
  }

  @Test(
    "A hundred people drag at once: no answer but the right one and 429, and bounded memory",
    .needs(.python))
  func crowd() throws {
    let isLong = ProcessInfo.processInfo.environment["UNROLL_LONG_TESTS"] != nil
    let server = try Server([])
    let (status, output) = try runScript(
      "page_crowd.py", #require(preparedPython()),
      [server.address, "\(server.process.processIdentifier)", "100", isLong ? "60" : "5"])
    #expect(status == 0, "\(String(decoding: output, as: UTF8.self))")
    #expect(server.stop() == 0)
  }
}
