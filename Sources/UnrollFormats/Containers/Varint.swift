/// Integers in groups of seven bits, the lowest first; the tables of sorted keys and protocol buffers have them.
package enum Varint {
  package static func encoded(_ value: UInt64) -> [UInt8] {
    var (left, bytes) = (value, [UInt8]())
    while left >= 0x80 {
      bytes.append(UInt8(left & 0x7F) | 0x80)
      left >>= 7
    }
    return bytes + [UInt8(left)]
  }

  static func decode(_ reader: inout ByteReader) throws(ArrayFileError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      let byte = try reader.byte()
      value |= UInt64(byte & 0x7F) << shift
      // The tenth byte holds the last bit.
      if byte < (shift < 63 ? 0x80 : 2) { return value }
    }
    throw ArrayFileError(
      .malformedHeader("an integer of more than 64 bits"), byteOffset: reader.position)
  }

  /// An integer that counts bytes.
  static func size(_ reader: inout ByteReader) throws(ArrayFileError) -> Int {
    let value = try decode(&reader)
    guard let size = Int(exactly: value) else {
      throw ArrayFileError(.malformedHeader("a size of \(value)"), byteOffset: reader.position)
    }
    return size
  }
}
