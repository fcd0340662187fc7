// Recomputes and judges every case of a golden set (`unroll verify`). A case is identified by its convention and
// arrays, never by its name.

internal import Unroll
internal import UnrollFormats
internal import UnrollLab

/// Recomputation of golden sets.
public enum Verification {
  /// Judges the cases of a set whose name, group, cell or source contains a text.
  ///
  /// - Parameters:
  ///   - set: The set.
  ///   - filter: The text; empty for all cases.
  ///   - report: Called with each verdict.
  /// - Returns: All verdicts, in the order of the index.
  public static func run(
    _ set: GoldenSet, filter: String = "", report: (CaseVerdict) -> Void = { _ in }
  ) -> [CaseVerdict] {
    set.cases.filter { golden in
      filter.isEmpty
        || [golden.name, golden.group, golden.cell, golden.source].contains { $0.contains(filter) }
    }.map { golden in
      let verdict = judge(golden, in: set)
      report(verdict)
      return verdict
    }
  }

  private static func judge(_ golden: GoldenCase, in set: GoldenSet) -> CaseVerdict {
    var verdict = CaseVerdict(
      name: golden.name, group: golden.group, framework: set.framework(of: golden),
      cell: golden.cell, precision: golden.fields["dtype"]?.string ?? "exact", verdict: .error,
      reason: nil, checks: [])
    if let format = unreadableFormat(golden) {
      verdict.verdict = .notReadable
      verdict.reason = "needs \(format)"
      return verdict
    }
    do {
      let archive = golden.fields["file"] == nil ? nil : try set.archive(of: golden)
      let comparison = try compare(golden, in: set, archive)
      verdict.checks = comparison.checks
      let names = archive?.names ?? []
      let unseen = names.filter { !comparison.seen.contains($0) }
      if let unknown = unseen.first {
        verdict.reason =
          "\(unseen.count) of \(names.count) arrays not understood, the first is '\(unknown)'"
      } else if comparison.checks.isEmpty {
        verdict.reason = "the case has no arrays to compare"
      } else {
        verdict.verdict = comparison.checks.allSatisfy(\.passes) ? .passed : .failed
      }
    } catch {
      verdict.reason = "\(error)"
    }
    return verdict
  }

  /// Returns the file format of a group's cases, if Unroll cannot read it.
  private static func unreadableFormat(_ golden: GoldenCase) -> String? {
    if golden.group == "keras_files", !HDF5Library.isAvailable { return "the HDF5 library" }
    return nil
  }

  private static func compare(
    _ golden: GoldenCase, in set: GoldenSet, _ archive: NPZ?
  ) throws -> Comparison {
    if golden.group == "onnx_backend" { return try ONNXCase.compareNodeTest(golden, in: set) }
    guard let archive else { throw VerificationError("the index does not name a file") }
    switch golden.group {
    case "onnx": return try ONNXCase.compare(golden, in: set, archive)
    case "keras_files": return try KerasFileCase.compare(golden, in: set, archive)
    case "cells", "keras", "torch", "torchrecurrent":
      return switch try golden.precision() {
      case .float32: try NetworkCase<Float>.compare(golden, archive)
      case .float64: try NetworkCase<Double>.compare(golden, archive)
      }
    case "numpy_rng": return try NumPyRandomCase.compare(golden, archive)
    case "random": return try TensorFlowRandomCase.compare(golden, archive)
    case "activations": return try ActivationCase.compare(archive)
    case "notebook": return try NotebookCase.compare(golden, archive)
    case "keras_notebook": return try LaterEditionCase.compare(golden, archive)
    default: throw VerificationError("group '\(golden.group)': unknown")
    }
  }
}

extension NPZ {
  /// Returns the numbers of an array.
  func tensor<Scalar: KernelScalar>(
    _ name: String, _ type: Scalar.Type = Scalar.self
  ) throws(ArrayFileError) -> Tensor<Scalar> {
    try array(name).tensor(of: Scalar.self)
  }
}
