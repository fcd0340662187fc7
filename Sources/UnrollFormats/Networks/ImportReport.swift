/// A report on how a network was read: what became part of it, and what did not.
public struct ImportReport: Equatable, Sendable {
  /// A line for each array that became part of the network.
  public var mappings: [String]
  /// A line for each setting that the file does not state, with the default that was taken.
  public var assumptions: [String]
  /// A line for each thing that the file's network does and this one does not.
  public var omissions: [String]
  /// A line for each convention of the file that differs from this network's and loses nothing: the order of its
  /// axes, weights that several layers share.
  public var notes: [String]
  /// Arrays that are not part of the network.
  public var others: [String]

  /// Creates a report.
  public init(
    mappings: [String] = [], assumptions: [String] = [], omissions: [String] = [],
    notes: [String] = [], others: [String] = []
  ) {
    self.mappings = mappings
    self.assumptions = assumptions
    self.omissions = omissions
    self.notes = notes
    self.others = others
  }
}

extension ImportedNetwork {
  /// The report on how the network was read.
  public var report: ImportReport {
    ImportReport(
      mappings: mappings, assumptions: assumptions, omissions: omissions, others: others)
  }
}
