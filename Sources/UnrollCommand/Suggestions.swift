// "Did you mean …?" for misspelt commands and values.

internal import ArgumentParser
internal import UnrollFormats

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
  /// ArgumentParser lists the values in quotes, `Please provide one of 'a', 'b' or 'c'`; this command's own messages are
  /// of the form `expected one of a, b, c, found 'd'`. Both are on the message's first line.
  static func improved(_ message: String) -> String {
    let lines = message.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = lines.first, !first.contains("id you mean"),
      let (typed, names) = choice(first),
      let nearest = NearestName.nearest(to: typed, among: names)
    else { return message }
    let stop = first.last.map { ".?".contains($0) } ?? true ? "" : "."
    return (["\(first)\(stop) Did you mean '\(nearest)'?"] + lines.dropFirst().map(String.init))
      .joined(separator: "\n")
  }

  /// What was typed, and the names that would have been taken.
  private static func choice(_ line: Substring) -> (typed: String, names: [String])? {
    if let list = line.firstRange(of: "Please provide one of ") {
      return quoted(line[..<list.lowerBound]).first.map { ($0, quoted(line[list.upperBound...])) }
    }
    guard
      let match = line.firstMatch(
        of: /expected one of ([^:;']+?), (?:which [^,']+, )?found '([^']+)'/)
    else { return nil }
    let names = match.1.split(separator: ",").map { name in
      String(name.drop { $0 == " " }.prefix { $0 != " " })
    }
    return (String(match.2), names)
  }

  private static func quoted(_ text: Substring) -> [String] {
    text.split(separator: "'", omittingEmptySubsequences: false).enumerated()
      .filter { $0.offset % 2 == 1 }.map { String($0.element) }
  }
}
