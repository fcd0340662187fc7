// Compares generators with values printed by other programs. UnrollVerificationTests verifies the golden
// sets.

import Testing
import Unroll
import UnrollTestSupport

@Suite("NumPyRandom")
struct NumPyRandomTests {
  @Test("MT19937 gives the words that its authors publish for seed 5489")
  func authorsWords() {
    var random = NumPyRandom(seed: 5489)
    #expect(random.nextWord() == 3_499_211_612)
    for _ in 0..<9998 { _ = random.nextWord() }
    // The 10,000th word, given in the C++ standard for mt19937.
    #expect(random.nextWord() == 4_123_659_995)
  }

  @Test("Seeding forgets a normal value that was kept")
  func cachedNormal() {
    var random = NumPyRandom(seed: 42)
    let first = random.nextNormal()
    random.seed(42)
    #expect(random.nextNormal() == first)
  }

  @Test("numpy.random.seed(0); rand(3), randn and permutation as NumPy prints them")
  func printedNumbers() {
    var random = NumPyRandom(seed: 0)
    #expect(
      random.rand([3]).elements
        == [0.5488135039273248, 0.7151893663724195, 0.6027633760716439])
    random.seed(0)
    #expect(random.nextNormal() == 1.764052345967664)
    random.seed(0)
    #expect(random.permutation(10) == [2, 8, 4, 9, 1, 6, 7, 3, 0, 5])
  }

  @Test("One value to choose from draws nothing")
  func singleValue() {
    var random = NumPyRandom(seed: 3)
    let copy = random
    #expect(random.randint(7, 8, count: 4) == [7, 7, 7, 7])
    #expect(random.position == copy.position)
  }

  @Test("A binomial without trials or chances draws a number, a multinomial's zero share does not")
  func degenerateBinomials() {
    // RandomState(3) and get_state()[2], NumPy 2.4.6.
    for (trials, p, successes) in [(0, 0.5, 0), (50, 0, 0), (50, 1, 50)] as [(Int, Double, Int)] {
      var random = NumPyRandom(seed: 3)
      #expect(random.binomial(trials, p) == successes)
      #expect(random.position == 2)
    }
    var random = NumPyRandom(seed: 3)
    #expect(random.multinomial(5, [1, 0]) == [5, 0])
    #expect(random.position == 2)
    random.seed(3)
    #expect(random.multinomial(5, [0, 1]) == [0, 5])
    #expect(random.position == 624)
  }

  @Test("Binomial counts have the mean and the spread that they should")
  func binomialMoments() {
    var random = NumPyRandom(seed: testSeed)
    for (trials, p) in [(20, 0.3), (1000, 0.7), (500, 0.1)] {
      let draws = (0..<20_000).map { _ in Double(random.binomial(trials, p)) }
      let mean = draws.reduce(0, +) / 20_000
      let variance = draws.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
      let (expected, spread) = (Double(trials) * p, Double(trials) * p * (1 - p))
      #expect(abs(mean - expected) < 5 * (spread / 20_000).squareRoot())
      #expect(abs(variance / spread - 1) < 0.06)
    }
  }
}

@Suite("TensorFlowRandom")
struct TensorFlowRandomTests {
  @Test("Philox gives Random123's known answers, zero, all ones and digits of π")
  func knownAnswers() {
    let zero = Philox(counter: SIMD4(0, 0, 0, 0), key: SIMD2(0, 0)).block
    #expect(zero == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    let ones = Philox(
      counter: SIMD4(repeating: .max), key: SIMD2(repeating: .max)
    ).block
    #expect(ones == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    let pi = Philox(
      counter: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
      key: SIMD2(0xa409_3822, 0x299f_31d0)
    ).block
    #expect(pi == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }

  @Test("Advancing carries through all four counter words")
  func carry() {
    let start = Philox(counter: SIMD4(.max, .max, .max, 7), key: SIMD2(1, 2))
    #expect(start.advanced(by: 1).counter == SIMD4(0, 0, 0, 8))
    #expect(start.advanced(by: 1 << 33).counter == SIMD4(.max, 1, 0, 8))
  }

  @Test("A shorter draw is the beginning of a longer one")
  func prefixes() {
    let random = TensorFlowRandom(seed: 9, opSeed: 4)
    for count in [0, 1, 3, 4, 5, 17] {
      #expect(
        Array(random.uniformFloat(count: 40).prefix(count)) == random.uniformFloat(count: count))
      #expect(
        Array(random.normalDouble(count: 40).prefix(count)) == random.normalDouble(count: count))
      #expect(
        Array(random.truncatedNormalFloat(count: 40).prefix(count))
          == random.truncatedNormalFloat(count: count))
    }
  }

  @Test("Truncated normals stay within two deviations")
  func truncated() {
    let random = TensorFlowRandom(seed: 5, opSeed: 6)
    #expect(random.truncatedNormalFloat(count: 5000).allSatisfy { abs($0) < 2 })
    #expect(random.truncatedNormalDouble(count: 5000).allSatisfy { abs($0) < 2 })
  }
}

@Suite("Initializer")
struct InitializerTests {
  @Test(
    "Orthogonal matrices have orthonormal rows or columns", arguments: [[4, 4], [3, 7], [9, 2]])
  func orthogonal(shape: [Int]) {
    var random = NumPyRandom(seed: testSeed)
    let matrix = Initializer<Double>.orthogonal(gain: 1)
      .matrix(rows: shape[0], columns: shape[1], using: &random)
    let gram =
      shape[0] <= shape[1]
      ? matrix.matrixProduct(matrix.transposed) : matrix.transposed.matrixProduct(matrix)
    var random2 = NumPyRandom(seed: 1)
    let identity = Initializer<Double>.identity(scale: 1)
      .matrix(rows: gram.shape[0], columns: gram.shape[1], using: &random2)
    #expect((gram - identity).maximumMagnitude < 1e-13)
  }

  @Test("Uniform rules stay inside their limits and fill them, normal rules have their deviation")
  func moments() {
    var random = NumPyRandom(seed: testSeed)
    let (rows, columns) = (120, 80)
    let limits: [(Initializer<Double>, Double)] = [
      (.glorotUniform, (6.0 / 200).squareRoot()), (.heUniform, (6.0 / 120).squareRoot()),
      (.uniform(limit: 0.3), 0.3),
    ]
    for (rule, limit) in limits {
      let largest = rule.matrix(rows: rows, columns: columns, using: &random).maximumMagnitude
      #expect(largest <= limit && largest > 0.99 * limit)
    }
    let deviations: [(Initializer<Double>, Double)] = [
      (.glorotNormal, 0.1), (.heNormal, (2.0 / 120).squareRoot()), (.normal(deviation: 3), 3),
    ]
    for (rule, deviation) in deviations {
      let matrix = rule.matrix(rows: rows, columns: columns, using: &random)
      let found = matrix.norm / Double(matrix.count).squareRoot()
      #expect(abs(found / deviation - 1) < 0.03)
    }
  }

  @Test("Chrono biases are logarithms of times up to the maximum")
  func chrono() {
    var random = NumPyRandom(seed: testSeed)
    let biases = chronoBiases(count: 1000, maximumTime: 100.0, using: &random)
    #expect(biases.allSatisfy { $0 >= 0 && $0 <= 4.6 })
    // A gate bias of ln(99) keeps a fraction of 0.99 per step.
    #expect((biases.max() ?? 0) > 4.5)
  }
}
