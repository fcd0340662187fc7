// Networks as ONNX graphs: the same numbers back here, and in onnxruntime.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("ONNX there and back")
struct ExportTests {
  static let python = preparedPython()

  /// Networks with biases everywhere, of every kind that ONNX has.
  static func networks<Scalar: KernelScalar>(
    _ type: Scalar.Type
  ) -> [(name: String, network: RecurrentNetwork<Scalar>)] {
    var random = NumPyRandom(seed: testSeed)
    func cell(_ cell: Cell<Scalar>) -> Cell<Scalar> {
      var cell = cell
      for name in cell.parameters.names {
        cell.parameters[name] = uniform(cell.parameters[name].shape, &random)
      }
      return cell
    }
    func pair(_ make: () -> Cell<Scalar>) -> [RecurrentLayer<Scalar>] {
      [
        RecurrentLayer(cell: cell(make())),
        RecurrentLayer(cell: cell(make()), direction: .backward),
      ]
    }
    var relu = Cell<Scalar>(
      .rnn, inputSize: 3, hiddenSize: 4, options: CellOptions(activation: .relu))
    relu.options.argumentClip = 0.875
    let hard = CellOptions(
      gateActivation: .hardSigmoid(slope: 0.25, offset: 0.5), couplesInputAndForget: true)
    return [
      ("rnn", RecurrentNetwork(cells: [cell(relu)])),
      (
        "gru before, two levels",
        RecurrentNetwork(cells: [
          cell(Cell<Scalar>(.gruResetBefore, inputSize: 3, hiddenSize: 4)),
          cell(Cell<Scalar>(.gruResetBefore, inputSize: 4, hiddenSize: 5)),
        ])
      ),
      (
        "gru after, both ways",
        RecurrentNetwork(levels: [
          pair { Cell<Scalar>(.gruResetAfter, inputSize: 3, hiddenSize: 4, biasCount: 2) },
          [
            RecurrentLayer(
              cell: cell(
                Cell<Scalar>(.gruResetAfter, inputSize: 8, hiddenSize: 2, biasCount: 1)))
          ],
        ])
      ),
      (
        "lstm with peepholes, both ways",
        RecurrentNetwork(levels: [
          pair {
            Cell<Scalar>(
              .lstm, inputSize: 3, hiddenSize: 4, hasPeepholes: true,
              options: CellOptions(forgetOffset: 0.5))
          }
        ])
      ),
      (
        "lstm, hard and coupled",
        RecurrentNetwork(cells: [
          cell(Cell<Scalar>(.lstm, inputSize: 3, hiddenSize: 4, options: hard))
        ])
      ),
    ]
  }

  /// Inputs of a network's graph, of other sizes than its test has.
  private func values<Scalar: KernelScalar>(
    _ network: RecurrentNetwork<Scalar>, _ random: inout NumPyRandom
  ) -> (x: Tensor<Scalar>, states: [RecurrentState<Scalar>], values: [String: ONNXValue<Scalar>]) {
    let (steps, rows) = (7, 3)
    let x: Tensor<Scalar> = uniform([steps, rows, 3], &random)
    var values = ["x": ONNXValue(x)]
    var states: [RecurrentState<Scalar>] = []
    for (level, layers) in network.levels.enumerated() {
      let own = layers.map { randomState($0.cell, batchSize: rows, &random) }
      states += own
      func joined(_ path: KeyPath<RecurrentState<Scalar>, Tensor<Scalar>>) -> ONNXValue<Scalar> {
        let parts = own.map { $0[keyPath: path] }
        return ONNXValue(
          Tensor(shape: [parts.count] + parts[0].shape, elements: parts.flatMap(\.elements)))
      }
      values["hidden_\(level)"] = joined(\.hidden)
      if layers[0].cell.cellStateSize > 0 { values["cell_\(level)"] = joined(\.cell) }
    }
    return (x, states, values)
  }

