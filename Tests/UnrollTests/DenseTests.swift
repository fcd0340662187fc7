// Compares dense layers, the loss, norms and optimizers with sums computed in double.

import RealModule
import Testing
import Unroll
import UnrollTestSupport

@Suite("Dense layers and training")
struct DenseTests {
  static let sizes = [
    (3, 4, 5), (1, 70, 130), (37, 65, 300), (300, 20, 1100), (200, 130, 700), (2, 1100, 9),
    (1400, 6, 40), (1400, 6, 300),  // several passes over the rows
  ]

  @Test("Threads call for every index once", arguments: [1, 2, 3])
  func everyIndex(_ threads: Int) {
    Threads.use(threads) {
      for count in [0, 1, 2, 97] {
        var calls = [Int](repeating: 0, count: count)
        calls.withUnsafeMutableBufferPointer { calls in
          // Each index has a separate position.
          nonisolated(unsafe) let calls = calls
          Threads.forEach(count) { calls[$0] += 1 + $0 }
        }
        #expect(calls == Array(1..<count + 1))
      }
    }
  }

  @Test("A layer without outputs, or a softmax without classes, has gradients and losses of zero")
  func nothing() {
    for level in InstructionSet.available {
      level.use {
        for isTransposed in [false, true] {
          let layer = DenseLayer<Float>(
            weights: Tensor(shape: isTransposed ? [0, 4] : [4, 0]), bias: Tensor(shape: [0]),
            isTransposed: isTransposed)
          let a = Tensor<Float>(shape: [3, 4], repeating: 1)
          let scratch = Scratch<Float>()
          var (out, da) = (
            Tensor<Float>(shape: [0, 0]), Tensor<Float>(shape: [3, 4], repeating: 9)
          )
          var (dw, db) = (Tensor<Float>(shape: [0, 0]), Tensor<Float>(shape: [0]))
          layer.forward(a, into: &out, using: scratch)
          #expect(out.shape == [3, 0])
          layer.backward(
            a, outputGradient: out, inputGradient: &da, weightGradient: &dw, biasGradient: &db,
            using: scratch)
          #expect(da == Tensor(shape: [3, 4]) && dw.isEmpty && db.isEmpty, "\(level)")
          var losses = [Double](repeating: 9, count: 3)
          layer.crossEntropyGradients(
            a, targets: [-1, -1, -1], scale: 1, losses: &losses, inputGradient: &da,
            weightGradient: &dw, biasGradient: &db, using: LogitScratch())
          #expect(losses == [0, 0, 0] && da == Tensor(shape: [3, 4]), "\(level)")
        }
      }
    }
  }

  @Test("A dense layer is its sums, forward and in all gradients, plain and transposed")
  func dense() {
    var random = NumPyRandom(seed: testSeed)
    for (m, k, n) in Self.sizes {
      for transposed in [false, true] {
        let w: Tensor<Double> = uniform(transposed ? [n, k] : [k, n], &random)
        let layer = DenseLayer<Double>(
          weights: w, bias: uniform([n], &random), isTransposed: transposed)
        let a: Tensor<Double> = uniform([m, k], &random)
        let dout: Tensor<Double> = uniform([m, n], &random)
        func weight(_ p: Int, _ j: Int) -> Double { transposed ? w[j, p] : w[p, j] }
        for level in InstructionSet.available {
          level.use {
            let scratch = Scratch<Double>()
            var (out, da, dw, db) = (
              Tensor<Double>(shape: [0, 0]), Tensor<Double>(shape: [0, 0]),
              Tensor<Double>(shape: [0, 0]), Tensor<Double>(shape: [0])
            )
            layer.forward(a, into: &out, using: scratch)
            layer.backward(
              a, outputGradient: dout, inputGradient: &da, weightGradient: &dw, biasGradient: &db,
              using: scratch)
            for (i, j) in [(0, 0), (m - 1, n - 1), (m / 2, n / 3)] {
              let sum = (0..<k).reduce(layer.bias[j]) { $0 + a[i, $1] * weight($1, j) }
              #expect(abs(out[i, j] - sum) < 1e-12)
            }
            for (i, p) in [(0, 0), (m - 1, k - 1), (m / 2, k / 3)] {
              let sum = (0..<n).reduce(0) { $0 + dout[i, $1] * weight(p, $1) }
              #expect(abs(da[i, p] - sum) < 1e-11)
            }
            for (p, j) in [(0, 0), (k - 1, n - 1), (k / 2, n / 3)] {
              let sum = (0..<m).reduce(0) { $0 + a[$1, p] * dout[$1, j] }
              #expect(abs((transposed ? dw[j, p] : dw[p, j]) - sum) < 1e-11)
              #expect(abs(db[j] - (0..<m).reduce(0) { $0 + dout[$1, j] }) < 1e-11)
            }
            let (once, bias) = (dw, db)
            layer.backward(
              a, outputGradient: dout, inputGradient: &da, weightGradient: &dw, biasGradient: &db,
              adds: true, using: scratch)
            #expect((dw - once * 2).maximumMagnitude < 1e-10)
            #expect((db - bias * 2).maximumMagnitude < 1e-10)
          }
        }
      }
    }
  }

