/// A value of a file that is not read: an array of an unsupported type, or an object that is not an array.
public struct SkippedValue: Sendable, Equatable {
  /// The element type or the class, such as `complex64`, `text (<U2)` or `argparse.Namespace`.
  public var kind: String
  /// The shape, if it is an array; nil for other objects.
  public var shape: [Int]?

  /// Creates a description.
  public init(kind: String, shape: [Int]? = nil) {
    (self.kind, self.shape) = (kind, shape)
  }

  /// The kind, and the shape where there is one.
  public var signature: String {
    guard let shape else { return kind }
    return "\(kind)[\(shape.map(String.init).joined(separator: ","))]"
  }
}