  private func roundTrip<Scalar: KernelScalar>(_ type: Scalar.Type, _ tolerance: Scalar) throws {
    var random = NumPyRandom(seed: testSeed)
    for (name, network) in Self.networks(Scalar.self) {
      let (model, notes) = try ONNXModel.exporting(network)
      #expect(notes.count == (name.contains("peepholes") ? 2 : 0), "\(name)")
      let again = try ONNXModel(model.encoded())
      #expect(again.isDouble == (Scalar.self == Double.self))
      #expect(try again.judge(as: Scalar.self))
      let (x, states, values) = values(network, &random)
      let trace = network.forward(x, from: states)
      let results = try again.run(values)
      let y = try #require(results["y"]?.tensor)
      #expect((y - trace.outputs).maximumMagnitude <= tolerance, "\(name)")
      // The last level's final states, forward first.
      let last = network.levels.count - 1
      let final = try #require(results["final_hidden_\(last)"]?.tensor)
      let first = network.layers.count - network.levels[last].count
      for index in network.levels[last].indices {
        let ours = trace.layers[first + index].finalState.hidden
        #expect((final[index, ...] - ours).maximumMagnitude <= tolerance, "\(name)")
      }
      let (imported, report) = try again.network(as: Scalar.self)
      #expect(report.mappings.count >= 3 * network.levels.count)
      #expect(report.omissions == [] && report.notes == [])
      let back = imported.forward(x, from: states).outputs
      #expect((back - trace.outputs).maximumMagnitude <= tolerance, "\(name)")
    }
  }

  @Test("A graph, run here, and the network taken out of it compute what the network computes")
  func roundTrips() throws {
    try roundTrip(Float.self, 2e-6)
    try roundTrip(Double.self, 1e-14)
  }

  @Test("A language model's graph goes from symbols to the model's logits")
  func languageModel() throws {
    for isTied in [false, true] {
      let (graph, expected, symbols) = try Self.languageGraph(isTied: isTied)
      let values: [String: ONNXValue<Float>] = [
        "symbols": .integers(NDArray(shape: [3, 2], elements: symbols)),
        "hidden_0": ONNXValue(Tensor(shape: [1, 2, 4])),
        "cell_0": ONNXValue(Tensor(shape: [1, 2, 4])),
      ]
      let logits = try #require(try graph.run(values)["logits"]?.tensor)
      #expect((logits - expected).maximumMagnitude < 2e-6)
      #expect(graph.metadata["vocabulary"] == "[]")
      #expect(try graph.judge(as: Float.self))
    }
  }

  /// A model of 6 symbols with a linear layer, its logits computed by plain products.
  static func languageGraph(
    isTied: Bool
  ) throws -> (model: ONNXModel, logits: Tensor<Float>, symbols: [Int]) {
    var random = NumPyRandom(seed: testSeed)
    let embedding: Tensor<Float> = uniform([6, 3], &random)
    let cell = Cell<Float>(.lstm, inputSize: 3, hiddenSize: 4, using: &random)
    let projection: (weights: Tensor<Float>, bias: Tensor<Float>) = (
      uniform([4, 3], &random), uniform([3], &random)
    )
    let softmax: Tensor<Float> = uniform([3, 6], &random)
    let bias: Tensor<Float> = uniform([6], &random)
    let network = RecurrentNetwork<Float>(cells: [cell])
    let (model, _) = try ONNXModel.exporting(
      network,
      parts: ONNXLanguageParts(
        embedding: embedding, projection: projection, softmaxWeights: isTied ? nil : softmax,
        softmaxBias: bias), metadata: ["vocabulary": "[]"])
    let symbols = [5, 0, 3, 3, 1, 4]
    let x = Tensor<Float>(
      shape: [3, 2, 3], elements: symbols.flatMap { embedding[$0, ...].elements })
    let h = network.forward(x, from: network.zeroStates(batchSize: 2)).outputs
    func add(_ bias: Tensor<Float>, to m: Tensor<Float>) -> Tensor<Float> {
      Tensor(
        shape: m.shape,
        elements: m.elements.enumerated().map { $1 + bias.elements[$0 % bias.count] })
    }
    let p = add(projection.bias, to: h.reshaped(to: [6, 4]).matrixProduct(projection.weights))
    let logits = add(bias, to: p.matrixProduct(isTied ? embedding.transposed : softmax))
    return (try ONNXModel(model.encoded()), logits.reshaped(to: [3, 2, 6]), symbols)
  }

