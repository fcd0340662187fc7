// The check of an exercise: finds the answers, grades each task, and goes on with the others where one cannot be graded.

internal import Foundation
internal import UnrollFormats

/// Grades the answers to an exercise.
package enum ExerciseCheck {
  /// Checks a folder of answers, or one file.
  ///
  /// - Parameter path: The folder that the exercise was written into, its folder `answers`, or one answer.
  /// - Returns: What was found about each task.
  /// - Throws: `LabError` if there is nothing of that name.
  package static func run(_ path: String) throws(LabError) -> ExerciseReport {
    guard FileManager.default.fileExists(atPath: path) else {
      throw LabError(
        .system(
          "\(path): expected a folder of answers or an .npz file, found nothing; unroll lab exercise writes the tasks"
        ), field: "path")
    }
    var answers: [ExerciseTask: Result<AnswerFile, AnswerProblem>] = [:]
    var folder = path
    if isFolder(path) {
      if isFolder("\(path)/answers") { folder = "\(path)/answers" }
      for task in ExerciseTask.allCases {
        for name in ["\(task.answerName).npz", task.answerName] {
          let file = "\(folder)/\(name)"
          guard answers[task] == nil, FileManager.default.fileExists(atPath: file) else { continue }
          answers[task] = read(file, name)
        }
      }
    } else {
      let name = (path as NSString).lastPathComponent
      let answer = read(path, name)
      let answered = answeredTasks(of: answer, name)
      if answered.isEmpty, case .success(let file) = answer {
        throw LabError(
          .system(
            "\(path): expected rnn_outputs, gru_outputs, \(LargeGrade.distanceName), \(LargeGrade.gradientName) or a GRU's nine weights, found \(file.arrays.keys.sorted().joined(separator: ", "))"
          ), field: "path")
      }
      for task in answered { answers[task] = answer }
    }
    // Of a single answer the other tasks say nothing.
    let tasks =
      isFolder(path) ? ExerciseTask.allCases : answers.keys.sorted { $0.rawValue < $1.rawValue }
    return ExerciseReport(
      tasks.map { task in
        switch answers[task] {
        case .success(let answer): grade(task, answer)
        case .failure(let problem): report(task, remarks: [problem.description])
        case nil:
          report(task, remarks: ["not handed in: expected \(folder)/\(task.answerName).npz"])
        }
      })
  }

  private static func read(_ path: String, _ name: String) -> Result<AnswerFile, AnswerProblem> {
    do throws(AnswerProblem) {
      return .success(try AnswerFile(path: path, name: name))
    } catch {
      return .failure(error)
    }
  }

  /// The tasks that a single file answers: its name says it, or else what it holds.
  private static func answeredTasks(
    of answer: Result<AnswerFile, AnswerProblem>, _ name: String
  ) -> [ExerciseTask] {
    if let named = ExerciseTask.allCases.first(where: { name.hasPrefix($0.answerName) }) {
      return [named]
    }
    guard case .success(let file) = answer else { return [.forward] }
    var tasks: [ExerciseTask] = []
    if ForwardGrade.names.contains(where: { file.arrays[$0] != nil }) { tasks.append(.forward) }
    if file.arrays[LargeGrade.distanceName] != nil { tasks.append(.forgetting) }
    if file.arrays[LargeGrade.gradientName] != nil { tasks.append(.vanishing) }
    if let weights = file.arrays["wtc_h"] ?? file.arrays["wtu_h"] {
      let isToy = weights.shape.first == ExerciseProblem.toy.cell(.gru).hiddenSize
      tasks += isToy ? [.gruAsRNN] : [.keeping, .survivingGradient]
    }
    return tasks
  }

  private static func grade(_ task: ExerciseTask, _ answer: AnswerFile) -> ExerciseTaskReport {
    switch task {
    case .forward:
      report(task, [.rnn, .gru, .lstm].compactMap { ForwardGrade(answer, $0).part })
    case .gruAsRNN: report(task, [WeightGrade.gruAsRNN(answer)])
    case .forgetting: report(task, [LargeGrade.distances(answer)])
    case .keeping: report(task, [WeightGrade.keeping(answer)])
    case .vanishing: report(task, [LargeGrade.gradients(answer)])
    case .survivingGradient: report(task, [WeightGrade.survivingGradient(answer)])
    }
  }

  private static func report(
    _ task: ExerciseTask, _ parts: [ExercisePartReport] = [], remarks: [String] = []
  ) -> ExerciseTaskReport {
    ExerciseTaskReport(
      task: task.rawValue, title: task.title, points: parts.reduce(0) { $0 + $1.points },
      maximum: task.points, isGraded: parts.contains { $0.measure != nil }, parts: parts,
      remarks: remarks)
  }
}
