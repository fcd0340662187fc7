// NumPy's .npy: a magic string, a version, and a Python dictionary that describes the bytes after
// it. Read: versions 1 to 3, any numeric type, both byte orders, C and Fortran order. Written:
// version 1, little-endian, C order.
//
// Source: NumPy enhancement proposal 1, and `numpy.lib.format`.

/// NumPy's `.npy` format.
public enum NPY {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// The maximum length of a header; a longer one is refused before it is read.
  private static let headerLimit = 1 << 16

  /// Decodes one array.
  ///
  /// - Throws: `ArrayFileError` for bytes that are not a whole `.npy` file of numbers.
  public static func decode(_ bytes: ArraySlice<UInt8>) throws(ArrayFileError) -> StoredArray {
    switch try contents(of: bytes) {
    case .array(let array): return array
    case .other(let descriptor, _): throw ArrayFileError(.unsupportedElementType(descriptor))
    }
  }

  /// The contents of a `.npy` file.
  enum Contents {
    case array(StoredArray)
    /// Elements of an unsupported type: NumPy's name of the type, and a description.
    case other(descriptor: String, SkippedValue)
  }

  /// Decodes one array, or says what it is if its elements are text, objects, dates and so on.
  ///
  /// - Throws: `ArrayFileError` for bytes that are not a whole `.npy` file.
  static func contents(of bytes: ArraySlice<UInt8>) throws(ArrayFileError) -> Contents {
    var reader = ByteReader(bytes)
    guard bytes.starts(with: magic) else {
      throw ArrayFileError(.foreign(expected: "the magic string of a .npy file"), byteOffset: 0)
    }
    _ = try reader.take(magic.count)
    let major = try reader.integer(UInt8.self)
    _ = try reader.integer(UInt8.self)
    guard (1...3).contains(major) else {
      throw ArrayFileError(.malformedHeader("version \(major), expected 1 to 3"))
    }
    let length =
      major == 1
      ? Int(try reader.integer(UInt16.self)) : Int(try reader.integer(UInt32.self))
    guard length <= headerLimit else {
      throw ArrayFileError(
        .malformedHeader("\(length) bytes long, expected at most \(headerLimit)"))
    }
    let header = try Header(String(decoding: try reader.take(length), as: UTF8.self))
    if let descriptor = header.unsupported {
      return .other(
        descriptor: descriptor, SkippedValue(kind: kind(of: descriptor), shape: header.shape))
    }
    let byteCount = try header.byteCount()
    let data = try reader.take(byteCount)
    guard reader.remaining == 0 else {
      throw ArrayFileError(
        .malformedHeader("promises \(byteCount) bytes of data, but \(reader.remaining) more follow")
      )
    }
    return .array(header.array(from: Array(data)))
  }

  /// Encodes one array; bfloat16, which NumPy does not have, as float32.
  public static func encode(_ array: StoredArray) -> [UInt8] {
    let array = array.numPyArray
    let shape = array.shape.map(String.init).joined(separator: ", ")
    let comma = array.shape.count == 1 ? "," : ""
    var header =
      "{'descr': '\(descriptor(array.elementType))', 'fortran_order': False, 'shape': (\(shape)\(comma)), }"
    // The data begin at a multiple of 64.
    let length = magic.count + 4 + header.utf8.count + 1
    header += String(repeating: " ", count: (64 - length % 64) % 64) + "\n"
    var bytes = magic + [1, 0]
    bytes.append(littleEndian: UInt16(header.utf8.count))
    bytes += Array(header.utf8)
    return bytes + array.bytes
  }

  private static func descriptor(_ type: ElementType) -> String {
    switch type {
    case .bool: "|b1"
    case .int8: "|i1"
    case .uint8: "|u1"
    case .int16: "<i2"
    case .int32: "<i4"
    case .int64: "<i8"
    case .uint16: "<u2"
    case .uint32: "<u4"
    case .uint64: "<u8"
    case .float16: "<f2"
    case .float32, .bfloat16: "<f4"
    case .float64: "<f8"
    }
  }