  @Test(
    "onnxruntime accepts the graphs and computes the same",
    .needs(.python))
  func runtime() throws {
    var random = NumPyRandom(seed: testSeed)
    try withTemporaryFolder { folder in
      for (name, network) in Self.networks(Float.self) {
        let (x, states, values) = values(network, &random)
        let arrays = values.compactMapValues { $0.tensor.map { StoredArray($0) } }
        let (model, _) = try ONNXModel.exporting(network)
        let results = try runtimeResults(model, arrays, folder)
        let y = try results.array("y").tensor(of: Float.self)
        let distance = (y - network.forward(x, from: states).outputs).maximumMagnitude
        #expect(distance < 1e-5, "\(name): \(distance)")
      }
      for isTied in [false, true] {
        let (model, expected, symbols) = try Self.languageGraph(isTied: isTied)
        let zero = StoredArray(Tensor<Float>(shape: [1, 2, 4]))
        let integers = StoredArray(
          elementType: .int64, shape: [3, 2], bytes: StoredArray(symbols).bytes)
        let results = try runtimeResults(
          model, ["symbols": integers, "hidden_0": zero, "cell_0": zero], folder)
        let logits = try results.array("logits").tensor(of: Float.self)
        #expect((logits - expected).maximumMagnitude < 1e-5)
      }
    }
  }

  private func runtimeResults(
    _ model: ONNXModel, _ inputs: [String: StoredArray], _ folder: String
  ) throws -> NPZ {
    let paths = (
      model: folder + "/m.onnx", inputs: folder + "/in.npz", outputs: folder + "/out.npz"
    )
    try AtomicFile.write(model.encoded(), to: paths.model)
    try AtomicFile.write(NPZ.encode(inputs), to: paths.inputs)
    let (status, _) = try runScript(
      "run_onnx.py", #require(Self.python), [paths.model, paths.inputs, paths.outputs])
    #expect(status == 0)
    return try NPZ(AtomicFile.read(paths.outputs))
  }

  @Test("A setting that float32 rounds is reported, because ONNX stores settings in float32")
  func rounding() throws {
    var cell = Cell<Double>(.rnn, inputSize: 2, hiddenSize: 3)
    cell.options.argumentClip = 0.9
    let (_, notes) = try ONNXModel.exporting(RecurrentNetwork<Double>(cells: [cell]))
    #expect(notes == ["level 0: 0.9 became 0.8999999761581421; ONNX keeps settings in float32"])
    // In float32 that is the number that the cell computes with.
    var single = Cell<Float>(.rnn, inputSize: 2, hiddenSize: 3)
    single.options.argumentClip = 0.9
    #expect(try ONNXModel.exporting(RecurrentNetwork<Float>(cells: [single])).notes == [])
  }

  @Test("A setting that ONNX cannot express is refused with its field")
  func inexpressible() throws {
    var zoned = Cell<Float>(.rnn, inputSize: 2, hiddenSize: 3)
    zoned.zoneout = Zoneout(hidden: 0.25)
    var clipped = Cell<Float>(.lstm, inputSize: 2, hiddenSize: 3)
    clipped.options.cellClip = 1
    let cases: [(Cell<Float>, String)] = [
      (zoned, "ONNX cannot express zoneout = [0.25, 0.0]"),
      (clipped, "ONNX cannot express cell clip = 1.0"),
      (
        Cell<Float>(.lstm, inputSize: 2, hiddenSize: 3, projectionSize: 2),
        "ONNX cannot express projection size = 2"
      ),
      (
        Cell<Float>(.rnn, inputSize: 2, hiddenSize: 3, isNormalized: true),
        "ONNX cannot express layer normalisation = on"
      ),
    ]
    for (cell, sentence) in cases {
      let error = #expect(throws: ModelImportError.self) {
        try ONNXModel.exporting(RecurrentNetwork<Float>(cells: [cell]))
      }
      #expect(error?.description == sentence)
    }
    let mixed = RecurrentNetwork<Float>(
      forward: Cell(.rnn, inputSize: 2, hiddenSize: 3),
      backward: Cell(.gruResetAfter, inputSize: 2, hiddenSize: 3))
    let error = #expect(throws: ModelImportError.self) { try ONNXModel.exporting(mixed) }
    #expect(error?.description == "ONNX cannot express directions = two different cells")
  }
}
