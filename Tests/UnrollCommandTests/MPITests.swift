// Training on several real processes, started by the machine's mpirun. They need the command with
// libunroll-mpi.so next to it, which `./run test --all` compiles and names in UNROLL_MPI_BINARY.

import Foundation
import Testing
import UnrollTestSupport

@Suite("One model on many processes", .needs(.mpi), .serialized)
struct MPITests {
  /// Options of a run of 50 steps with all kinds of dropout and 4 shards.
  private static let settings = [
    "--hidden-size", "24", "--embedding-size", "16", "--cell", "lstm", "--layers", "2",
    "--batch-size", "10", "--time-steps", "9", "--dropout", "0.2", "--weight-drop", "0.2",
    "--dropout-embedding", "0.1", "--jitter", "--shards", "4", "--seed", "3",
  ]

  /// mpirun with options that allow root and more ranks than cores.
  private func mpirun(
    _ ranks: Int, _ arguments: [String], environment: [String: String] = [:]
  ) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      ["mpirun", "-n", "\(ranks)", "--oversubscribe", "--bind-to", "none", mpiBinary ?? ""]
      + arguments
    process.environment = Self.environment.merging(environment) { $1 }
    return process
  }

  private static var environment: [String: String] {
    ProcessInfo.processInfo.environment.merging([
      "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "UNROLL_THREADS": "1",
    ]) { $1 }
  }

  /// Runs the process to its end, with a time limit.
  private func finish(
    _ process: Process, in folder: String, seconds: Double = 120,
    meanwhile: () throws -> Void = {}
  ) throws -> (status: Int32, text: String) {
    let path = folder + "/printed-\(UUID().uuidString)"
    try Data().write(to: URL(fileURLWithPath: path))
    let file = FileHandle(forWritingAtPath: path)
    process.standardOutput = file
    process.standardError = file
    // The test's thread may have blocked signals, and mpirun would inherit that.
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)
    try process.run()
    do { try meanwhile() } catch {
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      throw error
    }
    let end = Date().addingTimeInterval(seconds)
    while process.isRunning && Date() < end { usleep(20_000) }
    if process.isRunning {
      Issue.record("not over after \(seconds) seconds")
      kill(process.processIdentifier, SIGKILL)
    }
    process.waitUntilExit()
    return (process.terminationStatus, try String(contentsOfFile: path, encoding: .utf8))
  }

  private func train(_ folder: String, _ run: String, _ more: [String] = []) -> [String] {
    ["train", folder + "/text", "--output", "\(folder)/\(run)"] + Self.settings
      + (more.contains("--max-steps") ? [] : ["--max-steps", "50"]) + more
  }

  private func bytes(_ folder: String, _ run: String, _ file: String = "model.safetensors") throws
    -> Data
  {
    try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(run)/\(file)"))
  }

  /// The newest checkpoint without its times.
  private func checkpoint(_ folder: String, _ run: String) throws -> Data {
    let path = "\(folder)/\(run)/checkpoints"
    let name = try #require(
      try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasPrefix("0") }
        .sorted().last)
    let all = try Data(contentsOf: URL(fileURLWithPath: path + "/" + name))
    let header = all.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    return all.dropFirst(8 + header)
  }

  private func withText(_ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      try body(folder)
    }
  }

  /// The processes of an mpirun, ordered by rank.
  private func processes(of parent: Int32) throws -> [pid_t] {
    var found: [(rank: Int, process: pid_t)] = []
    for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
      guard let process = pid_t(name),
        let status = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8),
        status.split(separator: ")").last?.split(separator: " ").dropFirst().first
          == "\(parent)",
        let environment = try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(name)/environ"))
      else { continue }
      for word in environment.split(separator: 0) {
        let text = String(decoding: word, as: UTF8.self)
        if text.hasPrefix("OMPI_COMM_WORLD_RANK="), let rank = Int(text.dropFirst(21)) {
          found.append((rank, process))
        }
      }
    }
    return found.sorted { $0.rank < $1.rank }.map(\.process)
  }

  /// Starts a run without waiting for its end, and calls `body` when there is a checkpoint.
  private func endless(
    _ ranks: Int, _ folder: String, _ run: String, checkpointEvery seconds: String,
    _ body: (Process) throws -> Void
  ) throws -> (status: Int32, text: String) {
    let more = [
      "--epochs", "400", "--patience", "400", "--max-steps", "1000000",
      "--checkpoint-every", seconds,
    ]
    let process = mpirun(ranks, train(folder, run, more))
    return try finish(process, in: folder) {
      waitForStep(folder, run)
      try body(process)
    }
  }

  /// Waits for the first checkpoint.
  private func waitForStep(_ folder: String, _ run: String) {
    for _ in 0..<500 {
      let names =
        (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(run)/checkpoints")) ?? []
      if names.contains(where: { $0.hasPrefix("0") && !$0.hasPrefix("000000000000") }) { return }
      usleep(20_000)
    }
    Issue.record("no checkpoint after 10 seconds")
  }

  @Test(
    "1, 2 and 4 ranks, by memory or by messages, leave the same model, checkpoint and metrics as one process"
  )
  func ranks() throws {
    try withText { folder in
      let alone = Process()
      alone.executableURL = URL(fileURLWithPath: mpiBinary ?? "")
      alone.arguments = train(folder, "alone", ["--threads", "2"])
      #expect(try finish(alone, in: folder).status == 0)
      for (ranks, memory) in [(1, "1"), (2, "1"), (4, "1"), (2, "0"), (4, "0")] {
        let run = "\(ranks)-\(memory)"
        let result = try finish(
          mpirun(ranks, train(folder, run), environment: ["UNROLL_MPI_MEMORY": memory]),
          in: folder)
        #expect(result.status == 0, "\(result.text)")
        #expect(try bytes(folder, run) == bytes(folder, "alone"))
        #expect(try checkpoint(folder, run) == checkpoint(folder, "alone"))
        #expect(result.text.components(separatedBy: "words for training").count == 2)
        #expect(result.text.contains("all ranks see one memory") == (ranks > 1 && memory == "1"))
        let logs = (1..<ranks).map { "\(folder)/\(run).rank-\($0).log" }
        #expect(logs.allSatisfy { FileManager.default.fileExists(atPath: $0) })
      }
    }
  }

  @Test(
    "Without shared memory on a host, ranks send messages, with the same bits",
    .needs(.ownMounts))
  func noRoom() throws {
    let mount = Need.smallMemoryMount
    try withText { folder in
      #expect(try finish(mpirun(2, train(folder, "room")), in: folder).status == 0)
      let process = mpirun(
        2, train(folder, "none"), environment: ["OMPI_MCA_btl_vader_backing_directory": folder])
      process.arguments =
        ["unshare", "-m", "sh", "-c", mount + " && exec \"$@\"", "sh"] + (process.arguments ?? [])
      let result = try finish(process, in: folder)
      #expect(result.status == 0, "\(result.text)")
      #expect(result.text.contains("MB a step"), "\(result.text)")
      #expect(try bytes(folder, "none") == bytes(folder, "room"))
    }
  }

  @Test("A run of 2 ranks goes on with 4, then with 1, to the same bits")
  func resume() throws {
    try withText { folder in
      #expect(try finish(mpirun(2, train(folder, "whole")), in: folder).status == 0)
      #expect(
        try finish(mpirun(2, train(folder, "parts", ["--max-steps", "17"])), in: folder).status == 0
      )
      for (ranks, steps) in [(4, "33"), (1, "50")] {
        let more = ["train", "--resume", "--output", folder + "/parts", "--max-steps", steps]
        let result = try finish(mpirun(ranks, more), in: folder)
        #expect(result.status == 0, "\(result.text)")
      }
      #expect(try checkpoint(folder, "parts") == checkpoint(folder, "whole"))
    }
  }

  @Test(
    "A rank that dies ends the job with a sentence that names it; the run can be resumed",
    arguments: [0, 1, 2])
  func death(_ victim: Int) throws {
    try withText { folder in
      let result = try endless(3, folder, "killed", checkpointEvery: "0") { process in
        let ranks = try processes(of: process.processIdentifier)
        try #require(ranks.count == 3)
        kill(ranks[victim], SIGKILL)
      }
      #expect(result.status != 0)
      let sentences = result.text.split(separator: "\n").filter { $0.contains("Error: ") }
      #expect(sentences.count == 1, "\(result.text)")
      #expect(sentences.first?.contains("rank \(victim) (process ") == true, "\(result.text)")
      #expect(sentences.first?.contains("--resume") == true)
      let steps = try #require(Int(try lastStep(folder, "killed"))) + 5
      let more = ["train", "--resume", "--output", folder + "/killed", "--max-steps", "\(steps)"]
      let resumed = try finish(mpirun(2, more), in: folder)
      #expect(resumed.status == 0, "\(resumed.text)")
      #expect(
        try finish(
          mpirun(1, train(folder, "whole", ["--epochs", "400", "--max-steps", "\(steps)"])),
          in: folder
        ).status == 0)
      #expect(try checkpoint(folder, "killed") == checkpoint(folder, "whole"))
    }
  }

  private func lastStep(_ folder: String, _ run: String) throws -> Substring {
    try #require(
      try FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(run)/checkpoints")
        .filter { $0.hasPrefix("0") }.sorted().last
    ).prefix(12)
  }

  @Test(
    "Ctrl-C, SIGTERM and SIGUSR1 at mpirun end with a checkpoint",
    arguments: [SIGINT, SIGTERM, SIGUSR1])
  func signals(_ signal: Int32) throws {
    try withText { folder in
      let result = try endless(2, folder, "stopped", checkpointEvery: "0.2") { process in
        usleep(300_000)
        kill(process.processIdentifier, signal)
      }
      #expect(result.status != 0)
      #expect(result.text.contains("with a checkpoint; continue with"), "\(result.text)")
      let steps = try #require(Int(try lastStep(folder, "stopped")))
      #expect(
        result.text.contains("stopped after step \(steps) with a checkpoint"), "\(result.text)")
      #expect(steps > 1)
    }
  }

  @Test("Errors are reported once, by rank 0")
  func refusals() throws {
    try withText { folder in
      for (more, sentence) in [
        (["--shards", "2"], "--shards: expected at least 3, one for each rank, found 2"),
        (
          ["--shards", "11"],
          "--shards: expected at most 10, one for each row of a batch, found 11"
        ),
        (["--hidden-size", "0"], "hidden-size"),
      ] {
        let result = try finish(mpirun(3, train(folder, "refused", more)), in: folder)
        #expect(result.status != 0)
        #expect(
          result.text.components(separatedBy: sentence).count == 2, "\(more): \(result.text)")
        #expect(!FileManager.default.fileExists(atPath: folder + "/refused"))
      }
      let missing = ["evaluate", folder + "/nowhere", folder + "/text/test.txt"]
      #expect(
        try finish(mpirun(3, missing), in: folder).text
          .components(separatedBy: "expected a run with config.json").count == 2)
      #expect(try finish(mpirun(2, train(folder, "two")), in: folder).status == 0)
      let more = ["train", "--resume", "--output", folder + "/two", "--max-steps", "60"]
      let result = try finish(mpirun(5, more), in: folder)
      #expect(result.text.contains("this run has 4 shards, so expected at most 4 ranks, found 5"))
    }
  }

  @Test("Ranks with different rounding are refused")
  func kernels() throws {
    try withText { folder in
      let binary = mpiBinary ?? ""
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments =
        ["mpirun", "--oversubscribe", "-n", "1", binary] + train(folder, "mixed")
        + [":", "-n", "1", "-x", "UNROLL_ISA=baseline", binary] + train(folder, "mixed")
      process.environment = Self.environment
      let result = try finish(process, in: folder)
      #expect(result.status != 0)
      #expect(
        result.text.contains("rank 1 has the baseline kernels, rank 0 "), "\(result.text)")
      #expect(!FileManager.default.fileExists(atPath: folder + "/mixed"))
    }
  }

  @Test("evaluate runs on several ranks with the result of one process")
  func evaluation() throws {
    try withText { folder in
      #expect(try finish(mpirun(2, train(folder, "run")), in: folder).status == 0)
      for more in [
        ["--batch-size", "1"], ["--batch-size", "7"], ["--with", folder + "/run"],
      ] {
        let arguments = ["evaluate", folder + "/run", folder + "/text/test.txt"] + more
        let texts = try [1, 2, 3].map { ranks in
          try finish(mpirun(ranks, arguments), in: folder).text.split(separator: "\n")
            .filter { $0.contains("loss") || $0.contains("predicted") }
        }
        #expect(texts[0].count == 2)
        #expect(texts[1] == texts[0] && texts[2] == texts[0])
      }
      let dynamic = [
        "evaluate", folder + "/run", folder + "/text/test.txt", "--dynamic", "0.001",
      ]
      let refused = try finish(mpirun(2, dynamic), in: folder)
      #expect(refused.status != 0)
      #expect(refused.text.components(separatedBy: "expected one process, found 2").count == 2)
    }
  }

  @Test("Two hosts with a network between them leave the same bits as one", .needs(.twoHosts))
  func hosts() throws { try expectSameBits(over: .fast) }

  @Test("So do two hosts whose network delays and loses packets", .needs(.slowNetwork))
  func slowHosts() throws { try expectSameBits(over: .slow) }

  private func expectSameBits(over link: NetworkHosts.Link) throws {
    let hosts = try NetworkHosts()
    defer { hosts.remove() }
    try withText { folder in
      #expect(try finish(mpirun(1, train(folder, "here")), in: folder).status == 0)
      try hosts.connect(link)
      let agent = folder + "/agent"
      try hosts.writeAgent(agent)
      let process = hosts.mpirun(
        agent: agent, [mpiBinary ?? ""] + train(folder, "hosts"), environment: Self.environment)
      let result = try finish(process, in: folder, seconds: 240)
      #expect(result.status == 0, "\(result.text)")
      #expect(try bytes(folder, "hosts") == bytes(folder, "here"))
      #expect(try checkpoint(folder, "hosts") == checkpoint(folder, "here"))
      let log = try String(contentsOfFile: "\(folder)/hosts.rank-1.log", encoding: .utf8)
      #expect(log.contains("rank 1 of 2"))
    }
  }

  @Test(
    "A rank of another host that is slow while SIGUSR1 asks to stop does not count as dead",
    .needs(.twoHosts))
  func slowRank() throws {
    let hosts = try NetworkHosts()
    defer { hosts.remove() }
    try withText { folder in
      let agent = folder + "/agent"
      try hosts.connect(.fast)
      try hosts.writeAgent(agent)
      let more = [
        "--epochs", "400", "--patience", "400", "--max-steps", "1000000",
        "--checkpoint-every", "0.2",
      ]
      let process = hosts.mpirun(
        agent: agent, [mpiBinary ?? ""] + train(folder, "slow", more),
        environment: Self.environment)
      let result = try finish(process, in: folder, seconds: 60) {
        waitForStep(folder, "slow")
        let other = try #require(try rankOne(of: folder + "/slow"))
        kill(other, SIGSTOP)
        usleep(100_000)
        kill(process.processIdentifier, SIGUSR1)
        // Longer than the time that the launcher allows after its other signals.
        usleep(2_000_000)
        kill(other, SIGCONT)
      }
      #expect(result.text.contains("with a checkpoint; continue with"), "\(result.text)")
      #expect(!result.text.contains("has not answered"))
    }
  }

  /// The process of rank 1 of a run, on any host.
  private func rankOne(of run: String) throws -> pid_t? {
    func words(_ name: String, _ file: String) -> [String] {
      let bytes = try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(name)/\(file)"))
      return (bytes ?? Data()).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }
    return try FileManager.default.contentsOfDirectory(atPath: "/proc").lazy
      .filter { words($0, "environ").contains("OMPI_COMM_WORLD_RANK=1") }
      .filter { words($0, "cmdline").contains(run) }
      .compactMap { pid_t($0) }.first
  }
}
