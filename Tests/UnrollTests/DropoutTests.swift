// Dropout masks, and the loss of many rows computed in parts.

import RealModule
import Testing
import Unroll
import UnrollTestSupport

@Suite("Dropout and the loss in parts")
struct DropoutTests {
  @Test("A mask is what its factors say, at every place, for any number of threads")
  func factors() {
    for (count, period) in [(1, nil), (63, nil), (64, nil), (70_001, nil), (600, 150)] {
      for rate in [0.1, 0.5, 0.9] {
        let dropout = Dropout(rate: rate, seed: 0x1_2345_6789, stream: 7, step: 1 << 33)
        let ones = Tensor<Double>(shape: [count], repeating: 1)
        let results = [1, 2, 3].map { threads in
          Threads.use(threads) {
            var values = ones
            dropout.apply(to: &values, period: period)
            return values
          }
        }
        #expect(results[1] == results[0] && results[2] == results[0])
        #expect(ones.elements.allSatisfy { $0 == 1 })
        for index in stride(from: 0, to: count, by: max(1, count / 50)) {
          #expect(results[0].elements[index] == dropout.factor(at: index % (period ?? count)))
        }
      }
    }
  }

  @Test("The rate is kept, and masks of other steps, streams and seeds differ")
  func rates() {
    func mask(_ rate: Double, seed: UInt64 = 1, stream: Int = 0, step: Int = 0) -> [Float] {
      var values = Tensor<Float>(shape: [100_000], repeating: 1)
      Dropout(rate: rate, seed: seed, stream: stream, step: step).apply(to: &values)
      return values.elements
    }
    for rate in [0.05, 0.3, 0.65] {
      let dropped = Double(mask(rate).count { $0 == 0 })
      // Five standard deviations.
      #expect(abs(dropped - 100_000 * rate) < 5 * (100_000 * rate * (1 - rate)).squareRoot())
    }
    let first = mask(0.5)
    for other in [mask(0.5, seed: 2), mask(0.5, stream: 1), mask(0.5, step: 1)] {
      let equal = Double(zip(first, other).count { $0 == $1 })
      #expect(abs(equal - 50_000) < 5 * 25_000.0.squareRoot() * 2)
    }
    #expect(mask(0).allSatisfy { $0 == 1 })
  }

  @Test("Loss and gradients taken in parts are those of all rows at once", .tags(.slow))
  func parts() {
    var random = NumPyRandom(seed: testSeed)
    for isTransposed in [false, true] {
      // 48 rows of logits are in memory at a time.
      let (rows, inputs, classes) = (130, 6, 350_000)
      let small = DenseLayer<Double>(
        weights: uniform(isTransposed ? [50, inputs] : [inputs, 50], &random),
        bias: uniform([50], &random), isTransposed: isTransposed)
      #expect(small.logitRows >= rows)
      let layer = DenseLayer<Double>(
        weights: uniform(isTransposed ? [classes, inputs] : [inputs, classes], &random),
        bias: uniform([classes], &random), isTransposed: isTransposed)
      #expect(layer.logitRows == 48 && layer.logitRows < rows)
      for layer in [small, layer] {
        let a: Tensor<Double> = uniform([rows, inputs], &random)
        var targets = (0..<rows).map { Int32($0 * 7919 % layer.outputSize) }
        targets[3] = -1
        let memory = LogitScratch<Double>()
        var losses = [Double](repeating: 0, count: rows)
        var (da, dw, db) = (
          Tensor<Double>(shape: [0]), Tensor<Double>(shape: [0]), Tensor<Double>(shape: [0])
        )
        layer.crossEntropyGradients(
          a, targets: targets, scale: 0.25, losses: &losses, inputGradient: &da,
          weightGradient: &dw, biasGradient: &db, using: memory)
        let scratch = Scratch<Double>()
        var logits = Tensor<Double>(shape: [0])
        layer.forward(a, into: &logits, using: scratch)
        var expected = [Double](repeating: 0, count: rows)
        _ = logits.formCrossEntropyGradient(targets: targets, scale: 0.25, losses: &expected)
        #expect(losses == expected)
        var (ea, ew, eb) = (
          Tensor<Double>(shape: [0]), Tensor<Double>(shape: [0]), Tensor<Double>(shape: [0])
        )
        layer.backward(
          a, outputGradient: logits, inputGradient: &ea, weightGradient: &ew, biasGradient: &eb,
          using: scratch)
        #expect((da - ea).maximumMagnitude < 1e-15)
        #expect((dw - ew).maximumMagnitude < 1e-14)
        #expect((db - eb).maximumMagnitude < 1e-14)
        var alone = [Double](repeating: 0, count: rows)
        layer.crossEntropy(a, targets: targets, losses: &alone, using: memory)
        #expect(alone == losses)
      }
    }
  }
}
