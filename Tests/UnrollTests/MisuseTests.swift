// The messages for violated contracts: every misuse of Tests/MisuseProgram, in debug and in optimised builds, in which
// Swift's preconditions have no message.

import Foundation
import Testing
import Unroll
import UnrollTestSupport

@Suite("Misuse")
struct MisuseTests {
  private struct Outcome {
    let status: Int32
    let output: String
    let errors: String
  }

  private func run(
    _ arguments: [String], environment: [String: String] = [:]
  ) throws -> Outcome {
    var folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    for bundle in Bundle.allBundles where bundle.bundlePath.hasSuffix(".xctest") {
      folder = bundle.bundleURL.deletingLastPathComponent()
    }
    let process = Process()
    process.executableURL = folder.appendingPathComponent("MisuseProgram")
    process.arguments = arguments
    // Printing backtraces would take minutes.
    process.environment = ProcessInfo.processInfo.environment
      .merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }.merging(environment) { $1 }
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // The output fits into the pipe buffers, so the pipes can be read one after the other.
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let told = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return Outcome(status: process.terminationStatus, output: said, errors: told)
  }

  @Test("Every broken contract ends the program with operation, expected and got")
  func messages() throws {
    let misuses = try run([]).output.split(separator: "\n").map { $0.split(separator: "\t") }
    #expect(misuses.count >= 100)
    for misuse in misuses {
      let (name, message) = (String(misuse[0]), String(misuse[1]))
      let outcome = try run([name])
      #expect(outcome.status != 0, "\(name) passes")
      #expect(
        outcome.errors.contains("Fatal error: \(message)\n"),
        "\(name): expected \(message), got \(outcome.errors)")
    }
  }

  @Test(
    "The environment names the instruction set and the threads; what is empty or unknown is left out"
  )
  func environment() throws {
    func machine(_ set: String, _ threads: String) throws -> String {
      let environment = ["UNROLL_ISA": set, "UNROLL_THREADS": threads]
      return try run(["machine"], environment: environment).output
    }
    for set in InstructionSet.available {
      #expect(try machine(set.rawValue, "3") == "\(set.rawValue) 3\n")
    }
    let best = try #require(InstructionSet.available.last).rawValue
    let cores = min(Threads.availableCores, 256)
    #expect(try machine("", "") == "\(best) \(cores)\n")
    for (set, threads) in [("AVX2", "three"), ("avx1024", "3x"), (" plain", "-3"), ("0", "0")] {
      #expect(try machine(set, threads) == "\(best) \(cores)\n", "\(set) \(threads)")
    }
    #expect(try machine("baseline", "1000") == "baseline 256\n")
  }

  #if os(Linux)
  @Test("A pass starts and occupies no more threads than it is given")
  func threads() throws {
    let outcome = try run(["threads"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    // The given number, the threads of the process, and whether other threads computed.
    #expect(outcome.output == "1 1 alone\n2 2 shared\n4 4 shared\n1 4 alone\n")
  }
  #endif

  @Test(
    "The child of a fork computes the same bits on threads of its own", arguments: ["idle", "busy"])
  func forks(_ kind: String) throws {
    let outcome = try run(["fork", kind])
    #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
  }
}
