#if Command
internal import ArgumentParser
internal import RealModule
internal import UnrollVerification

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Recompute a folder of arrays that other frameworks computed.",
    discussion: """
      The folder holds an index.json and the .npz files that it lists, as Scripts/golden writes them. Every case is \
      recomputed in its own precision, and the worst error of each quantity is printed: for float32 the largest \
      |ours − theirs| / max(1, |theirs|) of an element; for float64 the largest |ours − theirs| divided by the largest \
      |theirs| of the array, which shows errors of values that vanish. --json prints both.

      A case passes if its errors are at most 1e-12 in float64 (1e-10 where a gate saturates), and in float32 at most \
      eight times the framework's own float32 error for the case, or 1e-6 if that is larger. An array of a chaotic case \
      may differ by eight times the effect of changing every number by one unit in the last place. Random numbers, \
      draws and histograms must be equal. Cases in file formats that cannot be read are listed and do not count as \
      passed. The exit code is 1 if a case failed.

      EXAMPLES
        unroll verify Tests/Golden
        unroll verify Tests/Golden --filter GRUCell
        unroll verify Tests/Golden --json
      """)

  @Argument(help: ArgumentHelp("Folder of the golden set.", valueName: "folder"))
  var directory: String

  @Option(
    help: ArgumentHelp(
      "Recompute only cases whose name, group, cell or source contains this text. (default: all)",
      valueName: "text"))
  var filter: String = ""

  @Flag(help: "Print the verdicts as JSON.")
  var json = false

  func run() throws {
    let set: GoldenSet
    do { set = try GoldenSet(folder: directory) } catch { throw DataError(description: "\(error)") }
    let verdicts = Verification.run(set, filter: filter) { verdict in
      if !json { print(Self.line(verdict)) }
    }
    guard !verdicts.isEmpty else {
      throw DataError(
        description: filter.isEmpty
          ? "\(directory): expected at least one case, found none"
          : "\(directory): no case contains '\(filter)'")
    }
    let report = VerificationReport(directory: directory, cases: verdicts)
    if json {
      try Terminal.printJSON(report)
    } else {
      print(report.summary)
    }
    if report.failed + report.errors > 0 { throw ExitCode(1) }
  }

  /// One line: verdict, case, cell, framework, then each quantity's worst error.
  private static func line(_ verdict: CaseVerdict) -> String {
    let mark =
      switch verdict.verdict {
      case .passed: "passed      "
      case .failed: "FAILED      "
      case .error: "ERROR       "
      case .notReadable: "not readable"
      }
    let title =
      "\(mark)  \(verdict.name)  [\(verdict.cell), \(verdict.framework), \(verdict.precision)]"
    if let reason = verdict.reason { return "\(title)  \(reason)" }
    let checks = verdict.checks.map { check in
      "\(check.quantity) \(amount(check))" + (check.passes ? "" : " (over its bound)")
    }
    let bounds = verdict.checks.map(\.bound).filter { $0 > 0 }
    let bound = bounds.max().map { ", bound \(short($0))" } ?? ""
    return "\(title)\(bound)\n                \(checks.joined(separator: ", "))"
  }

  /// The error of a quantity that its bound applies to, or the number of elements that differ.
  private static func amount(_ check: QuantityCheck) -> String {
    guard check.worst < .greatestFiniteMagnitude else { return "cannot be compared" }
    if check.bound > 0 {
      return short(check.relativeBound == nil ? check.worst : check.relative)
    }
    return check.worst == 0 ? "exact" : "\(Int(check.worst)) differ"
  }

  private static func short(_ value: Double) -> String {
    value == 0 ? "0" : scientific(value, digits: 1)
  }
}

/// A number such as 2.4e-07.
func scientific(_ value: Double, digits: Int) -> String {
  guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
  var exponent = Int(Double.log10(abs(value)).rounded(.down))
  func mantissa(_ exponent: Int) -> Double {
    let scale = Double.pow(10, Double(digits))
    return (value / Double.pow(10, Double(exponent)) * scale).rounded() / scale
  }
  if abs(mantissa(exponent)) >= 10 { exponent += 1 }
  let power = abs(exponent) < 10 ? "0\(abs(exponent))" : "\(abs(exponent))"
  return "\(mantissa(exponent))e\(exponent < 0 ? "-" : "+")\(power)"
}

/// What `verify --json` prints.
private struct VerificationReport: Encodable {
  let directory: String
  let passed, failed, errors, notReadable: Int
  let cases: [CaseVerdict]

  init(directory: String, cases: [CaseVerdict]) {
    self.directory = directory
    self.cases = cases
    func count(_ verdict: Verdict) -> Int { cases.count { $0.verdict == verdict } }
    (passed, failed) = (count(.passed), count(.failed))
    (errors, notReadable) = (count(.error), count(.notReadable))
  }

  var summary: String {
    var text = "\(cases.count) cases: \(passed) passed, \(failed) failed, \(errors) in error, "
    text += "\(notReadable) not readable yet"
    let formats = Set(cases.filter { $0.verdict == .notReadable }.compactMap(\.reason))
    if !formats.isEmpty { text += " (\(formats.sorted().joined(separator: "; ")))" }
    return text
  }
}
#endif
