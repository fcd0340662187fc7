/// An ONNX model that could not be read, run or written.
public struct ONNXError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Problem: Equatable, Sendable {
    /// Bytes that are not a model.
    case malformed(String)
    /// An operator, or a setting of one, that Unroll does not support.
    case unsupported(String)
    /// A value that is not given.
    case missing(String)
    /// A value whose shape or type does not fit its operator.
    case wrongValue(String)
    /// A graph that holds no recurrent layer with fixed weights.
    case noNetwork
  }

  /// What is wrong.
  public var problem: Problem
  /// The node, by its name and operator; empty if the error concerns the whole model.
  public var node: String

  /// Creates an error.
  public init(_ problem: Problem, node: String = "") {
    self.problem = problem
    self.node = node
  }

  /// One clause: where, what was expected, what was found.
  public var description: String {
    let place = node.isEmpty ? "" : "node \(node): "
    switch problem {
    case .malformed(let what): return "\(place)the model is malformed: \(what)"
    case .unsupported(let what): return "\(place)\(what) is not supported"
    case .missing(let what): return "\(place)expected a value of '\(what)', found none"
    case .wrongValue(let what): return "\(place)\(what)"
    case .noNetwork:
      return "\(place)expected a recurrent layer whose weights are in the file, found none"
    }
  }
}

extension ProtocolMessage {
  /// Reads a message of a model; errors count from the file's beginning.
  init(reading bytes: ArraySlice<UInt8>) throws(ONNXError) {
    do throws(ArrayFileError) { try self.init(serialized: bytes) } catch {
      var why = "\(error)"
      if case .malformedHeader(let what) = error.problem, let place = error.byteOffset {
        why = "byte \(place): \(what)"
      }
      throw ONNXError(.malformed("expected protocol buffers of the message \(Self.self); \(why)"))
    }
  }
}
