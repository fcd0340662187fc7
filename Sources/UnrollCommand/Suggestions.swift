// "Did you mean …?" for misspelt commands and values.

#if Command
internal import ArgumentParser
internal import UnrollFormats

/// A command that there is not.
struct UnknownCommand: Error, CustomStringConvertible {
  /// The sentence.
  let description: String
  /// The command whose subcommand it would be.
  let parent: any ParsableCommand.Type
}

enum Suggestions {
  private static func name(_ command: any ParsableCommand.Type) -> String {
    command.configuration.commandName ?? ""
  }

  /// The arguments with `help` in front, wherever among the commands it stands: `unroll lab help memory`.
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

  /// How a command is called, such as `unroll lab memory`; nil if it is none of this program's.
  private static func path(
    to command: any ParsableCommand.Type, from root: any ParsableCommand.Type = UnrollCommand.self
  ) -> String? {
    if command == root { return name(root) }
    return root.configuration.subcommands.lazy.compactMap { path(to: command, from: $0) }.first
      .map { "\(name(root)) \($0)" }
  }

  /// A mistake with the usage of the command that it was made in, as ArgumentParser has it while it parses.
  static func message(_ sentence: String, of command: any ParsableCommand.Type) -> String {
    guard let path = path(to: command) else { return "Error: \(sentence)" }
    return """
      Error: \(sentence)
      Usage: \(UnrollCommand.usageString(for: command))
        See '\(path) --help' for more information.
      """
  }

  /// Refuses a command that there is not.
  ///
  /// - Parameter arguments: What stands behind `unroll`.
  /// - Throws: `UnknownCommand` with the nearest command, and all that there are.
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

  /// A message about a value that is none of those which an option takes, with the nearest of them.
  ///
  /// ArgumentParser lists the values in quotes, `Please provide one of 'a', 'b' or 'c'`; this command's own messages are
  /// of the form `expected one of a, b, c, found 'd'`. Both are on the message's first line.
  static func improved(_ message: String) -> String {
    // What a value's own rule says stands for itself.
    let message = message.replacing(
      /^Error: The value '[^\n]*' is invalid for '(--[a-z0-9-]+)[^']*': expected/,
      with: { "Error: \($0.1): expected" }
    )
    // A long list of values, one on each line, becomes one of this command's own messages.
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
#endif
