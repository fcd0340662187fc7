// A program that violates one contract of the library, so that tests can check its error message. It is built like the
// tests, so that optimised builds are tested, too.
//
//   MisuseProgram            prints every misuse: its name, a tab, and the expected message
//   MisuseProgram NAME       commits it; returns 0 if the library does not detect it
//   MisuseProgram fork …     forks, see Forking.swift
//   MisuseProgram threads    counts the threads of passes, see Threading.swift
//   MisuseProgram machine    prints the instruction set and the number of threads that passes use

import Unroll

/// A violation of one contract.
struct Misuse: Sendable {
  let name: String
  /// The expected message.
  let message: String
  let commit: @Sendable () -> Void

  init(_ name: String, _ message: String, _ commit: @escaping @Sendable () -> Void) {
    (self.name, self.message, self.commit) = (name, message, commit)
  }
}

@main
enum MisuseProgram {
  static let all =
    tensorMisuses + parameterMisuses + passMisuses + traceMisuses + trainingMisuses
    + streamMisuses + threadMisuses + randomMisuses + customCellMisuses

  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    guard let name = arguments.first else {
      for misuse in all { print("\(misuse.name)\t\(misuse.message)") }
      return
    }
    if name == "threads" { return Threading.run() }
    if name == "fork" { return Forking.run(arguments.dropFirst().first ?? "") }
    if name == "machine" { return print(InstructionSet.current.rawValue, Threads.count) }
    for misuse in all where misuse.name == name { misuse.commit() }
  }
}
