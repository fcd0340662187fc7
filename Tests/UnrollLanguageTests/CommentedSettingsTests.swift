// Settings as a commented file, the list of fields, the remaining time of a run, and its memory limit.

import Foundation
import Testing
import UnrollLanguage
import UnrollPlatform
import UnrollTestSupport

@Suite("Settings as a commented file")
struct CommentedSettingsTests {
  private func settings(_ preset: Preset, corpus: String? = nil) -> RunConfiguration {
    RunConfiguration(preset: preset, corpus: corpus, version: "0")
  }

  /// The paths of all fields in a tree of JSON; a schedule is one value.
  private func paths(_ value: Any, below path: [String] = []) -> Set<String> {
    let place = path.joined(separator: ".")
    guard let object = value as? [String: Any], place != "training.schedule" else { return [place] }
    return object.reduce(into: []) { $0.formUnion(paths($1.value, below: path + [$1.key])) }
  }

  @Test("Every field of the file is in the list of fields, with what it does, and no other")
  func fields() throws {
    let text = try settings(Preset.all[0]).commented(title: ["Title"]) { _ in nil }
    let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }
    let json = lines.filter { !$0.hasPrefix("//") }.joined(separator: "\n")
    let found = paths(try JSONSerialization.jsonObject(with: Data(json.utf8)))
    let listed = Settings.all.map(\.path).filter { !$0.hasPrefix("training.schedule.") }
    #expect(found == Set(listed))
    #expect(Set(listed).count == listed.count)
    #expect(lines.first == "// Title")
    for (index, line) in lines.enumerated() where line.hasPrefix("\"") && !line.hasSuffix("{") {
      #expect(lines[index - 1].hasPrefix("// "), "\(line)")
    }
  }

  @Test("What is written is read again as the same settings")
  func roundTrip() throws {
    for preset in Preset.all {
      var settings = settings(preset, corpus: "a//b \"c\"\n// d")
      settings.model.learnsInitialState = true
      settings.training.maximumSteps = 7
      settings.training.initialization.recurrentRange = 0.1 + 0.2
      let text = try settings.commented(title: ["One", "two"]) { $0 }
      #expect(text.contains("// Learning rate. (at least 0; training.learning_rate)\n"))
      try withTemporaryFolder { folder in
        let path = folder + "/settings"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        #expect(try RunConfiguration(contentsOf: path) == settings)
      }
    }
  }

  @Test("Comments move no line and no column of an error, and only whole lines are comments")
  func errors() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/settings"
      for (text, sentence) in [
        (
          "// one\n  // two\n{ \"preset\" 1 }",
          "line 3, column 12: expected ':' behind 'preset', found '1'"
        ),
        ("{ // one\n}", "line 1, column 3: expected a field's name in quotes, found '//'"),
      ] {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let error = #expect(throws: RunError.self) { try RunConfiguration(contentsOf: path) }
        #expect(error?.description == "\(path): \(sentence)")
      }
    }
  }
}

@Suite("What a run takes")
struct RunCostTests {
  private func progress(_ values: [String: Double]) throws -> TrainingProgress {
    let zero: [String: Any] = [
      "step": 0, "epoch": 1, "symbols": 0, "position": 0, "epochLoss": 0, "epochSymbols": 0,
      "validations": [Double](), "rateFactor": 1, "averagedSteps": 0, "seconds": 0,
      "epochSeconds": 0, "metricsBytes": 0, "eventBytes": 0,
    ]
    let json = try JSONSerialization.data(withJSONObject: zero.merging(values) { $1 })
    return try JSONDecoder().decode(TrainingProgress.self, from: json)
  }

  @Test("The time that is left is the least of what epochs, steps and the time budget leave")
  func timeLeft() throws {
    let start = ContinuousClock.now
    var training = TrainingConfiguration()
    training.epochs = 4
    var left = TimeLeft(training, budget: nil, start: start)
    #expect(try left.seconds(after: progress([:]), epochFraction: 0, at: start) == nil)
    // 100 steps in 20 s are half of the first of 4 epochs.
    let now = try progress(["step": 100, "seconds": 20, "epochSeconds": 20])
    let moment = start + .seconds(25)
    #expect(left.seconds(after: now, epochFraction: 0.5, at: moment) == 140)
    // A validation of 3 s after each of the four.
    left.noteValidation(at: moment + .seconds(3))
    #expect(left.seconds(after: now, epochFraction: 0.5, at: moment) == 152)
    training.maximumSteps = 150
    left = TimeLeft(training, budget: nil, start: start)
    #expect(left.seconds(after: now, epochFraction: 0.5, at: moment) == 10)
    left = TimeLeft(training, budget: 30, start: start)
    #expect(left.seconds(after: now, epochFraction: 0.5, at: moment) == 5)
    #expect(left.seconds(after: now, epochFraction: 0.5, at: start + .seconds(40)) == 0)
    left = TimeLeft(training, budget: 60, start: start)
    #expect(left.seconds(after: now, epochFraction: 0.5, at: moment) == 10)
  }

  @Test("Memory limits of control groups are found in both versions, and the smallest counts")
  func groups() throws {
    try withTemporaryFolder { root in
      func write(_ path: String, _ text: String) throws {
        let url = URL(fileURLWithPath: root + path)
        try FileManager.default.createDirectory(
          at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: url, atomically: true, encoding: .utf8)
      }
      #expect(ProcessMemory.groupLimit(root: root) == nil)
      try write("/proc/self/cgroup", "0::/outer/inner\n")
      try write("/sys/fs/cgroup/outer/inner/memory.max", "max\n")
      #expect(ProcessMemory.groupLimit(root: root) == nil)
      try write("/sys/fs/cgroup/outer/memory.max", "3000000\n")
      #expect(ProcessMemory.groupLimit(root: root) == 3_000_000)
      try write("/sys/fs/cgroup/outer/inner/memory.max", "4000000\n")
      #expect(ProcessMemory.groupLimit(root: root) == 3_000_000)
      // A container sees its own group as the root of the mount.
      try write("/proc/self/cgroup", "4:cpu,memory:/docker/1\n0::/\n")
      #expect(ProcessMemory.groupLimit(root: root) == nil)
      try write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n")
      #expect(ProcessMemory.groupLimit(root: root) == 2_000_000)
      try write("/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "1000000\n")
      #expect(ProcessMemory.groupLimit(root: root) == 1_000_000)
    }
    #expect(ProcessMemory.limit > 1_048_576)
  }
}
