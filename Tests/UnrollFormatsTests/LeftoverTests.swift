// Arrays next to the cells of MLX and TensorFlow 1 that their classes do not have.

import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Arrays left over beside MLX's and TensorFlow 1's cells")
struct LeftoverTests {
  private func imported(_ shapes: [String: [Int]]) throws -> ImportedNetwork<Float> {
    let arrays = shapes.mapValues { StoredArray(Tensor<Float>(shape: $0)) }
    return try NetworkFile.network(in: ArrayFile(for: "x.npz", arrays: arrays), as: Float.self)
      .imported
  }

  private func sentence(_ shapes: [String: [Int]]) -> String {
    (#expect(throws: ModelImportError.self) { try imported(shapes) })?.description ?? ""
  }

  private func mlx(_ prefix: String, input: Int = 4) -> [String: [Int]] {
    ["\(prefix)Wx": [12, input], "\(prefix)Wh": [12, 3], "\(prefix)bias": [12]]
  }

  @Test("A layer of MLX has its own arrays and no others")
  func mlx() throws {
    #expect(try imported(mlx("")).network.outputSize == 3)
    #expect(
      sentence(mlx("").merging(["b": [12]]) { $1 })
        == "'b': expected Wx, Wh, bias of MLX's lstm")
    #expect(
      sentence(["m.Wx": [12, 4], "m.Wh": [12, 3], "m.b": [12]]).hasPrefix("'m.b': expected"))
    // Names of this kind are a hand-written cell's, too.
    for (cell, other) in [
      (["Wxh": [3, 4], "Whh": [3, 3], "Why": [5, 3]], "Why"),
      (["Wxh": [3, 4], "Whh": [3, 3], "bh": [3, 1]], "bh"),
      (["m.Wx": [12, 4], "m.Wh": [12, 3], "m.bx": [12]], "m.bx"),
      (mlx("r.").merging(["r.Wci": [3]]) { $1 }, "r.Wci"),
      (mlx("r.").merging(["r.Wx_scales": [12]]) { $1 }, "r.Wx_scales"),
    ] {
      #expect(sentence(cell).hasPrefix("'\(other)': stands beside"), "\(other)")
    }
    #expect(
      try imported(mlx("r.").merging(["loss": [], "fc.W": [2, 3]]) { $1 }).others.count == 2)
    // A module between two layers of a list changes the numbers that pass between them.
    var list = mlx("layers.0.").merging(mlx("layers.2.", input: 3)) { $1 }
    #expect(
      try imported(list).assumptions == [
        "the modules between layers.0 and layers.2 have no arrays: they change nothing, as dropout"
      ])
    list["layers.1.weight"] = [3, 3]
    #expect(
      sentence(list)
        == "'layers.1.weight': stands between two recurrent layers, and is not taken over")
  }

  @Test("A cell of TensorFlow 1 has its own variables and an optimizer's, and no others")
  func tensorFlow() throws {
    let cell: [String: [Int]] = ["rnn/lstm_cell/kernel": [7, 12], "rnn/lstm_cell/bias": [12]]
    let slots = ["rnn/lstm_cell/kernel/Adam": [7, 12], "rnn/lstm_cell/bias/Adam_1": [12]]
    #expect(try imported(cell.merging(slots) { $1 }).others == slots.keys.sorted())
    #expect(
      sentence(cell.merging(["rnn/lstm_cell/state/gamma": [3]]) { $1 })
        == "'rnn/lstm_cell/state/gamma': stands beside the weights of a cell, and lstm_cell of tf.nn.rnn_cell has no such variable; a cell that uses it computes something else"
    )
    // One peephole of three is a file that lacks two.
    #expect(
      sentence(cell.merging(["rnn/lstm_cell/w_i_diag": [3]]) { $1 })
        == "'rnn/lstm_cell/w_f_diag': expected such an array, found none")
    let gru: [String: [Int]] = [
      "rnn/gru_cell/candidate/bias": [3], "rnn/gru_cell/candidate/kernel": [7, 3],
    ]
    #expect(
      sentence(gru.merging(["rnn/gru_cell/gates/bias": [6]]) { $1 })
        == "'rnn/gru_cell/gates/kernel': expected such an array, found none")
  }
}
