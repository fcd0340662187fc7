// "Did you mean …?" for misspelt commands and values.

internal import ArgumentParser
internal import UnrollLanguage

enum Suggestions {
  private static func name(_ command: any ParsableCommand.Type) -> String {
    command.configuration.commandName ?? ""
  }

  /// Refuses a command that there is not.
  ///
  /// - Parameter arguments: What stands behind `unroll`.
  /// - Throws: `ValidationError` with the nearest command, and all that there are.
  static func checkCommand(_ arguments: [String]) throws {
    var arguments = arguments[...]
    if arguments.first == "help" { arguments.removeFirst() }
    var (command, path): (any ParsableCommand.Type, String) = (UnrollCommand.self, "unroll")
    for argument in arguments {
      let subcommands = command.configuration.subcommands
      guard !subcommands.isEmpty, !argument.hasPrefix("-") else { return }
      if let next = subcommands.first(where: { name($0) == argument }) {
        (command, path) = (next, "\(path) \(argument)")
        continue
      }
      let names = subcommands.map(name)
      let hint = NearestName.hint(for: argument, among: names)
      throw ValidationError(
        "\(path): unknown command '\(argument)'\(hint.isEmpty ? "." : hint) Commands: \(names.joined(separator: ", "))."
      )
    }
  }

  /// A message about a value that is none of those which an option takes, with the nearest of them.
  ///
  /// ArgumentParser lists the values, each in quotes, on the message's first line.
  static func improved(_ message: String) -> String {
    let lines = message.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = lines.first, let list = first.firstRange(of: "Please provide one of ") else {
      return message
    }
    let typed = quoted(first[..<list.lowerBound]).first ?? ""
    guard let nearest = NearestName.nearest(to: typed, among: quoted(first[list.upperBound...]))
    else {
      return message
    }
    return (["\(first) Did you mean '\(nearest)'?"] + lines.dropFirst().map(String.init))
      .joined(separator: "\n")
  }

  private static func quoted(_ text: Substring) -> [String] {
    text.split(separator: "'", omittingEmptySubsequences: false).enumerated()
      .filter { $0.offset % 2 == 1 }.map { String($0.element) }
  }
}
