/// An array file that could not be read or written.
public struct ArrayFileError: Error, Equatable, Sendable {
  /// A defect found while decoding or encoding.
  public enum Problem: Equatable, Sendable {
    /// The bytes end before what they promise.
    case truncated(expectedBytes: Int, actualBytes: Int)
    /// The contents do not begin as the expected kind of file does.
    case foreign(expected: String)
    /// The header is not of the form that its format demands.
    case malformedHeader(String)
    /// The header names an element type this package does not read.
    case unsupportedElementType(String)
    /// An archive's member is compressed by a method this package does not read.
    case unsupportedCompression(Int)
    /// A member's contents do not give the checksum that the archive recorded.
    case wrongChecksum
    /// A pickle asks for something that tensors do not need.
    case refusedInstruction(String)
    /// A file of a known kind that is not read: a sentence with the kind and what to do.
    case unreadable(String)
    /// The archive has no member of that name.
    case missing(available: [String])
    /// The elements cannot be taken as the type that was asked for.
    case wrongElementType(expected: String, found: String)
    /// The file or folder could not be opened, read, written or renamed.
    case system(String)
  }

  /// What is wrong with the file.
  public var problem: Problem
  /// The array being decoded, if the file holds several.
  public var arrayName: String?
  /// The byte at which decoding stopped.
  public var byteOffset: Int?

  /// Creates an error.
  public init(_ problem: Problem, arrayName: String? = nil, byteOffset: Int? = nil) {
    self.problem = problem
    self.arrayName = arrayName
    self.byteOffset = byteOffset
  }
}

extension ArrayFileError: CustomStringConvertible {
  /// One clause: where, what was expected, what was found.
  public var description: String {
    var prefix = ""
    if let arrayName { prefix += "array '\(arrayName)': " }
    if let byteOffset { prefix += "byte \(byteOffset): " }
    return prefix + sentence
  }

  private var sentence: String {
    switch problem {
    case .truncated(let expected, let actual):
      return "expected \(expected) bytes, found \(actual); the file is truncated"
    case .foreign(let expected): return "expected \(expected), found something else"
    case .malformedHeader(let what): return "the header is malformed: \(what)"
    case .unsupportedElementType(let name):
      return "expected a numeric element type, found '\(name)'"
    case .unsupportedCompression(let method):
      return "expected a member that is stored or deflated, found compression method \(method)"
    case .wrongChecksum:
      return "the contents do not give the recorded checksum; the file is damaged"
    case .refusedInstruction(let what):
      return
        "asks for \(what), which no tensor needs; save the tensors alone: torch.save(model.state_dict(), path)"
    case .unreadable(let what): return what
    case .missing(let available):
      let some = available.sortedNames().prefix(8).joined(separator: ", ")
      return "not in the file, which holds \(available.isEmpty ? "nothing" : some)"
    case .wrongElementType(let expected, let found): return "expected \(expected), found \(found)"
    case .system(let what): return what
    }
  }
}
