// The wire format of protocol buffers: ONNX's models, TensorFlow's checkpoints, TensorBoard's events.
//
//   message     fields, each a tag (8 · number + wire type) and a value
//   wire type   0 varint   1 eight bytes   2 a length and so many bytes   5 four bytes
//
// A message states each of its fields once, in `visit`; that serves both reading and writing. The rules
// are the format's: of a value that is given twice the last holds, a message that is given twice is merged,
// repeated numbers may be packed or not, and fields that a message does not declare are skipped.
// Groups (wire types 3 and 4), which none of these files has, are refused.
//
// Source: https://protobuf.dev/programming-guides/encoding/

/// A message: a type whose fields have numbers.
package protocol ProtocolMessage: WireValue {
  /// Hands every field to a reader or a writer, in the order of their numbers.
  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure)
}

/// Reads or writes the fields of a message.
package protocol FieldVisitor {
  /// The error that stops it.
  associatedtype Failure: Error

  /// A value; zero is not written, nor would −0 be, so floating-point values are optional ones.
  mutating func field<Value: WireValue>(_ number: Int, _ value: inout Value) throws(Failure)

  /// A value that may be absent, which differs from zero.
  mutating func field<Value: WireValue>(_ number: Int, _ value: inout Value?) throws(Failure)

  /// Any number of values.
  mutating func field<Value: WireValue>(_ number: Int, _ values: inout [Value]) throws(Failure)
}

/// The layout of a value.
package enum WireType: UInt8, Sendable {
  case varint = 0
  case eightBytes = 1
  case counted = 2
  case fourBytes = 5
}

/// The type of a field's value.
package protocol WireValue: Equatable, Sendable {
  /// The value that is meant where a field is absent.
  init()

  static var wireType: WireType { get }

  /// Takes the place of `self`, or is merged into it.
  mutating func read(from reader: inout WireReader) throws(ArrayFileError)

  func write(to writer: inout WireWriter)

  /// Appends the numbers of a packed field.
  static func readPacked(
    into values: inout [Self], from reader: inout WireReader
  ) throws(ArrayFileError)
}

extension WireValue {
  package static func readPacked(
    into values: inout [Self], from reader: inout WireReader
  ) throws(ArrayFileError) {
    while reader.remaining > 0 {
      var value = Self()
      try value.read(from: &reader)
      values.append(value)
    }
  }
}

extension ProtocolMessage {
  package static var wireType: WireType { .counted }

  package mutating func read(from reader: inout WireReader) throws(ArrayFileError) {
    try reader.message(&self)
  }

  package func write(to writer: inout WireWriter) { writer.message(self) }

  /// Reads a message.
  ///
  /// - Parameter bytes: All of its bytes. Fields of bytes share them; errors count from their indices.
  /// - Throws: `ArrayFileError` if they are no such message, or would take far more memory than they are.
  package init(serialized bytes: ArraySlice<UInt8>) throws(ArrayFileError) {
    self.init()
    var reader = WireReader(bytes)
    try reader.fields(of: &self)
  }

  /// The number of bytes of `serialized()`.
  package var serializedCount: Int {
    var (writer, message) = (WireWriter(isCounting: true), self)
    message.visit(&writer)
    return writer.count
  }

  /// The message's bytes.
  package func serialized() -> [UInt8] {
    var (writer, message) = (WireWriter(isCounting: false), self)
    writer.reserve(serializedCount)
    message.visit(&writer)
    return writer.bytes
  }
}

