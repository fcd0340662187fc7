// What the check of an exercise found: as values, as JSON, and as text for a terminal.

/// One place in the outputs `[B][T][H]`.
package struct WrongStep: Sendable, Equatable, Encodable {
  /// Zero-based.
  package var step, sequence, unit: Int
  /// The student's number.
  package var found: Double
  /// One correct step from the student's own state before it.
  package var expected: Double
}

/// What was found about one result of a task.
package struct ExercisePartReport: Sendable, Encodable {
  /// Which result: a cell, or what the weights do.
  package var name: String
  /// The points that it gets, and the most.
  package var points = 0.0, maximum: Double
  /// What ``measure`` is, such as `relative error`.
  package var measureName: String
  /// The number that is graded; nil if there is none.
  package var measure: Double?
  /// What is asked of it, in words.
  package var requirement: String
  /// The first step that does not follow from the one before; nil if there is none, or if it is not known.
  package var firstWrongStep: WrongStep?
  /// The names of the slips that explain the result; several sets explain it equally well.
  package var slips: [[String]] = []
  /// What to know and to do, one sentence or two each.
  package var remarks: [String] = []
}

/// What was found about one task.
package struct ExerciseTaskReport: Sendable, Encodable {
  /// The number.
  package var task: Int
  /// A few words.
  package var title: String
  /// The points that it gets, and the most.
  package var points: Double, maximum: Double
  /// Whether there was something to grade.
  package var isGraded: Bool
  /// Its results.
  package var parts: [ExercisePartReport]
  /// Why nothing could be graded, and what else is to be said of the file.
  package var remarks: [String]
}

/// What the check of an exercise found.
package struct ExerciseReport: Sendable, Encodable {
  /// All tasks, whether handed in or not.
  package var tasks: [ExerciseTaskReport]
  /// The points of all tasks, and the most.
  package var points: Double, maximum: Double

  init(_ tasks: [ExerciseTaskReport]) {
    self.tasks = tasks
    points = tasks.reduce(0) { $0 + $1.points }
    maximum = tasks.reduce(0) { $0 + $1.maximum }
  }

  /// Whether anything was there to grade.
  package var isGraded: Bool { tasks.contains(where: \.isGraded) }

  /// The report as lines of at most 100 columns, but for longer words.
  package var text: String {
    let lines = tasks.flatMap(\.lines).flatMap { Self.wrapped($0) }
    return (lines + ["total: \(LabNumber.short(points)) of \(LabNumber.short(maximum)) points"])
      .joined(separator: "\n")
  }
}

extension ExerciseReport {
  /// A line in several, the others indented by two columns more.
  private static func wrapped(_ line: String) -> [String] {
    let indentation = line.prefix { $0 == " " }
    var lines: [String] = []
    var current = String(indentation)
    for word in line.split(separator: " ") {
      let isFirst = current.allSatisfy { $0 == " " }
      if !isFirst, current.count + 1 + word.count > 100 {
        lines.append(current)
        current = indentation + "  " + word
      } else {
        current += (isFirst ? "" : " ") + word
      }
    }
    return lines + [current]
  }
}

extension ExerciseTaskReport {
  fileprivate var lines: [String] {
    let score = "\(LabNumber.short(points)) of \(LabNumber.short(maximum)) points"
    var lines = ["task \(task), \(title): \(isGraded ? score : "not graded")"]
    lines += remarks.map { "  \($0)" }
    for part in parts {
      let score =
        part.maximum == 0
        ? "no points" : "\(LabNumber.short(part.points)) of \(LabNumber.short(part.maximum))"
      let measure = part.measure.map {
        ", \(part.measureName) \(LabNumber.text($0)) (\(part.requirement))"
      }
      lines.append("  \(part.name): \(score)\(measure ?? "")")
      if let wrong = part.firstWrongStep {
        lines.append(
          "    The first wrong step is \(wrong.step): sequence \(wrong.sequence), unit \(wrong.unit) is \(LabNumber.short(wrong.found)); a correct step from \(wrong.step == 0 ? "initial_state" : "your own state of step \(wrong.step - 1)") gives \(LabNumber.short(wrong.expected))."
        )
      }
      lines += part.remarks.map { "    \($0)" }
    }
    return lines
  }
}
