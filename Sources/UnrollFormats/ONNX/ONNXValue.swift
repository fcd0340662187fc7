public import Unroll

/// A value in a graph: floating-point numbers, or integers (and truth values, as 0 and 1).
public enum ONNXValue<Scalar: KernelScalar>: Sendable {
  /// Floating-point numbers, in the precision that the graph runs in.
  case real(NDArray<Scalar>)
  /// Integers.
  case integers(NDArray<Int>)

  /// A tensor's numbers.
  public init(_ tensor: Tensor<Scalar>) {
    self = .real(NDArray(shape: tensor.shape, elements: tensor.elements))
  }

  /// The size of each axis.
  public var shape: [Int] {
    switch self {
    case .real(let array): array.shape
    case .integers(let array): array.shape
    }
  }

  /// The number of elements.
  var count: Int { shape.reduce(1, *) }

  /// The numbers as a tensor; nil for integers.
  public var tensor: Tensor<Scalar>? {
    guard case .real(let array) = self else { return nil }
    return Tensor(shape: array.shape, elements: array.elements)
  }

  /// The numbers in another shape or order.
  func rearranged(_ rearrangement: Rearrangement) throws(ONNXError) -> ONNXValue {
    switch self {
    case .real(let array): .real(try array.rearranged(rearrangement))
    case .integers(let array): .integers(try array.rearranged(rearrangement))
    }
  }
}

/// `TensorProto.DataType`.
package enum ONNXType: Int32 {
  case float = 1, uint8 = 2, int8 = 3, uint16 = 4, int16 = 5, int32 = 6, int64 = 7, bool = 9
  case float16 = 10, double = 11, uint32 = 12, uint64 = 13, bfloat16 = 16

  package var elementType: ElementType {
    switch self {
    case .float: .float32
    case .uint8: .uint8
    case .int8: .int8
    case .uint16: .uint16
    case .int16: .int16
    case .int32: .int32
    case .int64: .int64
    case .bool: .bool
    case .float16: .float16
    case .double: .float64
    case .uint32: .uint32
    case .uint64: .uint64
    case .bfloat16: .bfloat16
    }
  }

  package var isReal: Bool { [.float, .double, .float16, .bfloat16].contains(self) }

  /// The nearest number of this type of reals, the even one of two; infinite beyond its range.
  package func rounded<Scalar: KernelScalar>(_ number: Scalar) -> Scalar {
    let (bits, lowestExponent, largest): (Int, Int, Double)
    switch self {
    case .float16: (bits, lowestExponent, largest) = (11, -14, 65504)
    case .bfloat16: (bits, lowestExponent, largest) = (8, -126, 0x1.FEp127)
    case .float: return Scalar(Float(number))
    default: return number
    }
    guard number.isFinite, number != 0 else { return number }
    let exponent = max(Int(number.exponent), lowestExponent) - (bits - 1)
    let unit = Double(sign: .plus, exponent: exponent, significand: 1)
    let rounded = (Double(number) / unit).rounded(.toNearestOrEven) * unit
    return Scalar(rounded.magnitude > largest ? .infinity * rounded : rounded)
  }
}

extension TensorProto {
  /// An estimate of the largest number of elements.
  package var byteCount: Int {
    (rawData?.count ?? 0) + floatData.count + int32Data.count + int64Data.count + doubleData.count
  }
}

extension ONNXValue {
  /// The tensor of an attribute.
  init(attribute: AttributeProto) throws(ONNXError) {
    guard let data = attribute.t else {
      throw ONNXError(.malformed("expected a tensor as the attribute '\(attribute.name)'"))
    }
    self = try ONNXValue(data)
  }

  /// Takes a tensor out of a model.
  init(_ data: TensorProto) throws(ONNXError) {
    let name = data.name
    guard !data.isExternal else {
      throw ONNXError(
        .unsupported(
          "'\(name)' in a file of its own (external data), where the model is not read from a file,"
        ))
    }
    guard let type = ONNXType(rawValue: data.dataType) else {
      throw ONNXError(.unsupported("'\(name)' of data type \(data.dataType)"))
    }
    let shape = data.dims.map { Int($0) }
    let count = try NDArray<Int>.count(shape)
    func wrong(_ found: Int) -> ONNXError {
      ONNXError(.malformed("'\(name)' of shape \(shape) has \(found) numbers"))
    }
    if let bytes = data.rawData {
      let size = type.elementType.byteCount
      guard bytes.count == count * size else { throw wrong(bytes.count / size) }
      let stored = StoredArray(elementType: type.elementType, shape: shape, bytes: Array(bytes))
      if type.isReal {
        self = .real(NDArray(shape: shape, elements: stored.tensor(of: Scalar.self).elements))
      } else {
        do { self = .integers(NDArray(shape: shape, elements: try stored.integers())) } catch {
          throw ONNXError(.malformed("'\(name)': \(error)"))
        }
      }
      return
    }
    switch type {
    case .float:
      guard data.floatData.count == count else { throw wrong(data.floatData.count) }
      self = .real(NDArray(shape: shape, elements: data.floatData.map { Scalar(Double($0)) }))
    case .double:
      guard data.doubleData.count == count else { throw wrong(data.doubleData.count) }
      self = .real(NDArray(shape: shape, elements: data.doubleData.map { Scalar($0) }))
    case .int64:
      guard data.int64Data.count == count else { throw wrong(data.int64Data.count) }
      self = .integers(NDArray(shape: shape, elements: data.int64Data.map { Int($0) }))
    case .int32, .int16, .int8, .uint16, .uint8, .bool:
      guard data.int32Data.count == count else { throw wrong(data.int32Data.count) }
      self = .integers(NDArray(shape: shape, elements: data.int32Data.map { Int($0) }))
    case .uint32, .uint64, .float16, .bfloat16:
      throw ONNXError(.unsupported("'\(name)' of data type \(data.dataType) without raw data"))
    }
  }

  /// Reads a tensor from a file of its own, such as those of onnx's tests.
  ///
  /// - Throws: `ONNXError` for bytes that are no `TensorProto`.
  public init(tensor bytes: [UInt8]) throws(ONNXError) {
    self = try ONNXValue(TensorProto(reading: bytes[...]))
  }

  /// Puts a tensor into a model.
  package func data(named name: String) -> TensorProto {
    var data = TensorProto()
    data.name = name
    data.dims = shape.map { Int64($0) }
    switch self {
    case .real(let array):
      let isDouble = Scalar.self == Double.self
      data.dataType = (isDouble ? ONNXType.double : .float).rawValue
      let tensor = Tensor(shape: array.shape, elements: array.elements)
      data.rawData = StoredArray(tensor).bytes[...]
    case .integers(let array):
      data.dataType = ONNXType.int64.rawValue
      data.rawData = StoredArray(array.elements).bytes[...]
    }
    return data
  }
}
