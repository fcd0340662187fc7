/// Weights or a configuration that could not be taken over from another program.
public struct ModelImportError: Error, Equatable, Sendable {
  /// A defect of what was handed over.
  public enum Problem: Equatable, Sendable {
    /// An array is not there.
    case missing
    /// An array has another shape than the rest demands.
    case wrongShape(expected: [Int], found: [Int])
    /// A setting has a value that Unroll cannot express.
    case unsupported(field: String, value: String)
    /// A setting of ours that the other program cannot express.
    case inexpressible(field: String, value: String)
    /// No network whose names are known.
    case noNetwork(arrays: [String])
    /// Several networks, of which one must be chosen by its prefix; `stack` is the prefix of some that may be
    /// layers of one.
    case severalNetworks([String], stack: String? = nil)
    /// No network has names that begin so.
    case unknownPrefix(available: [String], nearest: String?)
    /// Assumptions that change nothing, because the file (`by`) states everything or this network does not depend on them.
    case unneeded([NetworkAssumptions.Field], by: String?)
    /// A layer that does not fit the one below.
    case doesNotFit(String)
    /// The network does not compute what its file says that it did.
    case wrongOutputs(distance: Double, bound: Double)
  }

  /// What is wrong.
  public var problem: Problem
  /// The array or cell that it is about.
  public var name: String

  /// Creates an error.
  public init(_ problem: Problem, name: String) {
    self.problem = problem
    self.name = name
  }
}

extension ModelImportError: CustomStringConvertible {
  /// One clause: the array or cell, what was expected, what was found.
  public var description: String { description(naming: \.rawValue) }

  /// One clause, with names of assumptions as the interface in use has them.
  ///
  /// - Parameter word: Returns the name of an assumption.
  /// - Returns: The clause.
  public func description(naming word: (NetworkAssumptions.Field) -> String) -> String {
    switch problem {
    case .missing: "'\(name)': expected such an array, found none"
    case .wrongShape(let expected, let found):
      "'\(name)': expected shape \(expected), found \(found)"
    case .unsupported(let field, let value):
      "'\(name)': \(field) = \(value) cannot be expressed"
    case .inexpressible(let field, let value):
      "\(name) cannot express \(field) = \(value)"
    case .noNetwork(let arrays):
      "expected the arrays of a recurrent network, found \(arrays.isEmpty ? "none" : arrays.sortedNames().prefix(8).joined(separator: ", "))"
    case .severalNetworks(let prefixes, let stack):
      "holds several networks, \(Self.quoted(prefixes)); choose one by its prefix"
        + (stack.map {
          ", or all that begin with '\($0)' as layers of one, each above the one before"
        }
          ?? "")
    case .unknownPrefix(let available, let nearest):
      "no network has the prefix '\(name)'; "
        + (nearest.map { "did you mean '\($0)'?" } ?? "the file has \(Self.quoted(available))")
    case .unneeded(let fields, let holder?):
      "\(holder) holds one network with all its settings; leave \(fields.map(word).joined(separator: ", ")) out"
    case .unneeded(let fields, nil):
      "\(fields.map(word).joined(separator: ", ")) changes nothing in how this network is read; leave it out"
    case .doesNotFit(let what): "'\(name)': \(what)"
    case .wrongOutputs(let distance, let bound):
      "'\(name)': the network is \(distance) away from the outputs that the file keeps, expected at most \(bound); the weights or the settings are not those that were saved"
    }
  }

  private static func quoted(_ names: [String]) -> String {
    names.prefix(12).map { "'\($0)'" }.joined(separator: ", ") + (names.count > 12 ? ", …" : "")
  }
}
