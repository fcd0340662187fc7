// unroll lab exercise and unroll lab check: files, exit codes, JSON, and the Python skeleton when it is filled in.

import Foundation
import Testing
import UnrollFormats
import UnrollTestSupport

@Suite("The exercise, by command")
struct ExerciseCommandTests {
  private let command = CommandTests()

  @Test("An exercise is written once; an empty one has nothing to grade")
  func write() throws {
    try withTemporaryFolder { folder in
      let exercise = folder + "/homework"
      let first = try command.unroll("lab", "exercise", "--output", exercise)
      #expect(first.status == 0 && first.output.hasPrefix("\(exercise): "))
      #expect(first.errors.contains("unroll lab check \(exercise)"))
      try Data("mine".utf8).write(to: URL(fileURLWithPath: exercise + "/rnn.py"))
      let second = try command.unroll("lab", "exercise", "--output", exercise)
      #expect(second.status == 0 && second.output == "\(exercise): 0 files written\n")
      #expect(second.errors.contains("\(exercise)/rnn.py: kept as it is"))

      let empty = try command.unroll("lab", "check", exercise)
      #expect(empty.status == 1 && empty.errors.contains("nothing could be graded"))
      #expect(empty.output.contains("task 1, your own forward pass: not graded"))
      let missing = try command.unroll("lab", "check", exercise + "/none")
      #expect(missing.status == 1 && missing.output.isEmpty)
      #expect(missing.errors.contains("expected a folder of answers or an .npz file"))
    }
  }

  @Test(
    "The skeleton of rnn.py with NumPy's equations gets all points; mistakes are named",
    .needs(.python))
  func python() throws {
    let python = try #require(preparedPython())
    try withTemporaryFolder { folder in
      #expect(try command.unroll("lab", "exercise", "--output", folder).status == 0)
      func check(_ mistakes: String...) throws -> [String: Any] {
        #expect(try runScript("solve_exercise.py", python, [folder] + mistakes).status == 0)
        let checked = try command.unroll("lab", "check", folder, "--json")
        #expect(checked.status == 0, "\(checked.errors)")
        return try #require(
          try JSONSerialization.jsonObject(with: Data(checked.output.utf8)) as? [String: Any])
      }
      func slips(_ report: [String: Any], task: Int, part: Int = 0) throws -> [[String]] {
        let tasks = try #require(report["tasks"] as? [[String: Any]])
        let parts = try #require(tasks[task - 1]["parts"] as? [[String: Any]])
        return try #require(parts[part]["slips"] as? [[String]])
      }
      #expect(try check()["points"] as? Double == 25)
      #expect(try check("float32")["points"] as? Double == 25)
      let after = try check("reset_after", "no_derivative")
      #expect(try slips(after, task: 1, part: 1) == [["reset gate after the product"]])
      #expect(try slips(after, task: 5) == [["derivative of tanh forgotten"]])
      #expect(after["points"] as? Double == 17)
      let both = try check("reset_after", "inverted", "squared")
      #expect(
        try slips(both, task: 1, part: 1)
          == [["reset gate after the product", "update gate inverted"]])
      #expect(try slips(both, task: 3) == [["square root missing"]])
      let half = try check("float16")
      #expect(try slips(half, task: 1, part: 0) == [["float16"]])
    }
  }
}
