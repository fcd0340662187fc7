// The paths of layers: the path chosen for a shape, agreement of two paths for each cell, and the independence of
// sequences and threads that share vectors, weights or the pool.

import Foundation
import Synchronization
import Testing
import Unroll
import UnrollTestSupport

@Suite("Paths through a layer")
struct PathTests {
  // MARK: - The plan's table

  /// A shape and its path for every instruction set except plain.
  private struct Shape<Scalar: KernelScalar> {
    let path: LayerPlan.Path
    let purpose: LayerPlan.Purpose
    let cell: Cell<Scalar>
    let rows: Int
    var threads = 1
    var isMasked = false

    func plan() -> LayerPlan {
      Threads.use(threads) {
        RecurrentLayer(cell: cell).plan(
          for: purpose, timeStepCount: purpose == .stream ? 1 : 9, batchSize: rows,
          isMasked: isMasked)
      }
    }
  }

  /// Shapes on both sides of each condition of the plan, for vectors of `width` numbers.
  private func shapes<Scalar: KernelScalar>(_ type: Scalar.Type, width: Int) -> [Shape<Scalar>] {
    func lstm(
      _ h: Int, peepholes: Bool = false, projection: Int? = nil, normalized: Bool = false,
      _ options: CellOptions = CellOptions()
    ) -> Cell<Scalar> {
      Cell(
        .lstm, inputSize: 3, hiddenSize: h, hasPeepholes: peepholes, projectionSize: projection,
        isNormalized: normalized, options: options)
    }
    var zoned = lstm(width)
    zoned.zoneout = Zoneout(hidden: 0.1, cell: 0.1)
    // The smallest U of more than 2 MB, 4·H² numbers, and the largest of at most that.
    let size = MemoryLayout<Scalar>.size
    let large = Int((Double(2 << 20) / Double(4 * size)).squareRoot()) + 1
    precondition(
      4 * large * large * size > 2 << 20 && 4 * (large - 1) * (large - 1) * size <= 2 << 20)
    return [
      Shape(path: .registers, purpose: .stream, cell: lstm(1), rows: 1),
      Shape(path: .registers, purpose: .stream, cell: lstm(2 * width), rows: 1),
      Shape(path: .streamed, purpose: .stream, cell: lstm(2 * width + 1), rows: 1),
      Shape(path: .streamed, purpose: .stream, cell: lstm(width, peepholes: true), rows: 1),
      Shape(path: .streamed, purpose: .stream, cell: lstm(width, projection: 2), rows: 1),
      Shape(path: .rows, purpose: .stream, cell: lstm(2 * width), rows: 2),
      Shape(path: .rows, purpose: .stream, cell: lstm(width, normalized: true), rows: 1),
      Shape(path: .rows, purpose: .stream, cell: zoned, rows: 1),
      Shape(path: .registers, purpose: .inference, cell: lstm(2 * width), rows: 1),
      Shape(path: .streamed, purpose: .inference, cell: lstm(2 * width + 1), rows: 1),
      Shape(path: .streamed, purpose: .inference, cell: lstm(width), rows: 1, isMasked: true),
      Shape(path: .columns, purpose: .inference, cell: lstm(large), rows: 1, threads: 2),
      Shape(path: .streamed, purpose: .inference, cell: lstm(large), rows: 1, threads: 1),
      Shape(path: .streamed, purpose: .inference, cell: lstm(large - 1), rows: 1, threads: 2),
      Shape(path: .lanes, purpose: .inference, cell: lstm(width - 1), rows: 3),
      Shape(path: .rows, purpose: .inference, cell: lstm(width - 1), rows: 2),
      Shape(path: .rows, purpose: .training, cell: lstm(width - 1), rows: 2),
      Shape(path: .lanes, purpose: .training, cell: lstm(width - 1), rows: 3),
      Shape(path: .rows, purpose: .training, cell: lstm(width - 1), rows: 3, isMasked: true),
      Shape(path: .rows, purpose: .training, cell: lstm(width - 1, peepholes: true), rows: 3),
      Shape(path: .rows, purpose: .training, cell: lstm(width), rows: 3),
      Shape(path: .rows, purpose: .training, cell: lstm(1), rows: 1),
      Shape(path: .columns, purpose: .training, cell: lstm(large), rows: 5, threads: 2),
      Shape(path: .rows, purpose: .training, cell: lstm(large), rows: 5, threads: 1),
      Shape(path: .rows, purpose: .training, cell: lstm(large), rows: 40, threads: 2),
      Shape(path: .rows, purpose: .training, cell: lstm(large - 1), rows: 5, threads: 2),
      Shape(
        path: .rows, purpose: .training, cell: lstm(large, normalized: true), rows: 5, threads: 2),
      Shape(
        path: .lanes, purpose: .training, cell: lstm(1, CellOptions(activation: .relu)), rows: 3),
    ]
      + LayerPlan.Purpose.allCases.flatMap { purpose in
        [
          CellOptions(couplesInputAndForget: true), CellOptions(cellClip: 1),
          CellOptions(activation: .softplus),
        ].map { Shape(path: .plain, purpose: purpose, cell: lstm(width, $0), rows: 1) }
      }
  }

