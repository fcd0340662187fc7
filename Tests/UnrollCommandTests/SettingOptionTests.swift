// The options of `unroll train` that set fields of config.json: every setting has one, it sets that field alone, and
// messages name it.

import Foundation
import Testing
import UnrollLanguage
import UnrollTestSupport

@Suite("Options that set fields of config.json")
struct SettingOptionTests {
  private let command = CommandTests()

  /// The fields that a file of settings has, with their values as text, and the options that its comments name.
  private func fields(
    _ file: String
  ) -> (values: [String: String], options: [String: [String]]) {
    var (path, comment) = ([String](), Substring())
    var (values, options) = ([String: String](), [String: [String]]())
    for line in file.split(separator: "\n").map({ $0.drop { $0 == " " } }) {
      if line.hasPrefix("//") { comment = line }
      if line.hasPrefix("}") { _ = path.popLast() }
      guard let match = line.firstMatch(of: /^"([a-z0-9_]+)": (.*?),?$/) else { continue }
      let place = path + [String(match.1)]
      guard match.2 != "{" else {
        path = place
        continue
      }
      let name = place.joined(separator: ".")
      values[name] = String(match.2)
      options[name] = comment.matches(of: /--([a-z0-9-]+)/).map { String($0.1) }
    }
    return (values, options)
  }

  private func shown(_ arguments: [String]) throws -> [String: String] {
    let outcome = try command.run(["train", "text", "--show-config"] + arguments)
    #expect(outcome.status == 0, "\(arguments): \(outcome.errors)")
    return fields(outcome.output).values
  }

  /// The option of each setting that has one.
  private func options() throws -> [(setting: Setting, option: String)] {
    let file = try command.run(["train", "--show-config"]).output
    let named = fields(file).options
    let schedule = [
      "training.schedule": "constant-rate", "training.schedule.decay.factor": "decay",
      "training.schedule.decay.after_epoch": "decay-after",
      "training.schedule.plateau.factor": "plateau",
    ]
    #expect(Set(named["training.schedule"] ?? []) == Set(schedule.values))
    return try Settings.all.compactMap { setting in
      if let option = schedule[setting.path] { return (setting, option) }
      let own = try #require(named[setting.path], "\(setting.path)")
      #expect(own.count <= 1, "\(setting.path): \(own)")
      return own.first.map { (setting, $0) }
    }
  }

  /// Arguments that give a setting another value than it has by default, or than `small` runs have.
  private func arguments(_ setting: Setting, _ option: String) -> [String] {
    switch setting.path {
    case "training.schedule": return ["--\(option)"]
    case "training.schedule.decay.after_epoch": return ["--decay", "0.5", "--\(option)", "7"]
    case "training.halves_on_divergence": return ["--\(option)", "halve"]
    // The cell that is last in the list, janet, has chrono steps of its own.
    case "model.cell": return ["--\(option)", "mgu"]
    case "split": return ["--\(option)", "0.8,0.1,0.1"]
    default: break
    }
    if setting.placeholder == "yes" { return ["--\(option)"] }
    return switch setting.values {
    case .integers, .integersFrom: ["--\(option)", "7"]
    case .nonNegative, .fraction, .factor, .finite: ["--\(option)", "0.625"]
    case .words(let words): ["--\(option)", words.last ?? ""]
    case .any: ["--\(option)", "file"]
    }
  }

  @Test("Every setting has an option, and every option of the groups of settings has a setting")
  func pairs() throws {
    let options = try options()
    let without = Set(Settings.all.map(\.path)).subtracting(options.map(\.setting.path))
    #expect(without == ["corpus", "model.vocabulary_size", "version"])
    #expect(Set(options.map(\.option)).count == options.count)
    let help = try command.run(["train", "--help"]).output
    var (group, found) = ("", Set<String>())
    let groups: Set = [
      "TEXT", "MODEL", "OPTIMIZATION", "LENGTH AND VALIDATION", "REGULARIZATION",
      "INITIALIZATION",
    ]
    for line in help.split(separator: "\n") {
      if let title = line.firstMatch(of: /^([A-Z ]+):$/) { group = String(title.1) }
      guard groups.contains(group), let match = line.firstMatch(of: /^  --([a-z0-9-]+)/) else {
        continue
      }
      found.insert(String(match.1))
    }
    // One that sets three fields, and one of the session.
    let expected = Set(options.map(\.option)).subtracting(["preset"])
    #expect(found == expected.union(["dropout", "time-budget"]))
    let words = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    for (setting, option) in options where !["constant-rate", "on-divergence"].contains(option) {
      guard option != "preset" else { continue }
      #expect(words.contains(setting.summary), "\(option)")
      let range = setting.values.range.map { "(\($0)" } ?? ""
      #expect(words.contains("\(setting.summary) \(range)") || option == "decay-after")
    }
  }

  @Test("An option sets its field and no other")
  func fields() throws {
    let base = [
      "--cell", "lstm", "--hidden-size", "50", "--weights", "x", "--patience", "9",
    ]
    let before = try shown(base)
    for (setting, option) in try options() where option != "preset" {
      let values = try shown(base + arguments(setting, option))
      let changed = Set(values.keys.filter { values[$0] != before[$0] })
      let path =
        setting.path.hasPrefix("training.schedule") ? "training.schedule" : setting.path
      #expect(changed == [path], "--\(option)")
    }
    let dropout = try shown(["--dropout", "0.3", "--dropout-output", "0.4"])
    #expect(dropout["model.dropout.input"] == "0.3" && dropout["model.dropout.hidden"] == "0.3")
    #expect(dropout["model.dropout.output"] == "0.4")
    // A number that cannot be sharded is none in the file.
    #expect(try shown(["--shards", "1"])["training.shards"] == "null")
  }

