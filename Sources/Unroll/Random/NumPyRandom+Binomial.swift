// Binomial and multinomial numbers of NumPy's legacy generator.
//
// Small means (n·p ≤ 30) walk the distribution by inversion; larger ones use algorithm BTPE of
// Kachitvichyanukul and Schmeiser, Binomial random variate generation, CACM 31 (1988): a
// triangle, two parallelograms and two exponential tails over the distribution, with squeezes
// before the exact test. The order of the operations is NumPy's, because the bits depend on it.

internal import RealModule
internal import UnrollContracts

extension NumPyRandom {
  /// `numpy.random.binomial(n, p)`: the number of successes in `trials`.
  ///
  /// - Precondition: `trials` ≥ 0 and `probability` in 0 ... 1.
  public mutating func binomial(_ trials: Int, _ probability: Double) -> Int {
    require(
      trials >= 0 && probability >= 0 && probability <= 1,
      "NumPyRandom.binomial: expected trials ≥ 0 and p in 0 ... 1, got \(trials), \(probability).")
    if probability > 0.5 { return trials - lowBinomial(trials, 1 - probability) }
    return lowBinomial(trials, probability)
  }

  /// `numpy.random.multinomial(n, pvals)`: the count of each outcome in `trials`.
  ///
  /// - Precondition: The probabilities are at least 0 and add up to at most 1.
  public mutating func multinomial(_ trials: Int, _ probabilities: [Double]) -> [Int] {
    require(
      trials >= 0 && probabilities.allSatisfy { $0 >= 0 && $0.isFinite },
      "NumPyRandom.multinomial: expected trials and finite probabilities of at least 0, got \(trials), \(probabilities.prefix(8))."
    )
    var counts = [Int](repeating: 0, count: probabilities.count)
    var left = trials
    var remaining = 1.0
    for index in probabilities.indices.dropLast() {
      // Unlike `binomial`, NumPy's multinomial draws nothing for a probability of 0.
      let share = min(1, max(0, probabilities[index] / remaining))
      counts[index] = share == 0 ? 0 : binomial(left, share)
      left -= counts[index]
      if left <= 0 { break }
      remaining -= probabilities[index]
    }
    if left > 0, !counts.isEmpty { counts[counts.count - 1] = left }
    return counts
  }

  /// Draws from the binomial distribution for a probability of at most one half.
  ///
  /// Like NumPy, draws a number even if there are no trials or the probability is 0.
  private mutating func lowBinomial(_ trials: Int, _ p: Double) -> Int {
    p * Double(trials) <= 30
      ? invertedBinomial(trials, p) : RejectionBinomial(trials, p).draw(from: &self)
  }

  private mutating func invertedBinomial(_ trials: Int, _ p: Double) -> Int {
    let n = Double(trials)
    let q = 1 - p
    let none = Double.exp(n * Double.log(q))
    let mean = n * p
    let bound = Int(min(n, mean + 10 * (mean * q + 1).squareRoot()))
    var (successes, mass, rest) = (0, none, nextDouble())
    while rest > mass {
      successes += 1
      if successes > bound {
        (successes, mass, rest) = (0, none, nextDouble())
      } else {
        rest -= mass
        mass = (Double(trials - successes + 1) * p * mass) / (Double(successes) * q)
      }
    }
    return successes
  }
}

/// Algorithm BTPE for one (n, p), p at most one half; the letters are the paper's.
private struct RejectionBinomial {
  let trials: Int
  let n, r, q: Double
  let mode: Int
  let p1, p2, p3, p4, xm, xl, xr, c, leftRate, rightRate: Double

  init(_ trials: Int, _ p: Double) {
    self.trials = trials
    n = Double(trials)
    r = min(p, 1 - p)
    q = 1 - r
    let fm = n * r + r
    mode = Int(fm.rounded(.down))
    p1 = (2.195 * (n * r * q).squareRoot() - 4.6 * q).rounded(.down) + 0.5
    xm = Double(mode) + 0.5
    xl = xm - p1
    xr = xm + p1
    c = 0.134 + 20.5 / (15.3 + Double(mode))
    let left = (fm - xl) / (fm - xl * r)
    leftRate = left * (1 + left / 2)
    let right = (xr - fm) / (xr * q)
    rightRate = right * (1 + right / 2)
    p2 = p1 * (1 + 2 * c)
    p3 = p2 + c / leftRate
    p4 = p3 + c / rightRate
  }

  func draw(from random: inout NumPyRandom) -> Int {
    while true {
      let u = random.nextDouble() * p4
      var v = random.nextDouble()
      let y: Int
      if u <= p1 {  // the triangle: accepted at once
        return Int((xm - p1 * v + u).rounded(.down))
      } else if u <= p2 {  // the parallelograms
        let x = xl + (u - p1) / c
        v = v * c + 1 - abs(Double(mode) - x + 0.5) / p1
        if v > 1 { continue }
        y = Int(x.rounded(.down))
      } else if u <= p3 {  // the left tail
        if v == 0 { continue }
        let tail = (xl + Double.log(v) / leftRate).rounded(.down)
        if tail < 0 { continue }
        y = Int(tail)
        v = v * (u - p2) * leftRate
      } else {  // the right tail
        if v == 0 { continue }
        let tail = (xr - Double.log(v) / rightRate).rounded(.down)
        if tail > n { continue }
        y = Int(tail)
        v = v * (u - p3) * rightRate
      }
      if accepts(y, v) { return y }
    }
  }

  private func accepts(_ y: Int, _ v: Double) -> Bool {
    let variance = n * r * q
    let distance = abs(y - mode)
    let k = Double(distance)
    if distance <= 20 || k >= variance / 2 - 1 {
      let s = r / q
      let a = s * (n + 1)
      var ratio = 1.0
      if mode < y {
        for i in (mode + 1)...y { ratio *= a / Double(i) - s }
      } else if mode > y {
        for i in (y + 1)...mode { ratio /= a / Double(i) - s }
      }
      return v <= ratio
    }
    let rho = (k / variance) * ((k * (k / 3 + 0.625) + 0.16666666666666666) / variance + 0.5)
    let t = -k * k / (2 * variance)
    let logarithm = Double.log(v)
    if logarithm < t - rho { return true }
    if logarithm > t + rho { return false }
    let m = Double(mode)
    let (x1, f1, z, w) = (Double(y) + 1, m + 1, n + 1 - m, n - Double(y) + 1)
    let exact =
      xm * Double.log(f1 / x1) + (n - m + 0.5) * Double.log(z / w)
      + (Double(y) - m) * Double.log(w * r / (x1 * q))
      + stirling(f1) + stirling(z) + stirling(x1) + stirling(w)
    return logarithm <= exact
  }

  /// Returns the correction of Stirling's formula, to five terms.
  private func stirling(_ x: Double) -> Double {
    let square = x * x
    return (13680 - (462 - (132 - (99 - 140 / square) / square) / square) / square) / x / 166320
  }
}