  private func checkTable<Scalar: KernelScalar>(_ type: Scalar.Type) {
    for set in InstructionSet.available where set != .plain {
      let shapes = shapes(type, width: set.vectorBytes / MemoryLayout<Scalar>.size)
      #expect(Set(shapes.map(\.path)) == Set(LayerPlan.Path.allCases).subtracting([.custom]))
      for (index, shape) in shapes.enumerated() {
        let plan = set.use { shape.plan() }
        #expect(plan.path == shape.path, "\(type) \(set) shape \(index): \(plan)")
        #expect(plan.instructionSet == set)
        let plain = InstructionSet.plain.use { shape.plan() }
        #expect(plain.path == .plain && plain.reason == "the instruction set is plain")
      }
    }
  }

  @Test("Each shape takes the path of the table, and the table has every path")
  func table() {
    checkTable(Float.self)
    checkTable(Double.self)
  }

  // MARK: - Two paths for every cell

  /// The results for the first sequence: outputs `[T, P]` and the final states.
  private struct Outcome<Scalar: KernelScalar> {
    let path: LayerPlan.Path
    let name: String
    let tensors: [Tensor<Scalar>]
  }

  /// The first sequence of `rows`, through training, a frozen layer and a stream.
  private func outcomes<Scalar: KernelScalar>(
    _ cell: Cell<Scalar>, _ inputs: Tensor<Scalar>, _ state: RecurrentState<Scalar>
  ) -> [Outcome<Scalar>] {
    let layer = RecurrentLayer(cell: cell)
    let (steps, rows) = (inputs.shape[0], inputs.shape[1])
    func outcome(
      _ purpose: LayerPlan.Purpose, _ outputs: Tensor<Scalar>, _ state: RecurrentState<Scalar>
    ) -> Outcome<Scalar> {
      let count = purpose == .stream ? 1 : steps
      let path = layer.plan(for: purpose, timeStepCount: count, batchSize: rows).path
      return Outcome(
        path: path, name: "\(purpose) of \(rows)",
        tensors: [
          outputs.exchangingFirstAxes[0, ...], state.hidden[0, ...], state.cell[0, ...],
        ])
    }
    let trace = layer.forward(inputs, from: state)
    var result = SequenceOutputs<Scalar>()
    layer.frozen().run(inputs, from: state, into: &result)
    var stream = layer.stream(batchSize: rows)
    stream.states = [state]
    var outputs = Tensor<Scalar>(shape: [steps, rows, cell.outputSize])
    var output = Tensor<Scalar>(shape: [rows, cell.outputSize])
    for time in 0..<steps {
      stream.step(inputs[time, ...], into: &output)
      outputs[time, ...] = output
    }
    return [
      outcome(.training, trace.outputs, trace.finalState),
      outcome(.inference, result.outputs, result.finalState),
      outcome(.stream, outputs, stream.states[0]),
    ]
  }

