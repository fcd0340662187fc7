// Compares tanh, sigmoid and exp of the fast kernels with rounded results of a wider type.

import CUnrollKernels
import Foundation
import Testing
import Unroll
import UnrollTestSupport

private struct Function: CustomTestStringConvertible {
  let name: String
  let kind: Int32
  let reference: @Sendable (Wide) -> Wide
  var testDescription: String { name }

  static let all = [
    Function(name: "tanh", kind: Int32(UNROLL_VECTOR_TANH)) { wideTanh($0) },
    Function(name: "sigmoid", kind: Int32(UNROLL_VECTOR_SIGMOID)) {
      $0 < 0 ? wideExp($0) / (1 + wideExp($0)) : 1 / (1 + wideExp(-$0))
    },
    Function(name: "exp", kind: Int32(UNROLL_VECTOR_EXP)) { wideExp($0) },
  ]
}

// The C library's double functions have errors of up to 2 units, so a wider type is the reference if there is
// one.
#if arch(x86_64) && os(Linux)
private typealias Wide = Float80
private func wideExp(_ x: Wide) -> Wide { expl(x) }
private func wideTanh(_ x: Wide) -> Wide { tanhl(x) }
private let doubleBound: Wide = 2
#else
private typealias Wide = Double
private func wideExp(_ x: Wide) -> Wide { exp(x) }
private func wideTanh(_ x: Wide) -> Wide { tanh(x) }
private let doubleBound: Wide = 4
#endif

private let stride: UInt64 = Sweep.size(101, debug: 10_007)
private let sampleCount = Sweep.size(250_001, debug: 2_501)

@Suite("Vector functions")
struct VectorMathTests {
  /// The error of a value in units of the last place.
  private func distance<Scalar: BinaryFloatingPoint>(_ value: Scalar, _ exact: Wide) -> Wide {
    let least = Scalar.leastNormalMagnitude
    // Results below the smallest normal number may be 0.
    if value == 0 && abs(exact) < Wide(least) { return 0 }
    let nearest = Scalar(exact)
    if value == nearest { return 0 }
    return abs(Wide(value) - exact) / Wide(max(abs(nearest), least).ulp)
  }

  @Test(
    "Float: at most 2 units in the last place off, for every 101st number there is", .tags(.slow),
    arguments: Function.all)
  fileprivate func float(function: Function) {
    let levels = InstructionSet.available.filter { $0 != .plain }
    var worst = levels.map { _ in Wide(0) }
    var bits: UInt64 = 0
    var x = [Float](repeating: 0, count: 4099)  // the last vector is a partial one
    var y = x
    var exact = x.map { Wide($0) }
    while bits <= UInt64(UInt32.max) {
      for index in x.indices {
        x[index] = Float(bitPattern: UInt32(truncatingIfNeeded: min(bits, 0xffff_ffff)))
        exact[index] = function.reference(Wide(x[index]))
        bits += stride
      }
      for (place, level) in levels.enumerated() {
        level.use { unroll_vector_function(Int32(UNROLL_F32), &y, x, x.count, function.kind) }
        for index in x.indices {
          let (x, y, exact) = (x[index], y[index], exact[index])
          if x.isNaN || Float(exact).isInfinite {
            #expect(x.isNaN ? y.isNaN : y == Float(exact), "\(level) \(function.name) \(x)")
          } else {
            worst[place] = max(worst[place], distance(y, exact))
          }
        }
      }
    }
    for (level, worst) in zip(levels, worst) {
      #expect(worst <= 2, "\(level) \(function.name): \(worst)")
    }
  }

  @Test(
    "Double: at most 2 units in the last place off, on a million numbers",
    arguments: Function.all)
  fileprivate func double(function: Function) {
    var random = NumPyRandom(seed: testSeed)
    for level in InstructionSet.available where level != .plain {
      var worst: Wide = 0
      for span in [1e-3, 1, 30, 800] {
        let x = random.uniform(-span, span, [sampleCount]).elements
        var y = x
        level.use { unroll_vector_function(Int32(UNROLL_F64), &y, x, x.count, function.kind) }
        for (x, y) in zip(x, y) {
          let exact = function.reference(Wide(x))
          if Double(exact).isInfinite {
            #expect(y == .infinity)
          } else {
            worst = max(worst, distance(y, exact))
          }
        }
      }
      #expect(worst <= doubleBound, "\(level) \(function.name): \(worst)")
    }
  }

  @Test("A number's value has the same bits whatever stands beside it", arguments: Function.all)
  fileprivate func neighbours(function: Function) {
    let few: [Float] = [
      -90, -30, -15.8, -15.75, -15.7, -15.5, -9, -0.7, 0, 0.1, 3, 9.5, 15.8, 40, .infinity, .nan,
    ]
    let (x, count) = (few.flatMap { Array(repeating: $0, count: 16) }, few.count)
    for level in InstructionSet.available where level != .plain {
      level.use {
        // First in separate vectors, then all in one vector.
        var (alone, mixed) = (x, x)
        unroll_vector_function(Int32(UNROLL_F32), &alone, x, x.count, function.kind)
        for start in 0..<16 {
          let row = (0..<16).map { few[(start + $0) % count] }
          unroll_vector_function(Int32(UNROLL_F32), &mixed, row, row.count, function.kind)
          for place in 0..<16 {
            let expected = alone[(start + place) % count * 16]
            #expect(
              mixed[place].bitPattern == expected.bitPattern
                || expected.isNaN && mixed[place].isNaN,
              "\(level) \(function.name) \(row[place])")
          }
        }
      }
    }
  }

  @Test("Zero, infinities and NaN are exact")
  func edges() {
    for level in InstructionSet.available where level != .plain {
      level.use {
        let x: [Float] = [0, -0.0, .infinity, -.infinity, .nan]
        var y = x
        unroll_vector_function(Int32(UNROLL_F32), &y, x, 5, Int32(UNROLL_VECTOR_TANH))
        #expect(y[0] == 0 && y[0].sign == .plus && y[1] == 0 && y[1].sign == .minus)
        #expect(y[2] == 1 && y[3] == -1 && y[4].isNaN)
        unroll_vector_function(Int32(UNROLL_F32), &y, x, 5, Int32(UNROLL_VECTOR_SIGMOID))
        #expect(y[0] == 0.5 && y[1] == 0.5 && y[2] == 1 && y[3] == 0 && y[4].isNaN)
        unroll_vector_function(Int32(UNROLL_F32), &y, x, 5, Int32(UNROLL_VECTOR_EXP))
        #expect(y[0] == 1 && y[1] == 1 && y[2] == .infinity && y[3] == 0 && y[4].isNaN)
        let w: [Double] = [0, -0.0, .infinity, -.infinity, .nan]
        var z = w
        unroll_vector_function(Int32(UNROLL_F64), &z, w, 5, Int32(UNROLL_VECTOR_TANH))
        #expect(z[0] == 0 && z[1].sign == .minus && z[2] == 1 && z[3] == -1 && z[4].isNaN)
        unroll_vector_function(Int32(UNROLL_F64), &z, w, 5, Int32(UNROLL_VECTOR_SIGMOID))
        #expect(z[0] == 0.5 && z[2] == 1 && z[3] == 0 && z[4].isNaN)
        unroll_vector_function(Int32(UNROLL_F64), &z, w, 5, Int32(UNROLL_VECTOR_EXP))
        #expect(z[0] == 1 && z[2] == .infinity && z[3] == 0 && z[4].isNaN)
      }
    }
  }
}
