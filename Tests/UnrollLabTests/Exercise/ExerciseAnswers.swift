// Answers to the exercise for tests: right ones from the library's cells, and a folder to check them in.

import Foundation
import Unroll
import UnrollFormats
import UnrollLab
import UnrollTestSupport

enum ExerciseAnswers {
  typealias Arrays = [String: Tensor<Double>]

  /// The outputs of a cell of the library on the toy problem, as an answer to task 1.
  static func forward(_ kind: CellKind) -> Arrays {
    let toy = ExerciseProblem.toy
    let name = kind == .rnn ? "rnn" : "gru"
    var cell = Cell<Double>(kind, inputSize: 3, hiddenSize: 2, biasCount: 1)
    for parameter in cell.parameters.notebook.keys {
      cell.parameters.notebook[parameter] = Tensor<Double>(toy.tensor(parameter))
    }
    let trace = RecurrentLayer(cell: cell).forward(
      Tensor<Double>(toy.tensor("inputs")),
      from: RecurrentState(hidden: Tensor<Double>(toy.tensor("initial_state"))),
      layout: .batchMajor)
    return [
      "\(name)_outputs": trace.outputs, "\(name)_final_state": trace.finalState.hidden,
    ]
  }

  /// Outputs of a plain cell with slips, as an answer to task 1.
  static func forward(_ kind: PlainKind, _ slips: Slips) -> Arrays {
    let name =
      switch kind {
      case .rnn: "rnn"
      case .gru: "gru"
      case .lstm: "lstm"
      }
    let outputs = ExerciseProblem.toy.outputs(kind, slips)
    return [
      "\(name)_outputs": Tensor(shape: [4, 5, 2], elements: outputs.flattened),
      "\(name)_final_state": Tensor(rows: outputs.map { $0[4] }),
    ]
  }

  /// GRU weights of which all but the biases and the candidate are zero.
  static func gru(
    _ inputSize: Int, _ hiddenSize: Int, update: Double, reset: Double = 0,
    candidate: GateParameters<Float>? = nil
  ) -> Arrays {
    var cell = Cell<Double>(.gruResetBefore, inputSize: inputSize, hiddenSize: hiddenSize)
    cell.parameters[.update].bias = Tensor(shape: [hiddenSize], repeating: update)
    cell.parameters[.reset].bias = Tensor(shape: [hiddenSize], repeating: reset)
    if let candidate {
      cell.parameters[.candidate] = GateParameters(
        inputWeights: Tensor<Double>(candidate.inputWeights),
        recurrentWeights: Tensor<Double>(candidate.recurrentWeights),
        bias: Tensor<Double>(candidate.bias))
    }
    return cell.parameters.notebook
  }

  /// The toy problem's RNN as the GRU's candidate.
  static var rnnAsCandidate: GateParameters<Float> {
    let toy = ExerciseProblem.toy
    return GateParameters(
      inputWeights: toy.tensor("wt_x"), recurrentWeights: toy.tensor("wt_h"),
      bias: toy.tensor("bias"))
  }

  /// Right answers to all tasks.
  static var right: [Int: Arrays] {
    let kept = gru(5, 8, update: 40)
    return [
      1: forward(.rnn).merging(forward(.gruResetBefore)) { $1 },
      2: gru(3, 2, update: -30, reset: 30, candidate: rnnAsCandidate),
      3: ["distances": Tensor(shape: [3, 6, 100], elements: LargeProblem().distances())],
      4: kept,
      5: ["gradient_norms": Tensor<Double>(LargeProblem().gradientNorms())],
      6: kept,
    ]
  }

  /// Checks answers that are written into a folder.
  static func check(_ answers: [Int: Arrays]) throws -> ExerciseReport {
    try check(answers.mapValues { $0.mapValues { StoredArray($0) } })
  }

  /// Checks answers of any element type.
  static func check(_ answers: [Int: [String: StoredArray]]) throws -> ExerciseReport {
    try withTemporaryFolder { folder in
      try AtomicFile.makeFolder(folder + "/answers")
      for (task, arrays) in answers {
        let path = "\(folder)/answers/task\(task).npz"
        try ArrayFile(for: path, arrays: arrays).write(to: path)
      }
      return try ExerciseCheck.run(folder)
    }
  }
}

extension ExerciseReport {
  /// A part of a task.
  func part(_ task: Int, _ index: Int = 0) -> ExercisePartReport { tasks[task - 1].parts[index] }
}
