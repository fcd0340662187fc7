// The values of a pickle once it has been read: plain values, tensors, and objects that are known by the
// name of their class only.

/// A value of a pickle.
enum PickleValue {
  case none
  case bool(Bool)
  case integer(Int)
  /// An integer beyond 64 bits: two's complement, least significant byte first.
  case large([UInt8])
  case real(Double)
  case text(String)
  /// A byte string, by its length.
  case bytes(Int)
  case tuple(PickleTuple)
  /// A list, dictionary or object, by its place in the machine's heap: it may still grow.
  case list(Int)
  case dictionary(Int)
  case object(Int)
  /// A class or function by module and name.
  case name(String)
  case storage(TorchStorage)
  case tensor(TorchTensor)
}

/// A sequence of values, and the nesting depth of its tuples, because nested values are released recursively.
struct PickleTuple {
  let parts: [PickleValue]
  let depth: Int

  init(_ parts: [PickleValue]) throws(ArrayFileError) {
    self.parts = parts
    depth = parts.reduce(1) { deepest, part in
      if case .tuple(let inner) = part { max(deepest, inner.depth + 1) } else { deepest }
    }
    guard depth <= 64 else {
      throw ArrayFileError(.malformedHeader("the pickle has tuples in tuples without end"))
    }
  }
}

/// An instance of a class that the machine does not make: nothing of that class runs.
struct PickleObject {
  /// The class, or the function that would have made the object.
  var name: String
  /// The shape, if the object is a tensor of a kind that is not read.
  var shape: [Int]?
  /// The contents of a subclass of a dictionary or list, as places in the machine's heap.
  var dictionary: Int?
  var list: Int?
  /// Whether it is an `nn.Module`.
  var isModule = false
}

/// PyTorch's element type, also of the kinds that are not read.
struct TorchType {
  /// PyTorch's name, such as `float8_e4m3fn`.
  var name: String
  /// The same type here; nil: not read.
  var element: ElementType? { ElementType(rawValue: name) }
  /// The bytes of one element.
  var byteCount: Int

  /// The type of a name behind `torch.`; nil if the name is none.
  init?(dtype name: String) {
    let known: [String: Int] = [
      "complex32": 4, "complex64": 8, "complex128": 16, "quint8": 1, "qint8": 1, "qint32": 4,
      "quint4x2": 1, "quint2x4": 1,
    ]
    if let type = ElementType(rawValue: name) {
      self.init(name: name, byteCount: type.byteCount)
    } else if let count = known[name] {
      self.init(name: name, byteCount: count)
    } else if name.hasPrefix("float8") || name.hasPrefix("float4") || name.hasPrefix("uint")
      || name.hasPrefix("int") || name.hasPrefix("bits")
    {
      // Types of 8 bits or fewer, of which PyTorch makes more in each version.
      self.init(name: name, byteCount: 1)
    } else {
      return nil
    }
  }

  /// The type of a storage's class, such as `FloatStorage`; nil if the class is none.
  init?(storage name: String) {
    let known = [
      "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
      "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
      "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
      "BoolStorage": "bool", "UntypedStorage": "uint8", "_UntypedStorage": "uint8",
      "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128",
      "QUInt8Storage": "quint8", "QInt8Storage": "qint8", "QInt32Storage": "qint32",
      "QUInt4x2Storage": "quint4x2", "QUInt2x4Storage": "quint2x4",
    ]
    guard let dtype = known[name] else { return nil }
    self.init(dtype: dtype)
  }

  private init(name: String, byteCount: Int) {
    (self.name, self.byteCount) = (name, byteCount)
  }
}

/// A tensor's memory: a member of the archive, or a part of one.
final class TorchStorage {
  let key: String
  let type: TorchType
  /// The elements of the whole memory, and which of them this storage may use.
  let count: Int
  let range: Range<Int>

  init(key: String, type: TorchType, count: Int, range: Range<Int>) {
    (self.key, self.type, self.count, self.range) = (key, type, count, range)
  }
}

/// A view of a storage.
final class TorchTensor {
  let storage: TorchStorage
  let type: TorchType
  let offset: Int
  let shape: [Int]
  let strides: [Int]
  /// Why its numbers are not what the memory holds: negated or conjugated.
  let obstacle: String?

  init(
    storage: TorchStorage, type: TorchType, offset: Int, shape: [Int], strides: [Int],
    obstacle: String?
  ) {
    (self.storage, self.type, self.offset) = (storage, type, offset)
    (self.shape, self.strides, self.obstacle) = (shape, strides, obstacle)
  }
}
