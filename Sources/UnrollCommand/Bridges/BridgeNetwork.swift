#if Command
internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollONNX

/// A network that a file of any format holds, in the file's precision, and how it was read.
struct BridgeNetwork {
  enum Numbers {
    case single(RecurrentNetwork<Float>)
    case double(RecurrentNetwork<Double>)
  }

  /// The file and its container.
  let source: String
  /// Whose names its arrays have.
  let names: String
  let numbers: Numbers
  let report: ImportReport
  /// Whether the file keeps outputs, which the network gives.
  var isTested: Bool
  /// More files that were read.
  var filesBeside: [String] = []
  /// The options that settle what the file leaves open.
  var hints = BridgeHints()

  /// Reads a file, whatever its format.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - assumptions: What it does not say.
  ///   - hints: The options that errors and remarks name.
  /// - Throws: `DataError`, a sentence that begins with the file.
  init(
    contentsOf path: String, assuming assumptions: NetworkAssumptions = NetworkAssumptions(),
    hints: BridgeHints = BridgeHints()
  ) throws {
    if ONNXBridge.isModel(path) {
      try hints.refuse(assumptions, of: path, "an ONNX model")
      self = try ONNXBridge.read(path)
    } else {
      self = try BridgeErrors.told(path, hints: hints) {
        try BridgeNetwork(
          BridgeErrors.listingONNX { try ArrayFile(contentsOf: path) }, of: path,
          assuming: assumptions, hints: hints)
      }
    }
    self.hints = hints
  }

  /// Finds the network in a file's arrays.
  ///
  /// - Throws: `ModelImportError`, `ArrayFileError`.
  init(
    _ file: ArrayFile, of path: String, assuming assumptions: NetworkAssumptions,
    hints: BridgeHints = BridgeHints()
  ) throws {
    if NetworkFile.isOwn(file) { try hints.refuse(assumptions, of: path, "a file of Unroll's") }
    let source = "\(path), \(file.container.rawValue)"
    func names(_ layout: NetworkLayout) -> String { "by the names of \(layout.rawValue)" }
    if NetworkFile.isDouble(file, assuming: assumptions) {
      let (imported, isTested) = try NetworkFile.network(
        in: file, assuming: assumptions, as: Double.self)
      self.init(
        source: source, names: names(imported.layout), numbers: .double(imported.network),
        report: imported.report, isTested: isTested)
    } else {
      let (imported, isTested) = try NetworkFile.network(
        in: file, assuming: assumptions, as: Float.self)
      self.init(
        source: source, names: names(imported.layout), numbers: .single(imported.network),
        report: imported.report, isTested: isTested)
    }
    try Self.checkUse(of: assumptions, in: file, path)
  }

  init(
    source: String, names: String, numbers: Numbers, report: ImportReport, isTested: Bool = false
  ) {
    (self.source, self.names, self.numbers) = (source, names, numbers)
    (self.report, self.isTested) = (report, isTested)
  }

  /// The file, its container and whose names it has.
  var origin: String { "\(source), \(names)" }

  /// What was assumed, what differs and what is not part of the network: the same words in every command.
  var remarks: [String] {
    report.assumptions.map { "assumed: \(hints.text(assumption: $0))" }
      + report.notes.map { "note: \($0)" }
      + report.omissions.map { "left out: \($0)" }
      + (report.others.isEmpty ? [] : ["not part of it: \(report.others.joined(separator: ", "))"])
  }

  /// How the network was read, without a line for each array.
  var summary: [String] { ["read: \(origin)"] + remarks.map { "  " + $0 } }

  /// The network in float32.
  var single: RecurrentNetwork<Float> {
    switch numbers {
    case .single(let network): network
    case .double(let network): network.converted(to: Float.self)
    }
  }

  /// The network in float64.
  var double: RecurrentNetwork<Double> {
    switch numbers {
    case .single(let network): network.converted(to: Double.self)
    case .double(let network): network
    }
  }

  /// The network's cells with all their settings.
  var table: TextTable {
    switch numbers {
    case .single(let network): BridgeWords.table(network)
    case .double(let network): BridgeWords.table(network)
    }
  }
}
#endif
