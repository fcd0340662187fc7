// All routes of the page, behind the guard.

internal import Foundation

/// Request handlers by path.
package struct Routes {
  package typealias Handler = @Sendable (HTTPRequest, _ name: String) throws -> HTTPResponse

  private var whole: [String: Handler] = [:]
  private var folders: [String: Handler] = [:]

  /// Adds a path; one that ends in `/*` matches all names in it without separate routes.
  package mutating func get(_ path: String, _ handler: @escaping Handler) {
    if path.hasSuffix("*") {
      folders[String(path.dropLast())] = handler
    } else {
      whole[path] = handler
    }
  }

  /// Answers a request.
  ///
  /// - Throws: `WebError` if the path does not exist, and errors of the handler.
  package func respond(to request: HTTPRequest) throws -> HTTPResponse {
    let path = request.path
    if let handler = whole[path] { return try handler(request, "") }
    let name = path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    guard !name.isEmpty, let handler = folders[String(path.dropLast(name.count))] else {
      throw WebError(
        status: 404, sentence: "address: expected one of the page's own, found none here")
    }
    return try handler(request, String(name))
  }
}

/// The page and its resources.
package struct Site: Sendable {
  private let webGuard: WebGuard
  private let routes: @Sendable (HTTPRequest) throws -> HTTPResponse

  /// The files of the folder `Page`, embedded in the program.
  private static let pages: [(path: String, type: String, bytes: [UInt8])] = {
    let scripts = [
      ("api", PackageResources.api_js), ("lab", PackageResources.lab_js),
      ("model", PackageResources.model_js), ("settings", PackageResources.settings_js),
    ]
    let page = FormTable.page(String(decoding: PackageResources.page_html, as: UTF8.self))
    return [
      ("/", "text/html; charset=utf-8", Array(page.utf8)),
      ("/page.css", "text/css; charset=utf-8", PackageResources.page_css),
      ("/icon.svg", "image/svg+xml", PackageResources.icon_svg),
      // Browsers request this file when a figure is opened directly.
      ("/favicon.ico", "image/svg+xml", PackageResources.icon_svg),
    ] + scripts.map { ("/\($0).js", "text/javascript; charset=utf-8", $1) }
  }()

  package init(_ access: AccessRules, workers: FigureWorkers, run: String?) {
    webGuard = WebGuard(access: access)
    var routes = Routes()
    for page in Self.pages {
      routes.get(page.path) { _, _ in HTTPResponse(type: page.type, page.bytes) }
    }
    LabRoutes(workers: workers).add(to: &routes)
    LanguageRoutes(workers: workers, run: run).add(to: &routes)
    self.routes = { [routes] in try routes.respond(to: $0) }
  }

  /// Answers a request; errors become responses.
  package func respond(to request: HTTPRequest) -> HTTPResponse {
    do {
      do {
        if let response = try webGuard.admit(request) { return response }
      } catch {
        var response = HTTPResponse.text(error.status, error.sentence)
        // A rejected client may send a body, or more such requests.
        response.endsConnection = true
        return response
      }
      return try routes(request)
    } catch let error as WebError {
      return .text(error.status, error.sentence)
    } catch is CancellationError {
      return .text(503, "cancelled: the client disconnected, or the server is shutting down")
    } catch {
      report(error)
      return .text(500, "internal error; see the server's terminal")
    }
  }
}

/// Prints an error that may contain file names to the server's terminal.
func report(_ error: any Error) {
  FileHandle.standardError.write(Data("\(error)\n".utf8))
}