/// Reads the fields of a message.
package struct WireReader: FieldVisitor {
  package typealias Failure = ArrayFileError

  /// The maximum nesting depth of messages.
  package static let depthLimit = 32

  private var reader: ByteReader
  /// The current field, until a message reads it.
  private var met: (number: Int, type: WireType)?
  private var messageType: Any.Type = Never.self
  private var depth = 0
  /// The number of bytes of memory that the values of repeated fields may still take.
  private var budget: Int

  init(_ bytes: ArraySlice<UInt8>) {
    reader = ByteReader(bytes)
    budget = expansionLimit(bytes.count)
  }

  /// The number of bytes left of the message, or of the packed field.
  var remaining: Int { reader.remaining }

  private func malformed(_ what: String, at position: Int? = nil) -> ArrayFileError {
    ArrayFileError(.malformedHeader(what), byteOffset: position ?? reader.position)
  }

  // MARK: Messages

  mutating func fields(of message: inout some ProtocolMessage) throws(ArrayFileError) {
    let outerType = messageType
    messageType = type(of: message)
    while reader.remaining > 0 {
      let type = try tag()
      try message.visit(&self)
      guard met != nil else { continue }
      met = nil
      switch type {
      case .varint: _ = try varint()
      case .eightBytes: _ = try reader.take(8)
      case .counted: _ = try counted()
      case .fourBytes: _ = try reader.take(4)
      }
    }
    messageType = outerType
  }

  /// Reads the next field's number and wire type.
  private mutating func tag() throws(ArrayFileError) -> WireType {
    let start = reader.position
    let tag = try varint()
    let (number, code) = (tag >> 3, UInt8(tag & 7))
    guard (1..<1 << 29).contains(number) else {
      throw malformed("\(messageType) has a field of number \(number)", at: start)
    }
    guard let type = WireType(rawValue: code) else {
      let kind = code == 3 || code == 4 ? "a group (wire type \(code))" : "of wire type \(code)"
      throw malformed("field \(number) of \(messageType) is \(kind)", at: start)
    }
    met = (Int(number), type)
    return type
  }

  mutating func message(_ message: inout some ProtocolMessage) throws(ArrayFileError) {
    guard depth < Self.depthLimit else {
      throw malformed("messages stand in messages, more than \(Self.depthLimit) deep")
    }
    let contents = try counted()
    let outer = reader
    (reader, depth) = (ByteReader(contents), depth + 1)
    try fields(of: &message)
    (reader, depth) = (outer, depth - 1)
  }

  // MARK: Fields

  /// Reads the current field if it has this number.
  private mutating func take(
    _ number: Int, _ expected: WireType, orPacked isPackable: Bool = false
  ) throws(ArrayFileError) -> WireType? {
    guard let (found, type) = met, found == number else { return nil }
    guard type == expected || isPackable && type == .counted else {
      throw malformed(
        "field \(number) of \(messageType): expected wire type \(expected.rawValue), found \(type.rawValue)"
      )
    }
    met = nil
    return type
  }

  package mutating func field<Value: WireValue>(
    _ number: Int, _ value: inout Value
  ) throws(ArrayFileError) {
    if try take(number, Value.wireType) != nil { try value.read(from: &self) }
  }

  package mutating func field<Value: WireValue>(
    _ number: Int, _ value: inout Value?
  ) throws(ArrayFileError) {
    guard try take(number, Value.wireType) != nil else { return }
    if value == nil { value = Value() }
    try value?.read(from: &self)
  }

  package mutating func field<Value: WireValue>(
    _ number: Int, _ values: inout [Value]
  ) throws(ArrayFileError) {
    let type = try take(number, Value.wireType, orPacked: true)
    if type == Value.wireType {
      // A growing array allocates up to twice the elements that it holds.
      try spend(2, Value.self)
      var value = Value()
      try value.read(from: &self)
      values.append(value)
    } else if type != nil {
      let contents = try counted()
      let count = Self.packedCount(contents, Value.wireType)
      try spend(count, Value.self)
      if values.isEmpty { values.reserveCapacity(count) }
      let outer = reader
      reader = ByteReader(contents)
      try Value.readPacked(into: &values, from: &self)
      reader = outer
    }
  }

  private static func packedCount(_ bytes: ArraySlice<UInt8>, _ type: WireType) -> Int {
    switch type {
    case .eightBytes: bytes.count / 8
    case .fourBytes: bytes.count / 4
    // The last byte of a varint has no high bit.
    case .varint, .counted: bytes.reduce(0) { $0 + ($1 < 0x80 ? 1 : 0) }
    }
  }

  private mutating func spend<Value>(_ count: Int, _ type: Value.Type) throws(ArrayFileError) {
    budget -= count * MemoryLayout<Value>.stride
    guard budget >= 0 else {
      throw malformed("values of \(messageType) that take far more memory than the file's size")
    }
  }

  // MARK: Values

  mutating func varint() throws(ArrayFileError) -> UInt64 { try Varint.decode(&reader) }

  /// The bytes after their number.
  mutating func counted() throws(ArrayFileError) -> ArraySlice<UInt8> {
    try reader.take(Varint.size(&reader))
  }

  mutating func bits<Bits: FixedWidthInteger & BitwiseCopyable>(
    _ type: Bits.Type
  ) throws(ArrayFileError) -> Bits {
    try reader.integer(type)
  }

  mutating func text() throws(ArrayFileError) -> String {
    let bytes = try counted()
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw malformed("expected text in UTF-8 in \(messageType)", at: bytes.startIndex)
    }
    return text
  }
}

/// Writes the fields of a message, or counts their bytes.
package struct WireWriter: FieldVisitor {
  package typealias Failure = Never

  private(set) var bytes: [UInt8] = []
  private(set) var count = 0
  private let isCounting: Bool

  init(isCounting: Bool) { self.isCounting = isCounting }

  mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }

  mutating func append(_ more: ArraySlice<UInt8>) {
    count += more.count
    if !isCounting { bytes.append(contentsOf: more) }
  }

  mutating func varint(_ value: UInt64) { append(Varint.encoded(value)[...]) }

  mutating func counted(_ contents: ArraySlice<UInt8>) {
    varint(UInt64(contents.count))
    append(contents)
  }

  mutating func bits(_ value: some FixedWidthInteger) {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: value)
    append(bytes[...])
  }

  mutating func message(_ message: some ProtocolMessage) {
    // Each message is counted once, however deep it is.
    let start = count
    if !isCounting { varint(UInt64(message.serializedCount)) }
    var message = message
    message.visit(&self)
    if isCounting { varint(UInt64(count - start)) }
  }

  private mutating func tag(_ number: Int, _ type: WireType) {
    varint(UInt64(number) << 3 | UInt64(type.rawValue))
  }

  // MARK: Fields

  package mutating func field<Value: WireValue>(_ number: Int, _ value: inout Value) {
    var present = value == Value() ? nil : value
    field(number, &present)
  }

  package mutating func field<Value: WireValue>(_ number: Int, _ value: inout Value?) {
    guard let value else { return }
    tag(number, Value.wireType)
    value.write(to: &self)
  }

  package mutating func field<Value: WireValue>(_ number: Int, _ values: inout [Value]) {
    guard !values.isEmpty else { return }
    guard Value.wireType != .counted else {
      for value in values {
        tag(number, .counted)
        value.write(to: &self)
      }
      return
    }
    var counter = WireWriter(isCounting: true)
    for value in values { value.write(to: &counter) }
    tag(number, .counted)
    varint(UInt64(counter.count))
    for value in values { value.write(to: &self) }
  }
}
