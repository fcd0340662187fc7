#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollLanguage
internal import UnrollWeb

struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "The lab as a live page, on this machine alone.",
    discussion: """
      Prints the page's address and serves until it is stopped (Ctrl-C). Other machines can reach it only \
      with --host, and then need the token in the address that is printed.
      """)

  @Option(parsing: .unconditional, help: "The port, 1 ... 65535; 0 for any that is free.")
  var port = 8080
  @Option(help: "The address to listen at.") var host = "127.0.0.1"
  @Flag(help: "Open the page in the browser.") var open = false
  @Option(
    help: ArgumentHelp("A language model's run, for the page's second part.", valueName: "run"))
  var model: String?

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
    // Requests are many and small: each is computed on one thread.
    Threads.count = 1
    Self.openStandardStreams()
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

  /// Tells the address on standard output, or where nobody takes it, on standard error.
  private static func tell(_ line: String) {
    do { try Terminal.output(Array(line.utf8)) } catch { Terminal.write(line) }
  }

  /// Opens the standard streams that this process was started without, so that no connection takes their
  /// place and gets what is meant for the terminal.
  private static func openStandardStreams() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
      // Opened for reading alone, so that writing is an error and the address is told elsewhere.
      _ = Foundation.open("/dev/null", descriptor == STDERR_FILENO ? O_RDWR : O_RDONLY)
    }
  }

  /// Opens an address in the browser; where there is none, it has been printed.
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
