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
  /// One clause.
  public var description: String {
    switch problem {
    case .missing: "'\(name)': expected such an array, found none"
    case .wrongShape(let expected, let found):
      "'\(name)': expected shape \(expected), found \(found)"
    case .unsupported(let field, let value):
      "'\(name)': \(field) = \(value) cannot be expressed"
    }
  }
}
