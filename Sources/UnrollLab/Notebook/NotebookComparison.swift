// Compares each number with the notebook's and TensorFlow's, with a verdict. The references are values printed by other
// programs; see `Documentation/Design/0004-notebook.md` for their sources.

internal import Unroll

/// A number of the notebook and its comparison.
public struct ComparisonRow: Sendable, Codable {
  /// The part of the notebook.
  public var part: String
  /// The quantity.
  public var quantity: String
  /// Unroll's value.
  public var ours: Double
  /// The value printed in the notebook, or in its later edition.
  public var printed: Double?
  /// The value computed by TensorFlow 1.13.1 for the same draws (Keras for the later edition).
  public var reference: Double?
  /// The requirement for Unroll's value.
  public var requirement: String
  /// Whether the requirement holds.
  public var holds: Bool
}

extension NotebookResult {
  /// Whether the draws are the notebook's, so that its numbers can be compared.
  private var isNotebook: Bool {
    var notebook = LabSettings()
    notebook.draws = .notebook
    var mine = settings
    mine.precision = notebook.precision
    return mine == notebook && gradientRNN.settings.scale == 1
  }

  /// The comparison of every number in the notebook with Unroll's.
  public var comparison: [ComparisonRow] {
    parityRows + gruAsRNNRows + memoryRows + keptRows + gradientRows + laterRows
  }

  private var parityRows: [ComparisonRow] {
    parity.rows.flatMap { row -> [ComparisonRow] in
      let isDouble = row.precision == .float64
      let error = ComparisonRow(
        part: "3 own forward",
        quantity: "\(row.cell.title), \(row.precision.rawValue): relative error",
        ours: row.relativeErrorSum, printed: nil, reference: nil, requirement: "finite",
        holds: row.relativeErrorSum.isFinite)
      let distance = ComparisonRow(
        part: "3 own forward",
        quantity: "\(row.cell.title), \(row.precision.rawValue): largest distance from float64",
        ours: row.distanceFromTruth, printed: nil, reference: nil, requirement: "finite",
        holds: row.distanceFromTruth.isFinite)
      // Without TensorFlow's recording there is no bound, because outputs near 0 determine the error.
      guard parity.isRecorded else { return [error, distance] }
      switch row.cell {
      case .gruResetBefore:
        return [
          error.held(to: isDouble ? 6e-7 : 2e-6),
          distance.held(toReference: row.referenceDistanceFromTruth),
        ]
      case .gruResetAfter:
        var story = error
        story.printed = 0.9037854511656668
        story.requirement = "the printed number, to 1e-5: it came from this variant"
        story.holds = abs(story.ours - 0.9037854511656668) <= 1e-5
        return [story]
      default:
        return [
          error.held(to: isDouble ? 2.25e-7 : 1e-6, printed: 2.1863736249496377e-07),
          distance.held(toReference: row.referenceDistanceFromTruth),
        ]
      }
    }
  }

  private var gruAsRNNRows: [ComparisonRow] {
    [
      ComparisonRow(
        part: "4 GRU as RNN",
        quantity: "relative error, gate biases ±\(Int(gruAsRNN.chosen.bias))",
        ours: gruAsRNN.chosen.relativeError, printed: nil, reference: 0,
        requirement: "0, all bits equal",
        holds: gruAsRNN.chosen.relativeError == 0 && gruAsRNN.chosen.isBitwiseEqual),
      ComparisonRow(
        part: "4 GRU as RNN", quantity: "relative error, GRU with initial weights",
        ours: gruAsRNN.untouched, printed: parity.isRecorded ? 1 : nil,
        reference: parity.isRecorded ? 1 : nil,
        requirement: parity.isRecorded ? "1 (elements of opposite sign)" : "finite",
        holds: parity.isRecorded
          ? abs(gruAsRNN.untouched - 1) < 1e-12 : gruAsRNN.untouched.isFinite),
    ]
  }

  /// TensorFlow's means of the six distances at the steps 10, 20 and 30, float32, scale 2.
  private static let referenceMeans = [
    [
      0.6476359600108117, 0.638546335764695, 0.5634791404940188, 0.8851769333146513,
      0.536422939458862, 0.7433945631189272,
    ],
    [
      0.15839251858765238, 0.1269823071891733, 0.15097802349033373, 0.2666118011490471,
      0.14998373298556544, 0.28635212602690446,
    ],
    [
      0.019901932072166062, 0.020602130905329544, 0.001770750455722805, 0.01969395420987354,
      0.0013716278209912503, 0.0024765929758169135,
    ],
  ]

  /// The fraction of TensorFlow's distances above 0.1, for the same steps.
  private static let referenceFractions: [Double?] = [0.815, 128.0 / 600, 0.005]

