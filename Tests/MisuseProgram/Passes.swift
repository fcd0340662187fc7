import Unroll

private let layer = RecurrentLayer<Float>(cell: Cell(.lstm, inputSize: 3, hiddenSize: 4))
private let inputs = Tensor<Float>(shape: [5, 2, 3], repeating: 0.5)
private let stack = RecurrentNetwork<Float>(cells: [
  Cell(.lstm, inputSize: 3, hiddenSize: 4), Cell(.lstm, inputSize: 4, hiddenSize: 2),
])

let passMisuses = [
  Misuse(
    "inputs", "RecurrentLayer.forward: expected inputs of three axes, the last 3, got [5, 2, 4]."
  ) { use(layer.forward(Tensor(shape: [5, 2, 4]), from: layer.zeroState(batchSize: 2))) },
  Misuse(
    "inputs-axes", "RecurrentLayer.forward: expected inputs of three axes, the last 3, got [5, 3]."
  ) { use(layer.forward(Tensor(shape: [5, 3]), from: layer.zeroState(batchSize: 2))) },
  Misuse(
    "batch-first",
    "RecurrentLayer.forward: expected states [5, 4] and [5, 4], got [2, 4] and [2, 4]."
  ) {
    use(layer.forward(inputs, from: layer.zeroState(batchSize: 2), layout: .batchMajor))
  },
  Misuse(
    "state-size",
    "RecurrentLayer.forward: expected states [2, 4] and [2, 4], got [2, 4] and [2, 0]."
  ) { use(layer.forward(inputs, from: RecurrentState(hidden: Tensor(shape: [2, 4])))) },
  Misuse("batch-negative", "Tensor.init: expected sizes of at least 0, got [-1, 4].") {
    use(layer.zeroState(batchSize: -1))
  },
  Misuse("mask-lengths", "SequenceMask: expected 2 lengths in 0 ... 5, got [5, 6].") {
    use(
      layer.forward(inputs, from: layer.zeroState(batchSize: 2), mask: .lengths([5, 6])))
  },
  Misuse("mask-count", "SequenceMask: expected 2 lengths in 0 ... 5, got [5].") {
    use(layer.forward(inputs, from: layer.zeroState(batchSize: 2), mask: .lengths([5])))
  },
  Misuse("mask-steps", "SequenceMask: expected [5, 2] flags, got [2, 2].") {
    let mask = SequenceMask.steps([[true, true], [true, false]])
    use(layer.forward(inputs, from: layer.zeroState(batchSize: 2), mask: mask))
  },
  Misuse("mask-ragged", "SequenceMask.steps: expected rows of 2 flags, got [2, 1].") {
    use(SequenceMask.steps([[true, true], [true]]))
  },
  Misuse(
    "frozen-inputs", "FrozenLayer.run: expected inputs of three axes, the last 3, got [5, 2, 4]."
  ) {
    var result = SequenceOutputs<Float>()
    layer.frozen().run(
      Tensor(shape: [5, 2, 4]), from: layer.zeroState(batchSize: 2), into: &result)
  },
  Misuse("stack", "RecurrentNetwork.init: expected input size 4 at level 1, got 5.") {
    use(
      RecurrentNetwork<Float>(cells: [
        Cell(.lstm, inputSize: 3, hiddenSize: 4), Cell(.lstm, inputSize: 5, hiddenSize: 2),
      ]))
  },
  Misuse("stack-states", "RecurrentNetwork.forward: expected 2 states, got 1.") {
    use(stack.forward(inputs, from: [layer.zeroState(batchSize: 2)]))
  },
  Misuse("stack-parameters-count", "RecurrentNetwork.parameters: expected 2 layers, got 1.") {
    var network = stack
    network.parameters = [network.parameters[0]]
  },
  Misuse(
    "stack-parameters",
    "RecurrentNetwork.parameters: expected parameters of the shapes that layer 1 has, D 4 and H 2, got D 3 and H 4 with the gates input, forget, candidate, output."
  ) {
    var network = stack
    network.parameters = [network.parameters[0], network.parameters[0]]
  },
  Misuse(
    "planning",
    "RecurrentLayer.trainingMemory: expected T and B of at least 0 and arrays of at most 281474976710656 numbers, got 4611686018427387904 and 4."
  ) { use(layer.trainingMemory(timeStepCount: 1 << 62, batchSize: 4)) },
  Misuse(
    "planning-negative",
    "RecurrentLayer.inferenceMemory: expected T and B of at least 0 and arrays of at most 281474976710656 numbers, got 5 and -1."
  ) { use(layer.inferenceMemory(timeStepCount: 5, batchSize: -1)) },
]

let threadMisuses = [
  Misuse("threads-none", "Threads.use: expected at least one thread, got 0.") {
    Threads.use(0) { use(layer) }
  }
]

let streamMisuses = [
  Misuse(
    "stream-batch",
    "RecurrentStream.init: expected a cell and a batch of 1 ... 1073741824, got 1 cells and a batch of 0."
  ) { use(layer.stream(batchSize: 0)) },
  Misuse(
    "stream-huge",
    "RecurrentStream.init: expected a cell and a batch of 1 ... 1073741824, got 1 cells and a batch of 4611686018427387904."
  ) { use(layer.stream(batchSize: 1 << 62)) },
  Misuse("stream-stack", "RecurrentStream.init: expected input size 4, got 5.") {
    use(
      RecurrentStream<Float>(
        cells: [
          Cell(.lstm, inputSize: 3, hiddenSize: 4), Cell(.lstm, inputSize: 5, hiddenSize: 2),
        ],
        batchSize: 1))
  },
  Misuse("stream-input", "RecurrentStream.step: expected 3 and 4 numbers, got 2 and 4.") {
    var stream = layer.stream(batchSize: 1)
    var output = [Float](repeating: 0, count: 4)
    stream.step([1, 2], into: &output)
  },
  Misuse("stream-output", "RecurrentStream.step: expected 3 and 4 numbers, got 3 and 5.") {
    var stream = layer.stream(batchSize: 1)
    var output = [Float](repeating: 0, count: 5)
    stream.step([1, 2, 3], into: &output)
  },
  Misuse("stream-states", "RecurrentStream.states: expected 1 states, got 2.") {
    var stream = layer.stream(batchSize: 1)
    stream.states += stream.states
  },
  Misuse(
    "stream-other-state",
    "RecurrentStream.states: expected shapes [1, 4] and [1, 4], got [2, 4] and [2, 4]."
  ) {
    var stream = layer.stream(batchSize: 1)
    stream.states[0] = layer.zeroState(batchSize: 2)
  },
  Misuse(
    "stream-sequence",
    "RecurrentStream.reset(sequence:to:): expected a sequence below 1 and 1 states, got 1 and 1."
  ) {
    var stream = layer.stream(batchSize: 1)
    stream.reset(sequence: 1, to: [layer.zeroState(batchSize: 1)])
  },
  Misuse(
    "stream-sequence-state",
    "RecurrentStream.reset(sequence:to:): expected shapes [1, 4] and [1, 4], got [2, 4] and [2, 4]."
  ) {
    var stream = layer.stream(batchSize: 2)
    stream.reset(sequence: 1, to: [layer.zeroState(batchSize: 2)])
  },
  Misuse(
    "stream-backward", "RecurrentLayer.stream: expected a layer that reads forward."
  ) { use(RecurrentLayer(cell: layer.cell, direction: .backward).stream(batchSize: 1)) },
]
