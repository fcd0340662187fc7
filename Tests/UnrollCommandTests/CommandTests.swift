// Runs the built command: exit codes, messages, files.

import Foundation
import Testing
import UnrollTestSupport

@Suite("The unroll command")
struct CommandTests {
  /// The command next to the test bundle.
  static let binary: URL = {
    var folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    for bundle in Bundle.allBundles where bundle.bundlePath.hasSuffix(".xctest") {
      folder = bundle.bundleURL.deletingLastPathComponent()
    }
    return folder.appendingPathComponent("unroll")
  }()

  struct Outcome {
    var status: Int32
    var output: String
    var errors: String
  }

  func unroll(_ arguments: String..., environment: [String: String] = [:]) throws -> Outcome {
    try run(arguments, environment: environment)
  }

  func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
    let process = Process()
    process.executableURL = Self.binary
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    return try withTemporaryFolder { folder in
      // Output goes to files, because a full pipe would block the command.
      let paths = (out: folder + "/out", errors: folder + "/errors")
      for path in [paths.out, paths.errors] {
        try Data().write(to: URL(fileURLWithPath: path))
      }
      process.standardOutput = FileHandle(forWritingAtPath: paths.out)
      process.standardError = FileHandle(forWritingAtPath: paths.errors)
      try process.run()
      process.waitUntilExit()
      return Outcome(
        status: process.terminationStatus,
        output: try String(contentsOfFile: paths.out, encoding: .utf8),
        errors: try String(contentsOfFile: paths.errors, encoding: .utf8))
    }
  }

  @Test("Sizes that exceed the memory of any machine are refused in a sentence")
  func impossibleSizes() throws {
    for (arguments, sentence) in [
      (["gates", "--hidden", "4000000000000000000"], "sizes: "),
      (["memory", "--cell", "lstm", "--hidden", "4000000000000000000"], "sizes: "),
      (["parity", "--time", "-9223372036854775808"], "time: expected"),
      (["gru-as-rnn", "--time", "-9223372036854775808"], "time: expected"),
    ] {
      let refused = try run(["lab"] + arguments)
      #expect(refused.status == 1, "\(arguments)")
      #expect(refused.errors.contains(sentence), "\(refused.errors)")
    }
  }

  @Test("Every experiment accepts a number of threads and prints the same for any")
  func threads() throws {
    let sizes = ["--hidden", "40", "--input", "5", "--batch", "30", "--time", "40"]
    for experiment in ["memory", "gradients", "spectrum", "gates"] {
      let results = try ["1", "3"].map {
        try run(["lab", experiment, "--cell", "gru", "--json", "--threads", $0] + sizes)
      }
      #expect(results[0].status == 0 && !results[0].output.isEmpty, "\(results[0].errors)")
      #expect(results[0].output == results[1].output)
    }
    #expect(try unroll("info", "--threads", "3").output.contains("threads            3 of "))
    for command in [
      ["lab"], ["lab", "parity"], ["lab", "gru-as-rnn"], ["train"], ["generate", "run"],
      ["evaluate", "run", "file"], ["bench"],
    ] {
      for count in ["0", "-1", "257"] {
        let refused = try run(command + ["--threads", count])
        #expect(refused.status == 64)
        #expect(refused.errors.contains("--threads: expected 1 ... 256, found \(count)."))
      }
    }
  }

  @Test(
    "--threads is the number of threads, in whichever group of options a command has it",
    .needs(.threadFolder))
  func threadsAreUsed() throws {
    try withTemporaryFolder { folder in
      for (given, expected) in [("1", 1...3), ("7", 7...9)] {
        let run = "\(folder)/run-\(given)"
        for command in [
          ["lab", "memory", "--hidden", "64", "--batch", "400", "--time", "400"],
          ["train", "--output", run, "--max-steps", "30"],
        ] {
          let process = Process()
          process.executableURL = Self.binary
          process.arguments = command + ["--threads", given]
          process.standardOutput = FileHandle.nullDevice
          process.standardError = FileHandle.nullDevice
          try process.run()
          var most = 0
          while process.isRunning {
            let threads = "/proc/\(process.processIdentifier)/task"
            most = max(
              most, (try? FileManager.default.contentsOfDirectory(atPath: threads))?.count ?? 0)
            usleep(500)
          }
          #expect(process.terminationStatus == 0)
          #expect(expected.contains(most), "\(command) with \(given): \(most) threads")
        }
      }
    }
  }

  @Test("verify prints a line for each case and a summary, and exits with 0 if none failed")
  func verify() throws {
    let result = try unroll("verify", goldenFolder, "--filter", "BasicRNNCell_T5")
    #expect(result.status == 0)
    #expect(result.output.contains("passed        BasicRNNCell_T5_B4_I3_H2_f64"))
    #expect(
      result.output.hasSuffix("4 cases: 4 passed, 0 failed, 0 in error, 0 not readable yet\n"))
  }

  @Test("verify --json is JSON with a verdict, bounds and errors for each case")
  func verifyJSON() throws {
    let result = try unroll("verify", goldenFolder, "--filter", "GRUCell_T5", "--json")
    let json = try #require(
      JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    let cases = try #require(json["cases"] as? [[String: Any]])
    #expect(json["passed"] as? Int == cases.count)
    for golden in cases {
      #expect(golden["verdict"] as? String == "passed")
      let checks = try #require(golden["checks"] as? [[String: Any]])
      #expect(checks.contains { $0["quantity"] as? String == "gw.x" })
    }
  }

  @Test("verify reports an array of another size and continues")
  func verifyOtherSizes() throws {
    try withTemporaryFolder { folder in
      let data = try Data(contentsOf: URL(fileURLWithPath: goldenFolder + "/index.json"))
      var index = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
      let cases = try #require(index["cases"] as? [[String: Any]])
      var entry = try #require(cases.first { $0["name"] as? String == "notebook_toy_seed15009" })
      entry["calls"] = [["f": "rand", "a": [2], "array": "00"]]
      index["cases"] = [entry]
      try JSONSerialization.data(withJSONObject: index)
        .write(to: URL(fileURLWithPath: folder + "/index.json"))
      try FileManager.default.copyItem(
        atPath: goldenFolder + "/numpy_rng", toPath: folder + "/numpy_rng")
      let result = try unroll("verify", folder)
      #expect(result.status == 1)
      #expect(result.output.contains("rand cannot be compared (over its bound)"))
      #expect(
        result.output.hasSuffix("1 cases: 0 passed, 1 failed, 0 in error, 0 not readable yet\n"))
    }
  }

  @Test("A folder without a golden set and a filter without matches exit with 1 and one sentence")
  func verifyRefusals() throws {
    let missing = try unroll("verify", "/nonexistent")
    #expect(missing.status == 1)
    #expect(
      missing.errors
        == "Error: /nonexistent/index.json: cannot be read: No such file or directory\n")
    let nothing = try unroll("verify", goldenFolder, "--filter", "no such case")
    #expect(nothing.status == 1)
    #expect(nothing.errors == "Error: \(goldenFolder): no case contains 'no such case'\n")
  }

  @Test("lab writes a report and prints its numbers next to the notebook's", .tags(.slow))
  func lab() throws {
    try withTemporaryFolder { folder in
      let result = try unroll(
        "lab", "--output", folder + "/report", "--scale", "0.5,2", "--weight-draws", "3")
      #expect(result.status == 0)
      #expect(result.output.contains("2.1864e-07"))
      #expect(!result.output.contains("FAILS"))
      #expect(result.errors.contains("report: \(folder)/report/index.html"))
      for suggestion in ["unroll lab serve --open", "unroll lab memory --cell gru", "unroll train"]
      {
        #expect(result.errors.contains("\n  \(suggestion)"))
      }
      let json = try #require(
        JSONSerialization.jsonObject(
          with: Data(contentsOf: URL(fileURLWithPath: folder + "/report/results.json")))
          as? [String: Any])
      #expect((json["comparison"] as? [Any])?.count == 48)
    }
  }

  @Test("Settings that are refused leave no folder behind")
  func refusedSettings() throws {
    try withTemporaryFolder { folder in
      for arguments in [["memory", "--hidden", "0"], ["gru-as-rnn", "--bias", "nan"]] {
        #expect(try run(["lab"] + arguments + ["--output", folder + "/report"]).status == 1)
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left == [])
    }
  }

  @Test("An interrupted report leaves the previous report and no files of its own", .tags(.slow))
  func interruption() throws {
    try withTemporaryFolder { folder in
      let report = folder + "/report"
      #expect(
        try unroll("lab", "--scale", "1", "--weight-draws", "2", "--output", report).status == 0)
      let before = try Data(contentsOf: URL(fileURLWithPath: report + "/index.html"))
      let process = Process()
      process.executableURL = Self.binary
      process.arguments = [
        "lab", "--scale", "2", "--seed", "3", "--weight-draws", "2", "--output", report,
      ]
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      // The staging folder exists while the new report is being written.
      let staging = report + "/.unroll-part/figures"
      while process.isRunning, !FileManager.default.fileExists(atPath: staging) { usleep(2000) }
      process.terminate()
      process.waitUntilExit()
      #expect(process.terminationStatus == 143)
      #expect(try Data(contentsOf: URL(fileURLWithPath: report + "/index.html")) == before)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: report).sorted()
          == ["data", "figures", "index.html", "results.json"])
    }
  }

  @Test("Without gnuplot numbers, scripts and data are written, and a note says what to install")
  func withoutGnuplot() throws {
    try withTemporaryFolder { folder in
      let result = try unroll(
        "lab", "memory", "--output", folder + "/report", environment: ["PATH": folder])
      #expect(result.status == 0)
      #expect(result.errors.contains("install it (package gnuplot-nox) for figures"))
      let files = try FileManager.default.contentsOfDirectory(atPath: folder + "/report/figures")
      #expect(files.count == 4 && files.allSatisfy { $0.hasSuffix(".gp") })
    }
  }

  @Test(
    "One experiment runs with the given settings",
    arguments: [
      ["memory", "--cell", "lstm", "--hidden", "4", "--steps", "3,9", "--terminal"],
      ["memory", "--cell", "gru", "--keep-bias", "18", "--json"],
      [
        "gradients", "--cell", "gru-after", "--scale", "3", "--dtype", "float64", "--time", "12",
        "--steps", "11",
      ],
      ["gradients", "--scale", "0.25:8:log4", "--batch", "5"],
      ["memory", "--scale", "3", "--weight-draws", "4", "--batch", "5"],
      ["memory", "--scale", "0:4:3", "--weight-draws", "3", "--json"],
      ["parity", "--hidden", "5"], ["parity", "--cell", "lstm"], ["gru-as-rnn", "--bias", "-5"],
      ["parity", "--dtype", "double"],
      ["gru-as-rnn", "--cell", "gru-after", "--bias", "50", "--dtype", "float64"],
    ])
  func experiments(arguments: [String]) throws {
    let result = try run(["lab"] + arguments)
    #expect(result.status == 0, "\(result.errors)")
    #expect(!result.output.isEmpty)
    if arguments.contains("--json") {
      _ = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
    }
  }

  static let wrongCalls: [(arguments: [String], status: Int32, sentence: String)] = [
    (["memory", "--hidden", "0"], 1, "Error: --hidden: expected at least 1, got 0\n"),
    (["memory", "--batch", "-1"], 1, "Error: --batch: expected at least 1, got -1\n"),
    (["--seed", "-1"], 1, "Error: --seed: expected 0 ... 4294967295, got -1\n"),
    (["gru-as-rnn", "--cell", "rnn"], 1, ""), (["memory", "--scale", "1,2", "--terminal"], 64, ""),
    (
      ["memory", "--scale", "nan"], 1,
      "Error: --scale: expected a finite number of at least 0, got nan\n"
    ),
    (["memory", "--scale", "two"], 64, ""),
    (
      ["gradients", "--time", "20", "--steps", "20"], 1,
      "Error: --steps: expected steps in 0 ... 19 (the sequence has 20), got 20\n"
    ),
    (["memory", "--hidden", "many"], 64, ""),
    (["gru-as-rnn", "--cell", "lstm"], 1, ""),
    (["memory", "--hidden", "999999999"], 1, ""),
    (
      ["memory", "--output", "/dev/null/report"], 1,
      "Error: /dev/null/report: cannot be made: Not a directory\n"
    ),
    (["memory", "--output", ""], 1, "Error: --output: expected a folder, got an empty name\n"),
    (["parity", "--dtype", "float16"], 64, ""),
  ]

  @Test(
    "A mistake gets one clear sentence and an exit code that is not zero", arguments: wrongCalls)
  func mistakes(arguments: [String], status: Int32, sentence: String) throws {
    let result = try run(["lab"] + arguments)
    #expect(result.status == status, "\(result.errors)")
    if !sentence.isEmpty { #expect(result.errors == sentence) }
    #expect(result.errors.hasPrefix("Error: "))
  }

  @Test("info shows what the build computes with")
  func info() throws {
    let result = try unroll("info")
    #expect(result.status == 0)
    #expect(result.output.contains("threads"))
  }
}
