#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollLanguage
internal import UnrollPlatform
internal import UnrollWeb

struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve the lab as an interactive page (localhost by default).",
    discussion: """
      The page's address is printed; Ctrl-C stops the server. Other machines can reach the page only with --host, and \
      need the token in the printed address.

      EXAMPLES
        unroll lab serve --open
        unroll lab serve --model run
        unroll lab serve --host 0.0.0.0 --port 9000
      """)

  @Flag(help: "Open the page in the browser.") var open = false
  @Option(
    help: ArgumentHelp(
      "Folder of a language model's run, for the page's second part. (default: none)",
      valueName: "run"))
  var model: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Port, 0 ... 65535; 0 for any that is free.", valueName: "number"))
  var port = 8080
  @Option(help: ArgumentHelp("Address to listen at.", valueName: "address"))
  var host = "127.0.0.1"

  func validate() throws {
    guard (0...65_535).contains(port) else {
      throw ValidationError("--port: expected 0 ... 65535, found \(port).")
    }
  }

  func run() throws {
    if let model, !RunFolder(model).hasRun {
      throw DataError(
        description: "--model: expected a run's folder, made by unroll train, found '\(model)'")
    }
    let server = WebServer(host: host, port: port, run: model)
    if !server.isLoopback {
      Terminal.note(
        "warning: \(host) can be reached by other machines; whoever has the address below can use the page"
      )
    }
    // Requests are many and small, so each is computed on one thread.
    Threads.count = 1
    Self.openStandardStreams()
    // If the limit stays lower, the server allows fewer connections, or reports that they are too few.
    OpenFileLimit.raise(to: WebServer.wantedOpenFiles)
    do {
      try server.serve { address in
        Self.tell("page: \(address)\n")
        if open { Self.show(address) }
      }
    } catch let error as WebServerError {
      throw DataError(description: error.description)
    } catch {
      throw DataError(description: "the page ended: \(error)")
    }
  }

  /// Prints the address on standard output or, if that fails, on standard error.
  private static func tell(_ line: String) {
    do { try Terminal.output(Array(line.utf8)) } catch { Terminal.write(line) }
  }

  /// Opens missing standard streams, so that no connection gets their descriptors and receives output meant for the
  /// terminal.
  private static func openStandardStreams() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
      // Standard output is opened for reading only, so that writing fails and the address goes to standard error.
      _ = Foundation.open("/dev/null", descriptor == STDERR_FILENO ? O_RDWR : O_RDONLY)
    }
  }

  /// Opens an address in the browser, if there is one.
  private static func show(_ address: String) {
    let opener = Process()
    #if os(macOS)
    opener.executableURL = URL(fileURLWithPath: "/usr/bin/open")
    #else
    opener.executableURL = URL(fileURLWithPath: "/usr/bin/xdg-open")
    #endif
    opener.arguments = [address]
    if (try? opener.run()) == nil {
      Terminal.note("no browser could be opened; open the address by hand")
    }
  }
}
#endif
