// The types of the fields of protocol buffer messages, named by the Swift type: `int64`, `int32` and `uint64`
// are varints, `fixed32`, `float` and `double` stand as they are, `string` and `bytes` have their length before
// them.

extension Int64: WireValue {
  package static var wireType: WireType { .varint }

  package mutating func read(from reader: inout WireReader) throws(ArrayFileError) {
    self = Int64(bitPattern: try reader.varint())
  }

  package func write(to writer: inout WireWriter) { writer.varint(UInt64(bitPattern: self)) }
}

/// An `int32` or an enumeration: 64 bits on the wire, of which the lower half counts.
extension Int32: WireValue {
  package static var wireType: WireType { .varint }

  package mutating func read(from reader: inout WireReader) throws(ArrayFileError) {
    self = Int32(truncatingIfNeeded: try reader.varint())
  }

  package func write(to writer: inout WireWriter) {
    writer.varint(UInt64(bitPattern: Int64(self)))
  }
}

extension UInt64: WireValue {
  package static var wireType: WireType { .varint }

  package mutating func read(from reader: inout WireReader) throws(ArrayFileError) {
    self = try reader.varint()
  }

  package func write(to writer: inout WireWriter) { writer.varint(self) }
}

/// A `fixed32`.
extension UInt32: WireValue {
  package static var wireType: WireType { .fourBytes }

  package mutating func read(from reader: inout WireReader) throws(ArrayFileError) {
    self = try reader.bits(UInt32.self)
  }

  package func write(to writer: inout WireWriter) { writer.bits(self) }
}

extension Float: WireValue {
  package static var wireType: WireType { .fourBytes }

  package mutating func read(from reader: inout WireReader) throws(ArrayFileError) {
    self = Float(bitPattern: try reader.bits(UInt32.self))
  }

  package func write(to writer: inout WireWriter) { writer.bits(bitPattern) }
}

extension Double: WireValue {
  package static var wireType: WireType { .eightBytes }

  package mutating func read(from reader: inout WireReader) throws(ArrayFileError) {
    self = Double(bitPattern: try reader.bits(UInt64.self))
  }

  package func write(to writer: inout WireWriter) { writer.bits(bitPattern) }
}

extension String: WireValue {
  package static var wireType: WireType { .counted }

  package mutating func read(from reader: inout WireReader) throws(ArrayFileError) {
    self = try reader.text()
  }

  package func write(to writer: inout WireWriter) { writer.counted(ArraySlice(utf8)) }
}

/// A field of `bytes`, which shares the bytes of the file.
extension ArraySlice<UInt8>: WireValue {
  package static var wireType: WireType { .counted }

  package mutating func read(from reader: inout WireReader) throws(ArrayFileError) {
    self = try reader.counted()
  }

  package func write(to writer: inout WireWriter) { writer.counted(self) }
}

/// A message that is kept as its bytes, and read by those who need it.
package struct UnreadMessage: WireValue {
  /// The message's bytes.
  package var bytes: ArraySlice<UInt8>

  package static var wireType: WireType { .counted }

  package init() { bytes = [] }

  /// Keeps a message.
  package init(_ message: some ProtocolMessage) { bytes = message.serialized()[...] }

  package mutating func read(from reader: inout WireReader) throws(ArrayFileError) {
    // Messages one after another are the message into which they merge.
    let more = try reader.counted()
    if bytes.isEmpty { bytes = more } else { bytes += more }
  }

  package func write(to writer: inout WireWriter) { writer.counted(bytes) }
}
