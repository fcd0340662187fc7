// A program that breaks one contract of the library, for tests: they read what it says at its end. It is built
// as the tests are, so that optimised builds are tested, too.
//
//   MisuseProgram            prints every misuse: its name, a tab, and the message that it must end with
//   MisuseProgram NAME       commits it; returns 0 if the library lets it pass
//   MisuseProgram fork …     forks, see Forking.swift
//   MisuseProgram threads    counts the threads of passes, see Threading.swift
//   MisuseProgram machine    prints the instruction set and the number of threads that passes use

import Unroll

/// One broken contract.
struct Misuse: Sendable {
  let name: String
  /// What the library must say.
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
