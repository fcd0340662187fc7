// Initial layers read from a file; differences from the model are reported by name.

import Testing
import Unroll
import UnrollFormats
import UnrollLanguage
import UnrollTestSupport

@Suite("Layers that a model begins with")
struct InitialLayersTests {
  private func sentence(
    _ kind: CellKind = .gruResetBefore,
    changing change: (inout RunConfiguration) -> Void = { _ in },
    _ cell: (CellParameters<Float>) -> Cell<Float>
  ) throws -> String? {
    var settings = try TrainerTests.configuration {
      ($0.model.cell, $0.model.layers, $0.model.topSize) = (kind, 1, nil)
      ($0.model.embeddingSize, $0.model.hiddenSize, $0.model.isTied) = (4, 5, false)
      ($0.model.projectionSize, $0.model.vocabularySize) = (nil, 7)
      $0.weights = "w.npz"
    }
    let parameters = LanguageModel<Float>(settings.model).layers[0].cell.parameters
    change(&settings)
    let network = RecurrentNetwork(levels: [[RecurrentLayer(cell: cell(parameters))]])
    do {
      _ = try settings.initialLayers(of: network)
      return nil
    } catch let error as RunError {
      return error.description
    }
  }

  private func gru(
    _ activation: Activation = .tanh, gates: Activation = .sigmoid, clip: Double = 0
  ) -> (CellParameters<Float>) -> Cell<Float> {
    {
      Cell(
        .gruResetBefore, parameters: $0,
        options: CellOptions(activation: activation, gateActivation: gates, argumentClip: clip))
    }
  }

  @Test("A setting that the model's cells do not have is named, with both values")
  func settings() throws {
    #expect(try sentence(.gruResetBefore, gru()) == nil)
    let end = ", which the model's cells do not have"
    #expect(
      try sentence(.gruResetBefore, gru(clip: 3))
        == "w.npz: layer 0: expected argument clip 0.0, found 3.0\(end)")
    #expect(
      try sentence(.gruResetBefore, gru(.leakyRelu(slope: 0.01)))
        == "w.npz: layer 0: expected activation tanh, found leaky relu (0.01)\(end)")
    #expect(
      try sentence(.gruResetBefore, gru(gates: .softsign))
        == "w.npz: layer 0: expected gate activation sigmoid, found softsign\(end)")
    #expect(
      try sentence(.lstm) { Cell(.lstm, parameters: $0, options: CellOptions(cellClip: 2)) }
        == "w.npz: layer 0: expected cell clip 0.0, found 2.0\(end)")
    #expect(
      try sentence(.rnn) { Cell(.rnn, parameters: $0, options: CellOptions(activation: .relu)) }
        == "w.npz: layer 0: expected activation tanh, found relu\(end)")
    #expect(
      try sentence(.gruResetBefore, changing: { $0.model.cell = .gruResetAfter }, gru())
        == "w.npz: layer 0: expected cell gru-after, as the setting cell says, found gru")
  }

  @Test("Another size is named with the setting that says it")
  func sizes() throws {
    #expect(
      try sentence(.gruResetBefore, changing: { $0.model.hiddenSize = 7 }, gru())
        == "w.npz: layer 0: expected hidden size 7, as the setting hidden_size says, found 5")
    #expect(
      try sentence(.gruResetBefore, changing: { $0.model.topSize = 6 }, gru())
        == "w.npz: layer 0: expected hidden size 6, as the setting top_size says, found 5")
    #expect(
      try sentence(.gruResetBefore, changing: { $0.model.embeddingSize = 3 }, gru())
        == "w.npz: layer 0: expected input size 3, as the setting embedding_size says, found 4")
  }

  @Test("Parameters that one of the two does not have are named")
  func parameters() throws {
    #expect(
      try sentence(.gruResetBefore, changing: { $0.model.isNormalized = true }, gru())
        == "w.npz: layer 0: expected 'input_gain' of shape [15], found none")
    #expect(
      try sentence(.lstm) { own in
        var parameters = CellParameters<Float>(
          gates: CellKind.lstm.gates, inputSize: 4, hiddenSize: 5, hasPeepholes: true)
        parameters.inputWeights = own.inputWeights
        return Cell(.lstm, parameters: parameters)
      }
        == "w.npz: layer 0: found 'peepholes' of shape [3, 5], which the model's cells do not have"
    )
  }
}