  @Test("Dense layers have the same bits for any number of threads")
  func threads() {
    var random = NumPyRandom(seed: testSeed)
    // Long rows with few columns use a separate backward path, for 192 rows and more.
    for (transposed, rows) in [(false, 70), (true, 70), (false, 250), (true, 250)] {
      let layer = DenseLayer<Float>(
        weights: uniform(transposed ? [3000, 90] : [90, 3000], &random),
        bias: uniform([3000], &random), isTransposed: transposed)
      let a: Tensor<Float> = uniform([rows, 90], &random)
      let targets = (0..<rows).map { Int32($0 * 40 % 3000) }
      func run(_ count: Int) -> [Tensor<Float>] {
        Threads.use(count) {
          let scratch = Scratch<Float>()
          var out = Tensor<Float>(shape: [0, 0])
          var (da, dw, db) = (out, out, Tensor<Float>(shape: [0]))
          var losses = [Double](repeating: 0, count: rows)
          layer.forward(a, into: &out, using: scratch)
          _ = out.formCrossEntropyGradient(targets: targets, scale: 0.5, losses: &losses)
          layer.backward(
            a, outputGradient: out, inputGradient: &da, weightGradient: &dw, biasGradient: &db,
            using: scratch)
          var memory = OptimizerState<Float>(.adam, shape: dw.shape)
          var moved = layer.weights
          Optimizer.adam.update(&moved, with: dw, state: &memory, rate: 0.1)
          return [out, da, dw, db, moved, Tensor<Float>(losses.map(Float.init))]
        }
      }
      let one = run(1)
      for count in [2, 3, 8] {
        for (a, b) in zip(one, run(count)) { #expect(a.isBitwiseEqual(to: b)) }
      }
    }
  }

  @Test("A layer without inputs is its bias, forward and in every gradient")
  func noInputs() {
    var random = NumPyRandom(seed: testSeed)
    let layer = DenseLayer<Double>(
      weights: Tensor(shape: [0, 7]), bias: uniform([7], &random))
    var losses = [Double](repeating: 0, count: 300)
    var (da, dw, db) = (Tensor<Double>(shape: [0]), Tensor<Double>(shape: [0]), layer.bias)
    layer.crossEntropyGradients(
      Tensor(shape: [300, 0]), targets: [Int32](repeating: 2, count: 300), scale: 1,
      losses: &losses, inputGradient: &da, weightGradient: &dw, biasGradient: &db,
      using: LogitScratch())
    var one = layer.bias.reshaped(to: [1, 7])
    var loss = [0.0]
    _ = one.formCrossEntropyGradient(targets: [2], scale: 300, losses: &loss)
    #expect((db - one.reshaped(to: [7])).maximumMagnitude < 1e-10)
    #expect(losses == [Double](repeating: loss[0], count: 300))
    #expect(da.isEmpty && dw.isEmpty)
  }

  @Test("Cross-entropy and its gradient, also of logits that would overflow; left-out rows are 0")
  func crossEntropy() {
    var random = NumPyRandom(seed: testSeed)
    for classes in [1, 7, 65, 1000, 3001] {
      let logits: Tensor<Double> = uniform([5, classes], &random) * 400
      let targets: [Int32] = [0, Int32(classes - 1), Int32(classes / 2), -1, 0]
      for level in InstructionSet.available {
        level.use {
          var gradient = logits
          var losses = [Double](repeating: .nan, count: 5)
          let sum = gradient.formCrossEntropyGradient(
            targets: targets, scale: 0.25, losses: &losses)
          var probabilities = logits
          probabilities.formProbabilities()
          var expected = 0.0
          for row in 0..<5 {
            let values = (0..<classes).map { logits[row, $0] }
            let most = values.max() ?? 0
            let total = values.reduce(0) { $0 + Double.exp($1 - most) }
            for j in 0..<classes {
              let p = Double.exp(values[j] - most) / total
              let one = Int32(j) == targets[row] ? 1.0 : 0
              #expect(abs(probabilities[row, j] - p) < 1e-14)
              #expect(abs(gradient[row, j] - (targets[row] < 0 ? 0 : 0.25 * (p - one))) < 1e-14)
            }
            guard targets[row] >= 0 else {
              #expect(losses[row] == 0)
              continue
            }
            let loss = Double.log(total) + most - values[Int(targets[row])]
            #expect(abs(losses[row] - loss) < 1e-11)
            expected += loss
          }
          #expect(abs(sum - expected) < 1e-10)
        }
      }
    }
  }

  @Test("Every optimiser follows its equations for five steps")
  func optimizers() {
    var random = NumPyRandom(seed: testSeed)
    let count = 21
    for optimizer in [
      Optimizer.sgd, .momentum(0.9), .rmsProp(decay: 0.95, epsilon: 1e-6), .adam,
    ] {
      for level in InstructionSet.available {
        level.use {
          var parameter: Tensor<Double> = uniform([count], &random)
          var expected = parameter.elements
          var memory = OptimizerState<Double>(optimizer, shape: [count])
          var (first, second) = (
            [Double](repeating: 0, count: count), [Double](repeating: 0, count: count)
          )
          let (rate, decay, scale) = (0.02, 0.1, 0.5)
          for step in 1...5 {
            let gradient: Tensor<Double> = uniform([count], &random)
            optimizer.update(
              &parameter, with: gradient, state: &memory, rate: rate, gradientScale: scale,
              weightDecay: decay)
            #expect(memory.stepCount == step)
            for i in 0..<count {
              let g = gradient[i] * scale
              let p = expected[i]
              switch optimizer {
              case .sgd: expected[i] = p - rate * (g + decay * p)
              case .momentum(let momentum):
                first[i] = momentum * first[i] + g + decay * p
                expected[i] = p - rate * first[i]
              case .rmsProp(let beta, let epsilon):
                let d = g + decay * p
                second[i] = beta * second[i] + (1 - beta) * d * d
                expected[i] = p - rate * d / (second[i].squareRoot() + epsilon)
              case .adam(let beta1, let beta2, let epsilon):
                first[i] = beta1 * first[i] + (1 - beta1) * g
                second[i] = beta2 * second[i] + (1 - beta2) * g * g
                let m = first[i] / (1 - Double.pow(beta1, step))
                let v = second[i] / (1 - Double.pow(beta2, step))
                expected[i] = p - rate * decay * p - rate * m / (v.squareRoot() + epsilon)
              }
            }
          }
          let distance = (parameter - Tensor(expected)).maximumMagnitude
          #expect(distance < 1e-13, "\(level) \(optimizer)")
        }
      }
    }
  }

  @Test(
    "An optimizer counts its steps: the first is Adam's first, and what is kept goes on to the bit")
  func optimizerSteps() {
    var random = NumPyRandom(seed: testSeed)
    let start: Tensor<Float> = uniform([3, 5], &random)
    let gradients: [Tensor<Float>] = (0..<6).map { _ in uniform([3, 5], &random) }
    for optimizer in [Optimizer.momentum(0.9), .rmsProp(decay: 0.9, epsilon: 1e-8), .adam] {
      var (whole, memory) = (start, OptimizerState<Float>(optimizer, shape: [3, 5]))
      for gradient in gradients {
        optimizer.update(&whole, with: gradient, state: &memory, rate: 0.01)
      }
      #expect(memory.stepCount == 6)
      var (half, first) = (start, OptimizerState<Float>(optimizer, shape: [3, 5]))
      for gradient in gradients[..<3] {
        optimizer.update(&half, with: gradient, state: &first, rate: 0.01)
      }
      var second = OptimizerState(
        optimizer, first: first.first.isEmpty ? nil : first.first,
        second: first.second.isEmpty ? nil : first.second, stepCount: first.stepCount)
      for gradient in gradients[3...] {
        optimizer.update(&half, with: gradient, state: &second, rate: 0.01)
      }
      #expect(half.isBitwiseEqual(to: whole), "\(optimizer)")
    }
    // Adam's first step equals the rate for each element, whatever the gradient, if the count is 1.
    var (one, memory) = (start, OptimizerState<Float>(.adam, shape: [3, 5]))
    Optimizer.adam.update(&one, with: gradients[0], state: &memory, rate: 0.01)
    let step = (one - start).map { abs($0) } - 0.01
    #expect(step.maximumMagnitude < 1e-5)
  }

  @Test("A dense layer's parameters are set in place: by value, by part and to no bias")
  func denseParameters() {
    var layer = DenseLayer<Float>(
      weights: Tensor(shape: [3, 4], repeating: 1), bias: Tensor(shape: [4]))
    layer.weights[2, 3] = 5
    layer.weights += Tensor(shape: [3, 4], repeating: 1)
    layer.bias = Tensor([1, 2, 3, 4])
    #expect(layer.weights[2, 3] == 6 && layer.bias[3] == 4)
    layer.bias = Tensor(shape: [0])
    var out = Tensor<Float>(shape: [0, 0])
    layer.forward(Tensor(shape: [1, 3], repeating: 1), into: &out, using: Scratch())
    #expect(out.elements == [6, 6, 6, 10])
  }

  @Test("The norm is the norm, of any count")
  func norm() {
    var random = NumPyRandom(seed: testSeed)
    for count in [0, 1, 15, 64, 4097, 30_000] {
      let x: Tensor<Double> = uniform([count], &random)
      let sum = x.elements.reduce(0) { $0 + $1 * $1 }
      for level in InstructionSet.available {
        #expect(abs(level.use { x.sumOfSquares } - sum) <= 1e-12 * max(1, sum))
      }
    }
  }

  @Test("An embedding's gradient is the sum of its lookups, zero elsewhere, and is zero again")
  func embedding() {
    var random = NumPyRandom(seed: testSeed)
    var embedding = Embedding<Double>(vectors: uniform([9, 5], &random))
    var vectors = Tensor<Double>(shape: [0, 0, 0])
    let symbols: [Int32] = [3, 0, 3, 8, 3, 0]
    embedding.lookUp(symbols, timeStepCount: 3, into: &vectors)
    #expect(vectors.shape == [3, 2, 5])
    #expect(vectors[1, 1, ...] == embedding.vectors[8, ...])
    var gradient = EmbeddingGradient(like: embedding)
    let d: Tensor<Double> = uniform([3, 2, 5], &random)
    gradient.set(symbols: symbols, gradient: d)
    #expect(gradient.touched == [3, 0, 8])
    let third = d[0, 0, ...] + d[1, 0, ...] + d[2, 0, ...]
    #expect((gradient.vectors[3, ...] - third).maximumMagnitude < 1e-15)
    let squares = gradient.vectors.elements.reduce(0) { $0 + $1 * $1 }
    #expect(abs(gradient.sumOfSquares - squares) < 1e-12)
    let before = embedding.vectors
    gradient.update(&embedding, rate: 0.1)
    #expect((embedding.vectors - (before - gradient.vectors * 0.1)).maximumMagnitude < 1e-15)
    gradient.set(symbols: [1], gradient: Tensor(shape: [1, 1, 5], repeating: 1))
    #expect(gradient.vectors.elements.filter { $0 != 0 }.count == 5)
  }
}
