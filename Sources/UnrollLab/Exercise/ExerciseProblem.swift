// The numbers of the exercise: the notebook's toy problem and its long-term dependency, in the notebook's draws.

package import Unroll
internal import UnrollFormats

/// One array that the exercise hands out.
package struct ExerciseArray: Sendable {
  /// Its name in the archive.
  package let name: String
  /// What its axes are.
  package let axes: String
  /// What it is.
  package let meaning: String
  /// The numbers.
  package let tensor: Tensor<Float>
}

/// An archive of the exercise.
package struct ExerciseProblem: Sendable {
  /// The archive's name without its extension.
  package let name: String
  /// What it is about.
  package let title: String
  /// In the order in which they are described.
  package let arrays: [ExerciseArray]

  /// An array by its name.
  ///
  /// - Precondition: There is one.
  package func tensor(_ name: String) -> Tensor<Float> {
    arrays.first { $0.name == name }?.tensor ?? Tensor(shape: [0])
  }

  /// The arrays as files hold them.
  var stored: [String: StoredArray] {
    Dictionary(uniqueKeysWithValues: arrays.map { ($0.name, StoredArray($0.tensor)) })
  }

  /// The first problem: T 5, B 4, D 3, H 2.
  package static let toy: ExerciseProblem = {
    let toy = ToyProblem(.toy)
    let (inputSize, hiddenSize) = (toy.settings.inputSize, toy.settings.hiddenSize)
    var arrays = [
      ExerciseArray(
        name: "inputs", axes: "sequence, step, input", meaning: "x, uniform in 0 ..< 1",
        tensor: toy.inputs),
      ExerciseArray(
        name: "initial_state", axes: "sequence, unit", meaning: "h before step 0: zero",
        tensor: Tensor(shape: [toy.settings.batchSize, hiddenSize])),
    ]
    arrays += weights(toy.weights.rnn(), of: "the RNN")
    arrays += weights(toy.weights.gru(), of: "the GRU")
    let kernel: Tensor<Float> = TensorFlowRandom(
      seed: Int64(toy.settings.seed), opSeed: TensorFlowInitialWeights.notebookOpSeeds[0]
    ).glorotUniform(fanIn: inputSize + hiddenSize, fanOut: 4 * hiddenSize)
    arrays += [
      ExerciseArray(
        name: "lstm_kernel", axes: "input then unit, gate times unit",
        meaning: "LSTM: rows of x first, then of h; columns i, g, f, o", tensor: kernel),
      ExerciseArray(
        name: "lstm_bias", axes: "gate times unit",
        meaning: "LSTM: biases, without the offset of f",
        tensor: Tensor(shape: [4 * hiddenSize])),
    ]
    return ExerciseProblem(
      name: "toy", title: "4 sequences of 5 steps, 3 inputs, 2 units", arrays: arrays)
  }()

  /// The settings of the long-term dependency.
  package static let largeSettings: LabSettings = {
    var settings = LabSettings()
    settings.draws = .notebook
    return settings
  }()

  /// The long-term dependency: T 50, B 100, D 5, H 8.
  package static let large: ExerciseProblem = {
    var forward = ExperimentDraws<Float>(largeSettings)
    var settings = largeSettings
    settings.scale = 1
    let backward = ExperimentDraws<Float>(settings, .backward)
    let states = forward.statePairs().prefix(1).flatMap { [$0.first, $0.second] }
    var arrays = [
      ExerciseArray(
        name: "inputs", axes: "sequence, step, input",
        meaning: "x, uniform in −0.5 ..< 0.5 (0.5 is subtracted already)",
        tensor: forward.inputs.exchangingFirstAxes),
      ExerciseArray(
        name: "initial_state", axes: "sequence, unit", meaning: "zero",
        tensor: Tensor(shape: [settings.batchSize, settings.hiddenSize])),
    ]
    for (index, state) in states.enumerated() {
      let start: RecurrentState<Float> = state.state()
      arrays.append(
        ExerciseArray(
          name: "init_rand\(index + 1)", axes: "sequence, unit",
          meaning: "random initial state \(index + 1), uniform in 0 ..< 1", tensor: start.hidden))
    }
    arrays += weights(forward.cell.parameters, of: "the RNN of task 3, uniform in ±1")
    arrays += weights(
      backward.cell.parameters, of: "the RNN of task 5, uniform in ±0.5", prefix: "task5_")
    return ExerciseProblem(
      name: "large", title: "100 sequences of 50 steps, 5 inputs, 8 units", arrays: arrays)
  }()

  /// A cell's weights by the notebook's names.
  private static func weights(
    _ parameters: CellParameters<Float>, of owner: String, prefix: String = ""
  ) -> [ExerciseArray] {
    let gates: [(letter: String, gate: String)] =
      parameters.gates.count == 1
      ? [("", "")] : [("u", ", update gate"), ("r", ", reset gate"), ("c", ", candidate")]
    let tensors = parameters.notebook
    return gates.flatMap { letter, gate in
      [
        ("wt\(letter)_h", "unit before, unit", "U"), ("wt\(letter)_x", "input, unit", "W"),
        ("bias\(letter)", "unit", "b"),
      ].compactMap { name, axes, symbol in
        tensors[name].map {
          ExerciseArray(
            name: prefix + name, axes: axes, meaning: "\(symbol) of \(owner)\(gate)", tensor: $0)
        }
      }
    }
  }

  /// The names of a GRU's weights, as the student hands them in.
  static let gruNames = ["u", "r", "c"].flatMap { ["wt\($0)_h", "wt\($0)_x", "bias\($0)"] }
}

extension ExerciseProblem {
  /// One gate's weights by the letter in their names; of the RNN the letter is empty.
  func gate(_ letter: String, prefix: String = "") -> PlainGate {
    PlainGate(
      input: tensor("\(prefix)wt\(letter)_x").rows,
      recurrent: tensor("\(prefix)wt\(letter)_h").rows,
      bias: tensor("\(prefix)bias\(letter)").doubles)
  }

  /// A cell of the toy problem.
  func cell(_ kind: PlainKind, _ slips: Slips = Slips()) -> PlainCell {
    switch kind {
    case .rnn: return PlainCell(.rnn, [gate("")], slips)
    case .gru: return PlainCell(.gru, ["r", "u", "c"].map { gate($0) }, slips)
    case .lstm:
      let (kernel, bias) = (tensor("lstm_kernel").rows, tensor("lstm_bias").doubles)
      let (hidden, input) = (bias.count / 4, kernel.count - bias.count / 4)
      let gates = (0..<4).map { gate in
        let columns = gate * hidden..<(gate + 1) * hidden
        return PlainGate(
          input: kernel[..<input].map { Array($0[columns]) },
          recurrent: kernel[input...].map { Array($0[columns]) }, bias: Array(bias[columns]))
      }
      return PlainCell(.lstm, gates, slips)
    }
  }

  /// The outputs `[B][T][H]` of a cell of the toy problem.
  package func outputs(_ kind: PlainKind, _ slips: Slips = Slips()) -> [[[Double]]] {
    cell(kind, slips).outputs(tensor("inputs").blocks, from: tensor("initial_state").rows)
  }
}

extension Tensor {
  /// The elements.
  var doubles: [Double] { elements.map { Double($0) } }

  /// A matrix as rows.
  var rows: [[Double]] { doubles.cut(shape[1]) }

  /// Three axes as nested arrays.
  var blocks: [[[Double]]] { doubles.cut(shape[2]).cut(shape[1]) }
}

extension Array {
  /// The elements in groups of one size.
  func cut(_ size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<$0 + size]) }
  }
}
