// The tasks in words. Names and shapes of arrays, points and thresholds come from where they are defined.

internal import Unroll

enum ExerciseReadme {
  /// The contents of README.md.
  static var text: String {
    [introduction, files, equations, tasks, checking].joined(separator: "\n")
  }

  private static let introduction = """
    # Recurrent networks by hand

    Write a basic RNN and a GRU in any language, and find out what they remember. `unroll lab check .` in this folder grades
    your answers, and names the mistake where it can.

    ## How to begin

    - **Python**: fill in the functions of `rnn.py` and run it; it needs NumPy. It reads the archives and writes `answers/`.
    - **Swift**: `Rnn.swift` is the `main.swift` of a package that depends on Unroll (`Unroll` and `UnrollFormats`). Run it in this
      folder. It also checks your backward steps with `CellCheck`.
    - **Another language**: read `toy/*.npy` and `large/*.npy`, and write the arrays that each task lists into
      `answers/task1.npz`, or as files `answers/task1/rnn_outputs.npy` and so on.

    ## Files

    An `.npz` file is a zip archive of `.npy` files. A `.npy` file has the bytes `\\x93NUMPY`, two bytes of version (1, 0), the length
    of the header (16 bits, little-endian), the header (text: element type, order, shape), and then the numbers. All arrays here are
    little-endian float32 (`<f4`), row by row: the last index changes fastest. Answers may be float32 or float64.

    """

  private static var files: String {
    [ExerciseProblem.toy, .large].map { problem in
      let rows = problem.arrays.map { array in
        "| `\(array.name)` | \(shape(array.tensor.shape)) | \(array.axes) | \(array.meaning) |"
      }
      return """
        ### `\(problem.name).npz`: \(problem.title)

        | array | shape | axes | contents |
        |---|---|---|---|
        \(rows.joined(separator: "\n"))

        """
    }.joined(separator: "\n")
  }

  private static let equations = """
    ## Equations

    x is the input of a step, h the state before it, h′ the state after it, which is the step's output. They are rows: W is
    [inputs, units], U is [units, units], and both are multiplied from the right. · is the product with a matrix, ⊙ the product
    element by element, σ(a) = 1 / (1 + exp(−a)).

        RNN    h′ = tanh(x·W + h·U + b)

        GRU    u  = σ(x·Wu + h·Uu + bu)                  update gate
               r  = σ(x·Wr + h·Ur + br)                  reset gate
               c  = tanh(x·Wc + (r ⊙ h)·Uc + bc)         candidate
               h′ = u ⊙ h + (1 − u) ⊙ c

    W, U and b are `wt_x`, `wt_h` and `bias` of the RNN, and `wtu_x`, `wtu_h`, `biasu` and so on of the GRU's gates. The reset gate acts
    before the product with Uc, as in TensorFlow 1; PyTorch and cuDNN have another variant.

        LSTM   i = σ(x·Wi + h·Ui + bi)    g = tanh(x·Wg + h·Ug + bg)
               f = σ(x·Wf + h·Uf + bf + 1)    o = σ(x·Wo + h·Uo + bo)
               c′ = f ⊙ c + i ⊙ g    h′ = o ⊙ tanh(c′)

    The LSTM brings no points. `lstm_kernel` has the rows of W above those of U; its columns are i, g, f, o.

    """

  private static var tasks: String {
    let points = Dictionary(
      uniqueKeysWithValues: ExerciseTask.allCases.map {
        ($0, "\(LabNumber.short($0.points)) points")
      })
    func title(_ task: ExerciseTask) -> String {
      "### Task \(task.rawValue): \(task.title) (\(points[task] ?? ""))"
    }
    let gruArrays = ExerciseProblem.gruNames.map { "`\($0)`" }.joined(separator: ", ")
    let number = LabNumber.short
    return """
      ## Tasks

      The relative error of two arrays is the notebook's: the largest |x − y| / max(1e-8, |x| + |y|) of all elements. Steps are
      counted from 0: the state at step 10 is `outputs[:, 10]`, after 11 updates.

      \(title(.forward))

      Run the RNN and the GRU on `toy.npz`, from `initial_state`. `answers/task1.npz`: `rnn_outputs` [4, 5, 2], `rnn_final_state` [4, 2],
      `gru_outputs`, `gru_final_state`; if you like `lstm_outputs`, `lstm_final_state`. Graded: the relative error to TensorFlow's
      outputs plus that of the final state, at most \(number(ExerciseThreshold.relativeError)). RNN \(number(ExerciseThreshold.rnnPoints)) points, GRU \(number(ExerciseThreshold.gruPoints)); half of them if the final state is wrong, or if
      the equations are right and the numbers are not precise.

      \(title(.gruAsRNN))

      Choose the GRU's weights so that it computes what the RNN of `toy.npz` computes. `answers/task2.npz`: \(gruArrays),
      with the shapes of `toy.npz`. Graded: the relative error between both outputs in float32, at most \(number(ExerciseThreshold.gruAsRNN.full)); half of the
      points up to \(number(ExerciseThreshold.gruAsRNN.half)).

      \(title(.forgetting))

      Run the RNN on `large.npz` from four initial states: zero (`initial_state`), `init_rand1`, `init_rand2`, and 100 times `init_rand1`.
      For steps 10, 20 and 30 compute the Euclidean distances of the states of six pairs, for every sequence:
      \(MemoryExperiment.pairTitles.joined(separator: "; ")). `answers/task3.npz`: `distances` [3, 6, 100]. Graded: the largest difference, at
      most \(number(ExerciseThreshold.distance)). Draw a histogram of each, then multiply the weights by other scales: does any keep the distances up?

      \(title(.keeping))

      Choose weights of a GRU with 5 inputs and 8 units that keeps its initial state, whatever the inputs are. `answers/task4.npz`: the
      nine arrays of task 2, in these sizes (`_x` [5, 8], `_h` [8, 8], bias [8]). Graded: the largest change of a state's element
      by step 30, from the four initial states of task 3, divided by the initial state's largest element (at least 1): at most \(number(ExerciseThreshold.drift.full)); half
      of the points up to \(number(ExerciseThreshold.drift.half)).

      \(title(.vanishing))

      With the weights `task5_wt_h`, `task5_wt_x`, `task5_bias` and the zero state, compute by hand the gradient of Σ h at step 30 (the sum over
      the units of one sequence) with respect to that sequence's initial state, and its Euclidean norm. `answers/task5.npz`:
      `gradient_norms` [100]. Graded: the relative error, at most \(number(ExerciseThreshold.gradientError)). Why are the norms so small? At which scale do they explode?

      \(title(.survivingGradient))

      Choose weights of a GRU with 5 inputs and 8 units whose gradient of Σ h at step 30 does not vanish. `answers/task6.npz`: the nine
      arrays of task 4. Graded: the smallest norm from `initial_state` and `init_rand1`, at least \(number(ExerciseThreshold.survival.full)); half of the points from \(number(ExerciseThreshold.survival.half)).
      No norm may exceed \(number(ExerciseThreshold.explosion)).

      """
  }

  private static let checking = """
    ## How to check

        unroll lab check .                      all tasks of this folder
        unroll lab check answers/task1.npz      one task

    The check computes each step from your own state before it and shows the first one that is wrong. Then it tries every known mistake
    and every pair of them. If one gives your numbers, it is named.

    """

  private static func shape(_ sizes: [Int]) -> String {
    "[\(sizes.map(String.init).joined(separator: ", "))]"
  }
}
