// The number of threads may change at any time.

import Foundation
import Synchronization
import Testing
import Unroll
import UnrollTestSupport

@Suite("The number of threads")
struct ThreadTests {
  // Swift 6.1 does not support exit tests.
  #if compiler(>=6.2)
  @Test("Another thread may change it while a pass has begun", .tags(.slow))
  func changedMeanwhile() async {
    // In a separate process, because the number applies to the entire process.
    await #expect(processExitsWith: .success) {
      let state = Mutex((flips: 0, isDone: false))
      Thread.detachNewThread {
        while !state.withLock({ $0.isDone }) {
          for count in [1, 8] { Threads.count = count }
          state.withLock { $0.flips += 1 }
        }
      }
      for work in Self.works() {
        let expected = Threads.use(2) { work.run() }
        // Each pass must request new scratch: scratch for one thread is too small for eight.
        for _ in 0..<work.times {
          for (a, b) in zip(expected, work.run()) {
            precondition(a.isBitwiseEqual(to: b), work.name)
          }
        }
      }
      state.withLock {
        precondition($0.flips > 100)
        $0.isDone = true
      }
    }
  }
  #endif

  @Test("A number for one pass holds for it alone, and no more threads than that take part")
  func perPass() {
    let before = Threads.count
    let threads = Mutex(Set<pthread_t>())
    // There are at least four threads, of which two may participate.
    Threads.use(4) { Threads.forEach(64) { _ in usleep(100) } }
    Threads.use(2) {
      #expect(Threads.count == 2)
      Threads.use(3) { #expect(Threads.count == 3) }
      #expect(Threads.count == 2)
      Threads.forEach(64) { _ in
        usleep(500)
        _ = threads.withLock { $0.insert(pthread_self()) }
      }
    }
    #expect(Threads.count == before)
    #expect((1...2).contains(threads.withLock { $0.count }))
  }

  @Test("A number of threads for single passes changes no bit of them")
  func perPassBits() {
    for work in Self.works() {
      let expected = Threads.use(1) { work.run() }
      for count in [2, 3, 5] {
        for (a, b) in zip(expected, Threads.use(count) { work.run() }) {
          #expect(a.isBitwiseEqual(to: b), "\(work.name), \(count) threads")
        }
      }
    }
  }

  @Test("Within a body that threads share, work is done on one thread")
  func nested() {
    var random = NumPyRandom(seed: testSeed)
    let layer = RecurrentLayer(
      cell: ZooCell<Float>("", Cell(.lstm, inputSize: 9, hiddenSize: 70), &random).cell)
    let inputs: Tensor<Float> = uniform([4, 40, 9], &random)
    let expected = layer.forward(inputs, from: layer.zeroState(batchSize: 40)).outputs
    let results = Mutex([Bool](repeating: false, count: 64))
    // The numbers of the calling thread and of other threads.
    let counts = Mutex((own: Set<Int>(), others: Set<Int>()))
    let caller = pthread_self()
    Threads.use(8) {
      Threads.forEach(64) { index in
        var result = SequenceOutputs<Float>()
        layer.frozen().run(inputs, from: layer.zeroState(batchSize: 40), into: &result)
        let (count, isCaller) = (Threads.count, pthread_equal(pthread_self(), caller) != 0)
        counts.withLock {
          if isCaller { _ = $0.own.insert(count) } else { _ = $0.others.insert(count) }
        }
        results.withLock { $0[index] = result.outputs.isBitwiseEqual(to: expected) }
      }
    }
    #expect(results.withLock { $0.allSatisfy(\.self) })
    // If the pool is in use elsewhere, the caller runs alone but keeps its 8.
    counts.withLock {
      #expect($0.others.isEmpty || $0.own.isSubset(of: [1]))
      #expect($0.others.isSubset(of: [1]))
    }
  }

  /// A shared object and all results of its passes.
  private struct Work {
    let name: String
    var times = 50
    let run: () -> [Tensor<Float>]
  }

  /// All kinds of passes whose scratch depends on the number of threads.
  private static func works() -> [Work] {
    var random = NumPyRandom(seed: testSeed)
    var works: [Work] = []
    let inputs: Tensor<Float> = uniform([6, 40, 64], &random)
    for zoo in cellZoo(Float.self, inputSize: 64, hiddenSize: 70) {
      let layer = RecurrentLayer(cell: zoo.cell)
      let state = randomState(zoo.cell, batchSize: 40, &random)
      let outputGradient: Tensor<Float> = uniform([6, 40, zoo.cell.outputSize], &random)
      works.append(
        Work(name: zoo.name) {
          let trace = layer.forward(inputs, from: state)
          let gradients = layer.backward(trace, outputs: outputGradient)
          return [trace.outputs, gradients.inputs, gradients.parameters.recurrentWeights]
        })
      works.append(
        Work(name: "frozen " + zoo.name) {
          var result = SequenceOutputs<Float>()
          layer.frozen().run(inputs, from: state, into: &result)
          return [result.outputs]
        })
    }
    let dense = DenseLayer<Float>(
      weights: uniform([90, 300], &random), bias: uniform([300], &random))
    let rows: Tensor<Float> = uniform([250, 90], &random)
    let outputGradient: Tensor<Float> = uniform([250, 300], &random)
    let targets = (0..<250).map { Int32($0) }
    let empty = Tensor<Float>(shape: [0])
    works.append(
      Work(name: "dense", times: 500) {
        var (out, da, dw, db) = (empty, empty, empty, empty)
        dense.forward(rows, into: &out, using: Scratch())
        dense.backward(
          rows, outputGradient: outputGradient, inputGradient: &da, weightGradient: &dw,
          biasGradient: &db, using: Scratch())
        return [out, da, dw, db]
      })
    works.append(
      Work(name: "cross-entropy", times: 500) {
        var (da, dw, db) = (empty, empty, empty)
        var losses = [Double](repeating: 0, count: 250)
        dense.crossEntropyGradients(
          rows, targets: targets, scale: 1, losses: &losses, inputGradient: &da,
          weightGradient: &dw, biasGradient: &db, using: LogitScratch())
        return [da, dw, db]
      })
    return works
  }
}
