// "Did you mean …?" for misspelt commands and values.

#if Command
internal import ArgumentParser
internal import UnrollFormats

/// A command that does not exist.
struct UnknownCommand: Error, CustomStringConvertible {
  /// The sentence.
  let description: String
  /// The command that was to have this subcommand.
  let parent: any ParsableCommand.Type
}

enum Suggestions {
  private static func name(_ command: any ParsableCommand.Type) -> String {
    command.configuration.commandName ?? ""
  }

  /// Moves `help` to the front of the arguments, so that `unroll lab help memory` works like `unroll help lab memory`.
  static func askingForHelpFirst(_ arguments: [String]) -> [String] {
    var command: any ParsableCommand.Type = UnrollCommand.self
    var (asks, path, rest) = (false, [String](), arguments[...])
    while let argument = rest.first {
      let subcommands = command.configuration.subcommands
      if argument == "help", asks || !subcommands.isEmpty {
        asks = true
      } else if let next = subcommands.first(where: { name($0) == argument }) {
        command = next
        path.append(argument)
      } else {
        break
      }
      rest.removeFirst()
    }
    return (asks ? ["help"] : []) + path + rest
  }

  /// The full name of a command, such as `unroll lab memory`; nil for a command of another program.
  private static func path(
    to command: any ParsableCommand.Type, from root: any ParsableCommand.Type = UnrollCommand.self
  ) -> String? {
    if command == root { return name(root) }
    return root.configuration.subcommands.lazy.compactMap { path(to: command, from: $0) }.first
      .map { "\(name(root)) \($0)" }
  }

  /// The message for a mistake, followed by the usage of the command, in the format of ArgumentParser's own errors.
  static func message(_ sentence: String, of command: any ParsableCommand.Type) -> String {
    guard let path = path(to: command) else { return "Error: \(sentence)" }
    return """
      Error: \(sentence)
      Usage: \(UnrollCommand.usageString(for: command))
        See '\(path) --help' for more information.
      """
  }

  /// Refuses a command that does not exist.
  ///
  /// - Parameter arguments: The arguments after `unroll`.
  /// - Throws: `UnknownCommand` with the nearest command and the list of all commands.
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
      throw UnknownCommand(
        description:
          "\(path): unknown command '\(argument)'\(hint.isEmpty ? "." : hint) Commands: \(names.joined(separator: ", ")).",
        parent: command)
    }
  }

  /// Adds the nearest valid value to a message about an invalid one.
  ///
  /// ArgumentParser lists the values in quotes, `Please provide one of 'a', 'b' or 'c'`; this command's own messages are
  /// of the form `expected one of a, b, c, found 'd'`. Both are on the message's first line.
  static func improved(_ message: String) -> String {
    // A message that already says what was expected needs no introduction.
    let message = message.replacing(
      /^Error: The value '[^\n]*' is invalid for '(--[a-z0-9-]+)[^']*': expected/,
      with: { "Error: \($0.1): expected" }
    )
    // ArgumentParser prints a long list of values on separate lines; rewrite it in this command's own format.
    .replacing(
      /^Error: The value '([^'\n]*)' is invalid for '(--[a-z0-9-]+)[^']*'\. Please provide one of the following:\n((?:  - [^\n]*\n?)+)/,
      with: { match in
        let values = match.3.split(separator: "\n").map { $0.dropFirst(4) }
        return
          "Error: \(match.2): expected one of \(values.joined(separator: ", ")), found '\(match.1)'\n"
      })
    let lines = message.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = lines.first, !first.contains("id you mean"),
      let (typed, names) = choice(first),
      let nearest = NearestName.nearest(to: typed, among: names)
    else { return message }
    let stop = first.last.map { ".?".contains($0) } ?? true ? "" : "."
    return (["\(first)\(stop) Did you mean '\(nearest)'?"] + lines.dropFirst().map(String.init))
      .joined(separator: "\n")
  }

  /// The value that was typed and the valid ones.
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
#endif