  private var memoryRows: [ComparisonRow] {
    memoryRNN.distances.enumerated().flatMap { index, set in
      var rows = zip(MemoryExperiment.pairTitles, set.summaries).enumerated().map { pair, entry in
        let reference =
          isNotebook && index < Self.referenceMeans.count ? Self.referenceMeans[index][pair] : nil
        return ComparisonRow(
          part: "5 memory, RNN", quantity: "step \(set.step), mean distance \(entry.0)",
          ours: entry.1.mean, printed: nil, reference: reference,
          requirement: reference == nil ? "finite" : "TensorFlow's, to 4e-5",
          holds: reference.map { abs(entry.1.mean - $0) <= 4e-5 } ?? entry.1.mean.isFinite)
      }
      let fraction = isNotebook ? Self.referenceFractions[index] : nil
      rows.append(
        ComparisonRow(
          part: "5 memory, RNN", quantity: "step \(set.step), fraction above 0.1",
          ours: set.fractionAboveTenth, printed: nil, reference: fraction,
          requirement: fraction == nil ? "finite" : "TensorFlow's, to one sequence of 600",
          holds: fraction.map { abs(set.fractionAboveTenth - $0) < 1.5 / 600 }
            ?? set.fractionAboveTenth.isFinite))
      return rows
    }
  }

  private var keptRows: [ComparisonRow] {
    memoryGRU.drifts.map { drift in
      let largest = drift.largest.max() ?? .nan
      return ComparisonRow(
        part: "5 memory, GRU that keeps",
        quantity: "step \(drift.step), largest change of the state", ours: largest, printed: nil,
        reference: 0, requirement: "0: the state is kept", holds: largest == 0)
    }
      + memoryGRU.distances.map { set in
        ComparisonRow(
          part: "5 memory, GRU that keeps", quantity: "step \(set.step), fraction above 0.1",
          ours: set.fractionAboveTenth, printed: nil, reference: nil,
          // With other sizes, initial states may be closer together.
          requirement: isNotebook ? "1" : "finite",
          holds: isNotebook ? set.fractionAboveTenth == 1 : set.fractionAboveTenth.isFinite)
      }
  }

  private var gradientRows: [ComparisonRow] {
    // TensorFlow's means for scale 1 at the notebook's remaining state, zero, and random.
    let references = [3.4486526552131344e-08, 9.239015547279905e-07, 6.984298972412262e-07]
    var rows = gradientRNN.sets.enumerated().map { index, set in
      let reference = isNotebook && index < references.count ? references[index] : nil
      return ComparisonRow(
        part: "6 gradient, RNN",
        quantity: "mean norm at step \(gradientRNN.step), state \(set.point.rawValue)",
        ours: set.summary.mean, printed: nil, reference: reference,
        requirement: reference == nil ? "finite" : "TensorFlow's, to 1 %",
        holds: reference.map { abs(set.summary.mean - $0) <= 0.01 * $0 }
          ?? set.summary.mean.isFinite)
    }
    let kept = Double(gradientGRU.settings.hiddenSize).squareRoot()
    rows += gradientGRU.sets.map { set in
      ComparisonRow(
        part: "6 gradient, GRU that keeps",
        quantity: "mean norm at step \(gradientGRU.step), state \(set.point.rawValue)",
        ours: set.summary.mean, printed: nil, reference: isNotebook ? 2.8284270763397217 : nil,
        requirement: "√H: every element is 1",
        holds: abs(set.summary.mean - kept) < 1e-6 && set.summary.minimum == set.summary.maximum)
    }
    return rows
  }

  private var laterRows: [ComparisonRow] {
    let printed = [0.832, 0.712, 0.527]
    let references = [0.8316666682561239, 0.7116666734218597, 0.5266666660706202]
    return laterEdition.steps.indices.map { index in
      let ours = laterEdition.fractions[index]
      return ComparisonRow(
        part: "later edition", quantity: "step \(laterEdition.steps[index]), fraction above 0.1",
        ours: ours, printed: printed[index], reference: references[index],
        requirement: "the printed number, to its digits",
        holds: abs(ours - printed[index]) <= 5e-4)
    }
  }
}

extension ComparisonRow {
  /// Returns the row with an upper bound.
  fileprivate func held(to bar: Double, printed: Double? = nil) -> ComparisonRow {
    var row = self
    (row.printed, row.requirement, row.holds) = (printed, "≤ \(bar)", ours <= bar)
    return row
  }

  /// Returns the row with TensorFlow's number as its bound.
  fileprivate func held(toReference reference: Double) -> ComparisonRow {
    var row = self
    (row.reference, row.requirement) = (reference, "≤ TensorFlow's own")
    row.holds = ours <= reference
    return row
  }
}
