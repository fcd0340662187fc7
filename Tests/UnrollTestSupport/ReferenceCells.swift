// Reference implementations of the cells: equations for one row, in Double, with plain loops. Written from the
// publications, independently of the C kernels.

import Foundation
import Unroll

/// The equations of each cell.
public enum Reference {
  static func sigma(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  /// Returns x·W + h·U + b for one column.
  static func argument(
    _ p: CellParameters<Double>, _ x: [Double], _ h: [Double], _ column: Int
  ) -> Double {
    input(p, x, column) + recurrent(p, h, column)
  }

  static func input(_ p: CellParameters<Double>, _ x: [Double], _ column: Int) -> Double {
    var sum = p.bias[column]
    for i in x.indices { sum += x[i] * p.inputWeights[i, column] }
    return sum
  }

  static func recurrent(_ p: CellParameters<Double>, _ h: [Double], _ column: Int) -> Double {
    var sum = 0.0
    for i in h.indices { sum += h[i] * p.recurrentWeights[i, column] }
    return sum
  }

  /// h′ = tanh(x·W + h·U + b).
  public static func rnn(_ p: CellParameters<Double>, x: [Double], h: [Double]) -> [Double] {
    (0..<p.hiddenSize).map { tanh(argument(p, x, h, $0)) }
  }

  /// Computes the GRU of Cho et al., reset gate before or after the product.
  public static func gru(
    _ p: CellParameters<Double>, x: [Double], h: [Double], kind: CellKind
  ) -> [Double] {
    let size = p.hiddenSize
    let c =
      p.recurrentBias.isEmpty
      ? [Double](repeating: 0, count: 3 * size) : p.recurrentBias.elements
    let r = (0..<size).map { sigma(argument(p, x, h, $0) + c[$0]) }
    let z = (0..<size).map { sigma(argument(p, x, h, size + $0) + c[size + $0]) }
    let scaled = zip(r, h).map { $0 * $1 }
    return (0..<size).map { j in
      let column = 2 * size + j
      let n =
        kind == .gruResetBefore
        ? tanh(input(p, x, column) + recurrent(p, scaled, column) + c[column])
        : tanh(input(p, x, column) + r[j] * (recurrent(p, h, column) + c[column]))
      return (1 - z[j]) * n + z[j] * h[j]
    }
  }

  /// Computes the minimal gated unit of Zhou et al., whose gate f both admits the candidate and forgets the state.
  public static func mgu(_ p: CellParameters<Double>, x: [Double], h: [Double]) -> [Double] {
    let size = p.hiddenSize
    let f = (0..<size).map { sigma(argument(p, x, h, $0)) }
    let gated = zip(f, h).map { $0 * $1 }
    return (0..<size).map { j in
      let n = tanh(argument(p, x, gated, size + j))
      return (1 - f[j]) * h[j] + f[j] * n
    }
  }

  /// JANET of van der Westhuizen and Lasenby: an LSTM with only a forget gate, whose output is its cell state.
  ///
  /// `shift` is their β.
  public static func janet(
    _ p: CellParameters<Double>, x: [Double], h: [Double], shift: Double
  ) -> [Double] {
    let size = p.hiddenSize
    return (0..<size).map { j in
      let s = argument(p, x, h, j)
      let n = tanh(argument(p, x, h, size + j))
      return sigma(s) * h[j] + (1 - sigma(s - shift)) * n
    }
  }

  /// Computes the LSTM, with peepholes and a projection if the parameters have them.
  ///
  /// Supported options: the forget offset, coupled gates and both clips.
  public static func lstm(
    _ p: CellParameters<Double>, x: [Double], h: [Double], c: [Double], options: CellOptions
  ) -> (h: [Double], c: [Double]) {
    let size = p.hiddenSize
    func peephole(_ gate: Int, _ j: Int) -> Double {
      p.peepholes.isEmpty ? 0 : p.peepholes[gate, j]
    }
    func clipped(_ value: Double, _ limit: Double) -> Double {
      limit > 0 ? min(max(value, -limit), limit) : value
    }
    var (m, new) = ([Double](), [Double]())
    for j in 0..<size {
      let i = sigma(argument(p, x, h, j) + peephole(0, j) * c[j])
      let own = sigma(argument(p, x, h, size + j) + options.forgetOffset + peephole(1, j) * c[j])
      let f = options.couplesInputAndForget ? 1 - i : own
      let g = tanh(argument(p, x, h, 2 * size + j))
      new.append(clipped(f * c[j] + i * g, options.cellClip))
      let o = sigma(argument(p, x, h, 3 * size + j) + peephole(2, j) * new[j])
      m.append(o * tanh(new[j]))
    }
    guard !p.projection.isEmpty else { return (m, new) }
    let projected = (0..<p.outputSize).map { k in
      clipped((0..<size).reduce(0) { $0 + m[$1] * p.projection[$1, k] }, options.projectionClip)
    }
    return (projected, new)
  }
}