  @Test("An impossible value of any setting is told with its option, and no field's name")
  func impossible() throws {
    for (setting, option) in try options() {
      var cases: [(value: String, expected: String)] = []
      switch setting.values {
      case .integers(let range):
        for value in [-1, range.lowerBound - 1, range.upperBound + 1] {
          cases.append(("\(value)", "expected \(range.lowerBound) ... \(range.upperBound), found "))
        }
      case .integersFrom(let least):
        for value in [-1, least - 1] {
          cases.append(("\(value)", "expected at least \(least), found \(value)"))
        }
      case .nonNegative:
        for value in ["-1.0", "nan", "inf"] {
          cases.append((value, "expected a number of at least 0, found \(value)"))
        }
      case .fraction:
        for value in ["-0.5", "1.0", "nan"] {
          cases.append((value, "expected 0 up to, but not including, 1, found \(value)"))
        }
      case .factor:
        for value in ["0.0", "1.5", "nan"] {
          cases.append((value, "expected more than 0 and at most 1, found \(value)"))
        }
      case .finite: cases.append(("nan", "expected a finite number, found nan"))
      case .words, .any: continue
      }
      for (value, expected) in cases {
        let more = option == "decay-after" ? ["--decay", "0.5"] : []
        let outcome = try command.run(["train", "text", "--\(option)", value] + more)
        let line = outcome.errors.split(separator: "\n").first ?? ""
        #expect(outcome.status == 64)
        #expect(line.hasPrefix("Error: --\(option): \(expected)"), "\(line)")
        #expect(!line.contains("_"), "\(line)")
      }
    }
  }

  @Test("A run that goes on refuses an option that would change it, by name, with both values")
  func resumed() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let run = folder + "/run"
      #expect(
        try command.run(
          ["train", folder + "/text", "--output", run, "--max-steps", "2"]
            + LanguageCommandTests.small
        ).status == 0)
      let resume = ["train", "--resume", "--output", run]
      let changeable = ["epochs", "max-steps", "log-every", "on-divergence"]
      for (setting, option) in try options() where !changeable.contains(option) {
        let refused = try command.run(resume + arguments(setting, option))
        // The epoch of a decay comes with the decay, which is refused first.
        let name = option == "decay-after" ? "decay" : option
        #expect(refused.status == 64, "--\(option)")
        #expect(refused.errors.hasPrefix("Error: --\(name): expected "), "\(refused.errors)")
        #expect(refused.errors.contains(", with which the run was started, found "))
      }
      #expect(
        try command.run(resume + ["--validate-every", "50"]).errors.hasPrefix(
          "Error: --validate-every: expected none, with which the run was started, found 50; with --resume only CORPUS"
        ))
      #expect(
        try command.run(resume + ["--constant-rate"]).errors.hasPrefix(
          "Error: --constant-rate: expected plateau factor 0.25, with which the run was started, found constant; with"
        ))
      // The same value again changes nothing.
      let same = try command.run(
        resume + ["--learning-rate", "0.01", "--dropout", "0.1", "--max-steps", "3"])
      #expect(same.status == 0, "\(same.errors)")
    }
  }

  @Test("Chrono steps follow the time steps of a janet, unless they were given")
  func chrono() throws {
    try withTemporaryFolder { folder in
      let file = folder + "/settings"
      func steps(_ arguments: [String]) throws -> String? {
        try shown(arguments)["training.initialization.chrono_steps"]
      }
      func keep(_ arguments: [String]) throws {
        let shown = try command.run(["train", "text", "--show-config"] + arguments)
        try shown.output.write(toFile: file, atomically: true, encoding: .utf8)
      }
      try keep(["--cell", "janet", "--time-steps", "20"])
      #expect(try steps(["--config", file]) == "20")
      #expect(try steps(["--config", file, "--time-steps", "40"]) == "40")
      #expect(try steps(["--config", file, "--time-steps", "40", "--chrono-steps", "9"]) == "9")
      #expect(try steps(["--config", file, "--cell", "lstm"]) == "null")
      try keep(["--cell", "janet", "--time-steps", "20", "--chrono-steps", "9"])
      #expect(try steps(["--config", file, "--time-steps", "40"]) == "9")
      #expect(try steps(["--config", file, "--cell", "lstm"]) == "null")
      try keep(["--cell", "lstm", "--time-steps", "20", "--chrono-steps", "9"])
      #expect(try steps(["--config", file, "--time-steps", "40"]) == "9")
      try LanguageCommandTests.writeCorpus(folder + "/text")
      for (options, words) in [
        (["--time-steps", "5"], "chrono biases for up to 5 steps (as many as time steps)\n"),
        (["--chrono-steps", "9"], "chrono biases for up to 9 steps\n"),
      ] {
        let begun = try command.run(
          ["train", folder + "/text", "--output", "\(folder)/\(options[1])", "--cell", "janet"]
            + ["--max-steps", "1", "--hidden-size", "8", "--batch-size", "8"] + options)
        #expect(begun.errors.contains(words), "\(begun.errors)")
      }
    }
  }
}