  private func checkPaths<Scalar: KernelScalar>(_ type: Scalar.Type, tolerance: Scalar) {
    var random = NumPyRandom(seed: testSeed)
    var covered = Set<LayerPlan.Path>()
    for hiddenSize in [1, 12, 40] {
      for zoo in cellZoo(type, inputSize: 5, hiddenSize: hiddenSize) {
        let cell = zoo.cell
        let inputs: Tensor<Scalar> = uniform([6, 7, 5], &random)
        let state = randomState(cell, batchSize: 7, &random)
        let first = inputs.exchangingFirstAxes[0..<1].exchangingFirstAxes
        let alone = RecurrentState(hidden: state.hidden[0..<1], cell: state.cell[0..<1])
        func run() -> [Outcome<Scalar>] {
          outcomes(cell, inputs, state) + outcomes(cell, first, alone)
        }
        let plain = InstructionSet.plain.use { run() }
        for set in InstructionSet.available {
          let found = set.use { run() }
          let paths = Set(found.map(\.path))
          covered.formUnion(paths)
          if set == .plain || !cell.hasFastPath {
            // Compared with the reference in CellTests and with central differences.
            #expect(paths == [.plain], "\(set) \(zoo.name)")
          } else {
            // Layer normalisation and zoneout support only the path `rows`.
            let least = cell.parameters.isNormalized || cell.zoneout != .none ? 1 : 2
            #expect(paths.count >= least && !paths.contains(.plain), "\(set) \(zoo.name): \(paths)")
          }
          for (one, oracle) in zip(found, plain) {
            #expect(oracle.path == .plain)
            for ((a, b), c) in zip(zip(one.tensors, found[0].tensors), oracle.tensors) {
              #expect(
                a.isBitwiseEqual(to: b),
                "\(set) \(zoo.name) H \(hiddenSize): \(one.name) \(one.path)")
              #expect(
                a.isEmpty
                  || (a - c).maximumMagnitude <= tolerance * max(1, a.maximumMagnitude),
                "\(set) \(zoo.name) H \(hiddenSize): \(one.name) \(one.path)")
            }
          }
        }
      }
    }
    #expect(covered.isSuperset(of: [.plain, .rows, .lanes, .streamed, .registers]))
  }

  @Test(
    "Every cell has two paths with every instruction set: the fast ones give the same bits, all the plain one's numbers"
  )
  func twoPaths() {
    checkPaths(Float.self, tolerance: 2e-5)
    checkPaths(Double.self, tolerance: 2e-14)
  }

  // MARK: - Sequences that share vectors

  /// The values of all sequences except one, of `[T, B, …]` or `[B, …]`.
  private func others(_ tensor: Tensor<Float>, than row: Int, hasTime: Bool) -> Tensor<Float> {
    let rows = hasTime ? tensor.exchangingFirstAxes : tensor
    let count = rows.shape[0]
    var kept = rows[1..<count]
    if row > 0 { kept[0..<row] = rows[0..<row] }
    if row < count - 1 { kept[row..<count - 1] = rows[row + 1..<count] }
    return kept
  }

  /// Sizes D, H, T, B whose sequences share vectors, or rows of a tile; and the sequence that is set to NaN.
  private static let batches = Sweep.size(
    [(3, 3, 4, 21, 5), (3, 3, 4, 21, 20), (2, 1, 3, 17, 0), (3, 12, 4, 7, 2), (5, 33, 4, 13, 12)],
    debug: [(3, 3, 3, 9, 5), (3, 12, 3, 7, 2)])

  @Test(
    "A sequence that is not finite reaches no other sequence of its batch, forward or backward",
    arguments: InstructionSet.available)
  func notFinite(_ set: InstructionSet) {
    var random = NumPyRandom(seed: testSeed)
    for (d, h, steps, rows, row) in Self.batches {
      for zoo in cellZoo(Float.self, inputSize: d, hiddenSize: h) {
        let layer = RecurrentLayer(cell: zoo.cell)
        let inputs: Tensor<Float> = uniform([steps, rows, d], &random)
        let state = randomState(zoo.cell, batchSize: rows, &random)
        let gradient: Tensor<Float> = uniform([steps, rows, layer.outputSize], &random)
        let name = "\(set) \(zoo.name) H \(h) B \(rows)"
        func pass(_ x: Tensor<Float>, _ dy: Tensor<Float>) -> (
          trace: SequenceTrace<Float>, gradients: LayerGradients<Float>
        ) {
          let trace = layer.forward(x, from: state)
          return (trace, layer.backward(trace, outputs: dy))
        }
        set.use {
          let clean = pass(inputs, gradient)
          for special in [Float.nan, .infinity] {
            var spoilt = inputs
            spoilt[1, row, 0] = special
            let found = pass(spoilt, gradient)
            expectOthersEqual(clean, found, row, name)
            checkInference(layer, spoilt, state, clean.trace, row, name)
            guard special.isNaN else { continue }
            // The sequence itself is NaN from that step on.
            let own = found.trace.outputs.exchangingFirstAxes[row, ...]
            #expect(own[0, ...].elements.allSatisfy { $0.isFinite }, "\(name)")
            #expect(own[1..<steps].elements.allSatisfy { $0.isNaN }, "\(name)")
            #expect(
              found.gradients.parameters.inputWeights.elements.contains { $0.isNaN }, "\(name)")
            // The derivative of relu is 0 unless its value is above 0, so a NaN is not propagated.
            let back = found.gradients.inputs.exchangingFirstAxes[row, ...].elements
            let isRelu = zoo.cell.options.activation == .relu
            #expect(back.allSatisfy { isRelu ? $0.isFinite : $0.isNaN }, "\(name)")
          }
          var spoilt = gradient
          spoilt[1, row, 0] = .nan
          let found = pass(inputs, spoilt)
          expectOthersEqual(clean, found, row, name)
          let back = found.gradients.inputs.exchangingFirstAxes[row, ...]
          #expect(back[2..<steps].elements.allSatisfy { $0.isFinite }, "\(name)")
          // A clipped value propagates no gradient, not even NaN.
          guard zoo.cell.options.cellClip == 0 else { return }
          #expect(back[0..<2].elements.allSatisfy { $0.isNaN }, "\(name)")
        }
      }
    }
  }

  private typealias Passed = (trace: SequenceTrace<Float>, gradients: LayerGradients<Float>)

  private func expectOthersEqual(_ a: Passed, _ b: Passed, _ row: Int, _ name: String) {
    func tensors(_ passed: Passed) -> [Tensor<Float>] {
      let (trace, gradients) = passed
      return [trace.outputs, gradients.inputs].map { others($0, than: row, hasTime: true) }
        + [trace.finalState, gradients.initialState].flatMap { [$0.hidden, $0.cell] }
        .map { others($0, than: row, hasTime: false) }
    }
    for (index, (clean, found)) in zip(tensors(a), tensors(b)).enumerated() {
      #expect(found.isBitwiseEqual(to: clean), "\(name): array \(index)")
    }
  }

  /// The same for a frozen layer and for a stream.
  private func checkInference(
    _ layer: RecurrentLayer<Float>, _ spoilt: Tensor<Float>, _ state: RecurrentState<Float>,
    _ clean: SequenceTrace<Float>, _ row: Int, _ name: String
  ) {
    let (steps, rows) = (spoilt.shape[0], spoilt.shape[1])
    let expected = others(clean.outputs, than: row, hasTime: true)
    var result = SequenceOutputs<Float>()
    layer.frozen().run(spoilt, from: state, into: &result)
    #expect(
      others(result.outputs, than: row, hasTime: true).isBitwiseEqual(to: expected),
      "frozen \(name)")
    var stream = layer.stream(batchSize: rows)
    stream.states = [state]
    var outputs = clean.outputs
    var output = Tensor<Float>(shape: [rows, layer.outputSize])
    for time in 0..<steps {
      stream.step(spoilt[time, ...], into: &output)
      outputs[time, ...] = output
    }
    #expect(
      others(outputs, than: row, hasTime: true).isBitwiseEqual(to: expected), "stream \(name)")
  }

  // MARK: - Threads that share resources

  @Test("Passes that independent threads run at the same time have the bits that they have alone")
  func concurrent() {
    var random = NumPyRandom(seed: testSeed)
    let (steps, rows, count) = (5, 23, 6)
    struct Work: Sendable {
      let name: String
      let run: @Sendable () -> [Tensor<Float>]
    }
    var works: [Work] = []
    for hiddenSize in [6, 70] {
      let inputs: Tensor<Float> = uniform([steps, rows, 9], &random)
      for zoo in cellZoo(Float.self, inputSize: 9, hiddenSize: hiddenSize) {
        let layer = RecurrentLayer(cell: zoo.cell)
        let state = randomState(zoo.cell, batchSize: rows, &random)
        // One frozen layer for all threads, packed by the first of them.
        let frozen = layer.frozen()
        works.append(
          Work(name: "\(zoo.name) H \(hiddenSize)") {
            let trace = layer.forward(inputs, from: state)
            let gradients = layer.backward(trace, outputs: trace.outputs)
            var result = SequenceOutputs<Float>()
            frozen.run(inputs, from: state, into: &result)
            return [trace.outputs, gradients.inputs, result.outputs] + gradients.parameters.all
          })
      }
    }
    let sets = InstructionSet.available
    let expected = sets.map { set in
      set.use { Threads.use(1) { works.map { $0.run() } } }
    }
    let failures = Mutex<[String]>([])
    let started = Mutex(0)
    let done = DispatchGroup()
    let rounds = Sweep.size(3, debug: 1)
    for thread in 0..<count {
      done.enter()
      Thread.detachNewThread { [works] in
        started.withLock { $0 += 1 }
        while started.withLock({ $0 }) < count { usleep(50) }
        let place = thread % sets.count
        // Half of the threads request the pool, which serves one pass at a time.
        sets[place].use {
          Threads.use(thread < count / 2 ? 3 : 1) {
            for round in 0..<rounds * works.count {
              let index = (round + thread * works.count / count) % works.count
              let found = works[index].run()
              let isSame = zip(found, expected[place][index]).allSatisfy {
                $0.isBitwiseEqual(to: $1)
              }
              if !isSame { failures.withLock { $0.append("\(sets[place]) \(works[index].name)") } }
            }
          }
        }
        done.leave()
      }
    }
    done.wait()
    #expect(failures.withLock { $0 } == [])
  }
}

extension InstructionSet {
  /// The bytes of its vectors.
  var vectorBytes: Int {
    switch self {
    case .plain, .baseline: 16
    case .avx2: 32
    case .avx512: 64
    }
  }
}
