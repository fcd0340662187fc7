// An array as a file holds it: a type, a shape, and little-endian bytes in row-major order.

public import Unroll
internal import UnrollContracts

/// The element types that array files hold.
public enum ElementType: String, Sendable, CaseIterable {
  /// True or false, one byte each.
  case bool
  /// Signed and unsigned integers.
  case int8, int16, int32, int64, uint8, uint16, uint32, uint64
  /// IEEE floating point.
  case float16, float32, float64
  /// The upper half of a float32.
  case bfloat16

  /// The size of one element.
  public var byteCount: Int {
    switch self {
    case .bool, .int8, .uint8: 1
    case .int16, .uint16, .float16, .bfloat16: 2
    case .int32, .uint32, .float32: 4
    case .int64, .uint64, .float64: 8
    }
  }
}

extension ElementType {
  /// The number of bytes of an array whose shape comes from a file; nil if no file could hold it.
  ///
  /// The product of the other axes must not overflow, even if an axis has size 0.
  func byteCount(of shape: [Int]) -> Int? {
    var count = byteCount
    for axis in shape where axis != 0 {
      let (product, overflow) = count.multipliedReportingOverflow(by: axis)
      guard axis > 0, !overflow, product <= 1 << 50 else { return nil }
      count = product
    }
    return shape.contains(0) ? 0 : count
  }
}

/// An array of numbers with the type that its file gave it.
public struct StoredArray: Sendable {
  /// The elements' type.
  public let elementType: ElementType
  /// The size of each axis, outermost first; empty for a single number.
  public let shape: [Int]
  private let contents: Contents

  /// The place of the elements.
  private enum Contents: Sendable {
    case held([UInt8])
    case mapped(MappedFile, offset: Int)
  }

  /// Creates an array from its bytes.
  ///
  /// - Precondition: There are as many bytes as type and shape demand.
  public init(elementType: ElementType, shape: [Int], bytes: [UInt8]) {
    require(
      elementType.byteCount(of: shape) == bytes.count,
      "StoredArray.init: expected bytes for \(shape) of \(elementType), got \(bytes.count).")
    self.elementType = elementType
    self.shape = shape
    contents = .held(bytes)
  }

  /// An array in a mapped file, which is not read yet.
  ///
  /// - Precondition: The file has all of its bytes.
  init(elementType: ElementType, shape: [Int], in file: MappedFile, offset: Int) {
    require(
      offset >= 0
        && offset + shape.reduce(1, *) * elementType.byteCount <= file.bytes.count,
      "StoredArray.init: expected an array within the file.")
    self.elementType = elementType
    self.shape = shape
    contents = .mapped(file, offset: offset)
  }

  /// The elements, little-endian, row-major; of an array in a mapped file a copy.
  public var bytes: [UInt8] {
    if case .held(let bytes) = contents { return bytes }
    return withUnsafeBytes { Array($0) }
  }

  /// The number of bytes.
  public var byteCount: Int { count * elementType.byteCount }

