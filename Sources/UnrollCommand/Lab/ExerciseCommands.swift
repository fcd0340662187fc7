#if Command
internal import ArgumentParser
internal import UnrollLab

struct ExerciseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exercise",
    abstract: "Write an exercise: implement the RNN and the GRU in any language.",
    discussion: """
      The folder gets README.md (tasks, equations, names and shapes of arrays), toy.npz and large.npz (inputs, \
      weights, initial states; also as .npy), the skeletons rnn.py and Rnn.swift, and an empty folder answers. \
      A file that is there already is never changed.

      EXAMPLES
        unroll lab exercise
        unroll lab exercise --output homework
      """)

  @Option(
    help: ArgumentHelp(
      "Folder to write into; only files that are missing are written.", valueName: "folder"))
  var output = "exercise"

  func run() throws {
    let outcome = try attempt { try ExerciseFolder.write(to: output) }
    print("\(output): \(LabNumber.count(outcome.written.count, "file")) written")
    for path in outcome.kept {
      Terminal.note("\(output)/\(path): kept as it is; delete it to get the exercise's own")
    }
    Terminal.note("next: read \(output)/README.md, then unroll lab check \(output)")
  }
}

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Grade the answers to an exercise, and name the mistakes.",
    discussion: """
      Each task of unroll lab exercise gets the notebook's points. Outputs are compared with TensorFlow's, \
      each step is computed again from the student's own state before it, and every known mistake and every pair of \
      them is tried. Tasks 2, 4 and 6 accept any weights that meet the requirement. An array that cannot be \
      graded is named; the other tasks are still graded.

      Exit code 0 if something was graded, whatever the points are; 1 if nothing was.

      EXAMPLES
        unroll lab check exercise
        unroll lab check exercise/answers/task1.npz
        unroll lab check exercise --json
      """)

  @Argument(
    help: ArgumentHelp(
      "The exercise's folder, a folder of answers (task1.npz …), or one answer.",
      valueName: "path"))
  var path: String

  @Flag(help: "Print the result as JSON.")
  var json = false

  func run() throws {
    let report = try attempt { try ExerciseCheck.run(path) }
    if json { try Terminal.printJSON(report) } else { print(report.text) }
    guard report.isGraded else {
      throw DataError(
        description:
          "\(path): nothing could be graded, see above; expected at least one readable answer, such as answers/task1.npz"
      )
    }
  }
}
#endif
