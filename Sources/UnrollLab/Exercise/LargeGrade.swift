// Tasks 3 and 5: distances and gradient norms of the large problem.

internal import Unroll

enum LargeGrade {
  /// The array of task 3, `[3, 6, 100]`.
  static let distanceName = "distances"
  /// The array of task 5, `[100]`.
  static let gradientName = "gradient_norms"

  private static let batchSize = ExerciseProblem.largeSettings.batchSize
  /// The sequences with which slips are tried; what they suggest is confirmed with all.
  private static let sample = Array(stride(from: 0, to: batchSize, by: batchSize / 4))

  /// Grades task 3.
  static func distances(_ answer: AnswerFile) -> ExercisePartReport {
    var part = ExercisePartReport(
      name: "distances", maximum: ExerciseTask.forgetting.points,
      measureName: "largest difference",
      requirement: "at most \(LabNumber.short(ExerciseThreshold.distance))")
    let pairs = MemoryExperiment.pairTitles.count
    let shape = [LargeProblem.steps.count, pairs, batchSize]
    do throws(AnswerProblem) {
      let found = try answer.tensor(
        distanceName, shape, axes: "steps 10, 20 and 30; six pairs; sequences",
        advice: {
          $0 == Array(shape.dropLast())
            ? "the norm was taken over the sequences, too; take it over the units (np.linalg.norm(difference, axis=1))"
            : nil
        })
      let right = LargeProblem().distances()
      let differences = zip(found.elements, right).map { abs($0 - $1) }
      let largest = differences.max() ?? .nan
      part.measure = largest
      guard largest > ExerciseThreshold.distance else {
        part.points = part.maximum
        return part
      }
      if let index = differences.firstIndex(where: { $0 > ExerciseThreshold.distance }) {
        let (sequence, pair) = (index % batchSize, index / batchSize % pairs)
        part.remarks.append(
          "The first wrong distance is that of step \(LargeProblem.steps[index / batchSize / pairs]), pair “\(MemoryExperiment.pairTitles[pair])”, sequence \(sequence): found \(LabNumber.short(found.elements[index])), expected \(LabNumber.short(right[index]))."
        )
      }
      diagnose(found, .distances, &part) { $0.distances($1) }
    } catch {
      part.remarks.append(error.description)
    }
    return part
  }

  /// Grades task 5.
  static func gradients(_ answer: AnswerFile) -> ExercisePartReport {
    var part = ExercisePartReport(
      name: "gradient norms", maximum: ExerciseTask.vanishing.points,
      measureName: "relative error",
      requirement: "at most \(LabNumber.short(ExerciseThreshold.gradientError))")
    do throws(AnswerProblem) {
      let size = ExerciseProblem.largeSettings.hiddenSize
      let found = try answer.tensor(
        gradientName, [batchSize], axes: "sequence",
        advice: { shape in
          switch shape {
          case [size]:
            "the norm was taken over the sequences; take it over the units (np.linalg.norm(gradient, axis=1))"
          case [batchSize, size]:
            "these are the gradients; take the norm over the units (np.linalg.norm(gradient, axis=1))"
          case []: "this is one number for all sequences; take the norm over the units (axis=1)"
          default: nil
          }
        })
      let right = Tensor<Double>(LargeProblem().gradientNorms())
      let error = relativeError(right, found)
      part.measure = error
      guard !(error <= ExerciseThreshold.gradientError) else {
        part.points = part.maximum
        return part
      }
      guard found.maximumMagnitude > 0 else {
        part.remarks.append(
          "All norms are 0: the array is never filled, or the gradient is never begun.")
        return part
      }
      let (ours, theirs) = (Summary(right.elements).median, Summary(found.elements).median)
      part.remarks.append(
        "The median norm is \(LabNumber.short(theirs)), expected \(LabNumber.short(ours)).")
      diagnose(found, .gradientNorms, &part) { $0.gradientNorms($1) }
    } catch {
      part.remarks.append(error.description)
    }
    return part
  }

  /// Tries slips on a few sequences, and confirms what explains them on all.
  private static func diagnose(
    _ found: Tensor<Double>, _ subject: ExercisePart, _ part: inout ExercisePartReport,
    compute: (LargeProblem, Slips) -> [Double]
  ) {
    let precision = AnswerPrecision(found.elements)
    let (few, all) = (LargeProblem(sample), LargeProblem())
    let rows = found.elements.cut(batchSize)
    let diagnosis = Diagnosis(
      rows.flatMap { row in sample.map { row[$0] } }, subject, precision,
      compute: { compute(few, $0) },
      confirm: {
        relativeDistance(found.elements, compute(all, $0)) <= precision.tolerance
      })
    part.add(diagnosis)
    if precision == .half { part.add(SlipTable.half) }
    guard diagnosis.isRight else { return }
    part.points = part.maximum / 2
    if precision == .single {
      part.remarks.append(
        ExercisePartReport.imprecise
      )
    }
  }
}