  /// Calls `body` with the elements' bytes where they are.
  package func withUnsafeBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    switch contents {
    case .held(let bytes): try bytes.withUnsafeBytes(body)
    case .mapped(let file, let offset):
      try withExtendedLifetime(file) {
        try body(UnsafeRawBufferPointer(rebasing: file.bytes[offset..<offset + byteCount]))
      }
    }
  }

  /// Creates an array from a tensor.
  public init<Scalar: KernelScalar>(_ tensor: Tensor<Scalar>) {
    let isDouble = Scalar.self == Double.self
    let byteCount = tensor.count * MemoryLayout<Scalar>.stride
    var bytes = tensor.withUnsafeElements {
      Array(UnsafeRawBufferPointer(start: $0, count: byteCount))
    }
    if 1.littleEndian != 1 { bytes.reverseEach(isDouble ? 8 : 4) }
    self.init(elementType: isDouble ? .float64 : .float32, shape: tensor.shape, bytes: bytes)
  }

  /// Creates an array of 64-bit integers with one axis.
  public init(_ integers: [Int]) {
    var bytes: [UInt8] = []
    for integer in integers { bytes.append(littleEndian: UInt64(bitPattern: Int64(integer))) }
    self.init(elementType: .int64, shape: [integers.count], bytes: bytes)
  }

  /// The number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// The type and shape, such as `float32[2,3]`.
  public var signature: String {
    "\(elementType.rawValue)[\(shape.map(String.init).joined(separator: ","))]"
  }

  /// The numbers as a tensor, rounded to its type where they do not fit.
  public func tensor<Scalar: KernelScalar>(of type: Scalar.Type) -> Tensor<Scalar> {
    let own: ElementType = Scalar.self == Double.self ? .float64 : .float32
    if elementType == own && 1.littleEndian == 1 {
      var result = Tensor<Scalar>(shape: shape)
      result.withUnsafeMutableElements {
        let target = UnsafeMutableRawBufferPointer(start: $0, count: byteCount)
        withUnsafeBytes { target.copyMemory(from: $0) }
      }
      return result
    }
    return withUnsafeBytes { bytes in
      Tensor(shape: shape, elements: (0..<count).map { Scalar(number(at: $0, bytes)) })
    }
  }

  /// The numbers as integers.
  ///
  /// - Throws: `ArrayFileError` if the elements are floating-point, or too large for `Int`.
  public func integers() throws(ArrayFileError) -> [Int] {
    switch elementType {
    case .float16, .float32, .float64, .bfloat16:
      throw ArrayFileError(.wrongElementType(expected: "integers", found: elementType.rawValue))
    default: break
    }
    var result: [Int] = []
    result.reserveCapacity(count)
    let bytes = bytes
    for index in 0..<count {
      let word = bytes.withUnsafeBytes { self.word(at: index, $0) }
      switch elementType {
      case .int8: result.append(Int(Int8(truncatingIfNeeded: word)))
      case .int16: result.append(Int(Int16(truncatingIfNeeded: word)))
      case .int32: result.append(Int(Int32(truncatingIfNeeded: word)))
      case .int64: result.append(Int(Int64(bitPattern: word)))
      default:
        guard let value = Int(exactly: word) else {
          throw ArrayFileError(
            .wrongElementType(expected: "integers below 2^63", found: "\(word)"))
        }
        result.append(value)
      }
    }
    return result
  }

  /// The same numbers in a type that NumPy has: float32 for bfloat16, exactly.
  package var numPyArray: StoredArray {
    guard elementType == .bfloat16 else { return self }
    let bytes = bytes
    var wide = [UInt8](repeating: 0, count: 2 * bytes.count)
    for index in 0..<count {
      wide[4 * index + 2] = bytes[2 * index]
      wide[4 * index + 3] = bytes[2 * index + 1]
    }
    return StoredArray(elementType: .float32, shape: shape, bytes: wide)
  }

  /// One element as a double; exact but for integers beyond 2⁵³.
  private func number(at index: Int, _ bytes: UnsafeRawBufferPointer) -> Double {
    let word = word(at: index, bytes)
    switch elementType {
    case .float64: return Double(bitPattern: word)
    case .float32: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: word)))
    case .bfloat16: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: word) << 16))
    case .float16: return double(half: UInt16(truncatingIfNeeded: word))
    case .int8: return Double(Int8(truncatingIfNeeded: word))
    case .int16: return Double(Int16(truncatingIfNeeded: word))
    case .int32: return Double(Int32(truncatingIfNeeded: word))
    case .int64: return Double(Int64(bitPattern: word))
    case .bool, .uint8, .uint16, .uint32, .uint64: return Double(word)
    }
  }

  private func word(at index: Int, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let size = elementType.byteCount
    var word: UInt64 = 0
    for byte in (0..<size).reversed() { word = word << 8 | UInt64(bytes[index * size + byte]) }
    return word
  }

  /// A half-precision number from its bits (`Float16` is not on every platform).
  private func double(half bits: UInt16) -> Double {
    let sign: Double = bits >> 15 == 1 ? -1 : 1
    let (exponent, fraction) = (Int(bits >> 10 & 0x1F), Double(bits & 0x3FF))
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default:
      return sign * (1 + fraction / 1024)
        * Double(sign: .plus, exponent: exponent - 15, significand: 1)
    }
  }
}

extension StoredArray: Equatable {
  /// The same type, shape and bytes.
  public static func == (a: StoredArray, b: StoredArray) -> Bool {
    a.elementType == b.elementType && a.shape == b.shape
      && a.withUnsafeBytes { a in b.withUnsafeBytes { b in a.elementsEqual(b) } }
  }
}

extension [UInt8] {
  /// Reverses every run of `size` bytes.
  mutating func reverseEach(_ size: Int) {
    for start in stride(from: 0, to: count, by: size) { self[start..<start + size].reverse() }
  }

  /// Appends an integer's bytes, least significant first.
  package mutating func append(littleEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