  /// A description of an element type that is not read.
  private static func kind(of descriptor: String) -> String {
    let letter = descriptor.first { $0.isLetter || $0 == "[" }
    let word =
      switch letter {
      case "U", "S", "a": "text"
      case "O": "Python objects"
      case "c": "complex numbers"
      case "M", "m": "dates or durations"
      case "V", "[": "records"
      default: "numbers of another type"
      }
    return letter == "[" ? word : "\(word) (\(descriptor.prefix(24)))"
  }

  /// The entries of the dictionary.
  private struct Header {
    var elementType: ElementType
    /// NumPy's name of the type if it is not read.
    var unsupported: String?
    var isBigEndian: Bool
    var isFortranOrder: Bool
    var shape: [Int]

    init(_ text: String) throws(ArrayFileError) {
      func field(_ name: String) throws(ArrayFileError) -> Substring {
        guard let range = text.firstRange(of: "'\(name)':") else {
          throw ArrayFileError(.malformedHeader("no field '\(name)'"))
        }
        return text[range.upperBound...].drop { $0 == " " }
      }
      let descr = try field("descr")
      (elementType, isBigEndian) = (.uint8, false)
      if descr.first == "'", let end = descr.dropFirst().firstIndex(of: "'") {
        let name = descr[descr.index(after: descr.startIndex)..<end]
        let type = ElementType.allCases.first {
          NPY.descriptor($0).dropFirst() == name.dropFirst()
        }
        if let order = name.first, "<>|=".contains(order), let type {
          (elementType, isBigEndian) = (type, order == ">")
        } else {
          unsupported = String(name)
        }
      } else {
        unsupported = String(descr.prefix(40))
      }

      let fortran = try field("fortran_order")
      guard fortran.hasPrefix("True") || fortran.hasPrefix("False") else {
        throw ArrayFileError(.malformedHeader("'fortran_order' is neither True nor False"))
      }
      isFortranOrder = fortran.hasPrefix("True")

      let tuple = try field("shape")
      guard tuple.first == "(", let close = tuple.firstIndex(of: ")") else {
        throw ArrayFileError(.malformedHeader("'shape' is no tuple"))
      }
      shape = []
      for part in tuple[tuple.index(after: tuple.startIndex)..<close].split(separator: ",") {
        let digits = part.filter { $0 != " " }
        if digits.isEmpty { continue }
        guard let size = Int(digits), size >= 0 else {
          throw ArrayFileError(.malformedHeader("'shape' holds '\(digits)'"))
        }
        shape.append(size)
      }
      guard shape.count <= 32 else {
        throw ArrayFileError(.malformedHeader("\(shape.count) axes, expected at most 32"))
      }
    }

    /// The size of the data, or an error where the shape overflows.
    func byteCount() throws(ArrayFileError) -> Int {
      guard let count = elementType.byteCount(of: shape) else {
        throw ArrayFileError(.malformedHeader("the shape \(shape) has too many elements"))
      }
      return count
    }

    func array(from data: [UInt8]) -> StoredArray {
      var bytes = data
      let size = elementType.byteCount
      if isBigEndian, size > 1 {
        for start in stride(from: 0, to: bytes.count, by: size) {
          bytes[start..<start + size].reverse()
        }
      }
      if isFortranOrder, shape.count > 1 { bytes = rowMajor(bytes) }
      return StoredArray(elementType: elementType, shape: shape, bytes: bytes)
    }

    private func rowMajor(_ source: [UInt8]) -> [UInt8] {
      let size = elementType.byteCount
      var result = [UInt8](repeating: 0, count: source.count)
      var indices = [Int](repeating: 0, count: shape.count)
      for position in 0..<source.count / size {
        var offset = 0
        for axis in shape.indices.reversed() { offset = offset * shape[axis] + indices[axis] }
        for byte in 0..<size { result[position * size + byte] = source[offset * size + byte] }
        for axis in shape.indices.reversed() {
          indices[axis] += 1
          if indices[axis] < shape[axis] { break }
          indices[axis] = 0
        }
      }
      return result
    }
  }
}
