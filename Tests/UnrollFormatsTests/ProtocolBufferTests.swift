// The wire format of protocol buffers: reading, writing and refusals.

import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

/// A message of all kinds of fields.
private struct Everything: ProtocolMessage {
  var wide: Int64 = 0
  var narrow: Int32 = 0
  var unsigned: UInt64 = 0
  var text = ""
  var fixed: UInt32?
  var single: Float?
  var double: Double?
  var bytes: ArraySlice<UInt8>?
  var part = Part()
  var unread: UnreadMessage?
  var wides: [Int64] = []
  var narrows: [Int32] = []
  var singles: [Float] = []
  var doubles: [Double] = []
  var texts: [String] = []
  var parts: [Part] = []

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &wide)
    try fields.field(2, &narrow)
    try fields.field(3, &unsigned)
    try fields.field(4, &text)
    try fields.field(5, &fixed)
    try fields.field(6, &single)
    try fields.field(7, &double)
    try fields.field(8, &bytes)
    try fields.field(9, &part)
    try fields.field(10, &unread)
    try fields.field(11, &wides)
    try fields.field(12, &narrows)
    try fields.field(13, &singles)
    try fields.field(14, &doubles)
    try fields.field(15, &texts)
    try fields.field(16, &parts)
  }
}

/// A message that holds its like.
private struct Part: ProtocolMessage {
  var name = ""
  var number: Int64?
  var parts: [Part] = []

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &name)
    try fields.field(2, &number)
    try fields.field(3, &parts)
  }
}

@Suite("Protocol buffers")
struct ProtocolBufferTests {
  private func read(_ bytes: [UInt8]) throws -> Everything {
    try Everything(serialized: bytes[...])
  }

  private func refusal(_ bytes: [UInt8]) -> String {
    let error = #expect(throws: ArrayFileError.self) { _ = try read(bytes) }
    return error?.description ?? "accepted"
  }

  @Test("A message of all kinds of fields comes back as it was, at the ends of every range")
  func roundTrip() throws {
    var message = Everything(
      wide: .min, narrow: .min, unsigned: .max, text: "čas → 時", fixed: .max, single: -0.0,
      double: .infinity, bytes: [0, 255], part: Part(name: "p", number: 0),
      unread: UnreadMessage(Part(name: "u")))
    message.wides = [0, 1, -1, .max, .min, 127, 128, 300]
    message.narrows = [0, .max, .min]
    message.singles = [1, -0.0, .greatestFiniteMagnitude]
    message.doubles = [1, .leastNonzeroMagnitude]
    message.texts = ["", "a", ""]
    message.parts = [Part(), Part(name: "q", parts: [Part(number: -1), Part()])]
    let again = try read(message.serialized())
    #expect(again == message)
    #expect(again.single?.sign == .minus && again.singles[1].sign == .minus)
    #expect(message.serialized().count == message.serializedCount)
    #expect(Everything().serialized().isEmpty)
  }

  @Test("The bytes are the format's: tags, varints, lengths and packed numbers")
  func layout() {
    var message = Everything(wide: 300, narrow: -2, text: "ab", single: 1)
    message.wides = [1, 300]
    message.parts = [Part(number: 0)]
    #expect(
      message.serialized() == [
        0x08, 0xAC, 0x02, 0x10, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01,
        0x22, 2, 0x61, 0x62, 0x35, 0, 0, 0x80, 0x3F, 0x5A, 3, 1, 0xAC, 0x02, 0x82, 0x01, 2, 0x10, 0,
      ])
  }

  @Test("Of a value that is given twice the last holds; a message that is given twice is merged")
  func repeats() throws {
    #expect(try read([8, 1, 8, 2]).wide == 2)
    #expect(try read([34, 1, 0x61, 34, 0]).text == "")
    #expect(try read([66, 1, 7, 66, 1, 8]).bytes == [8])
    // part: {name "a"}, then {number 5}; {name "b"} twice.
    let merged = try read([74, 3, 10, 1, 0x61, 74, 2, 16, 5]).part
    #expect(merged == Part(name: "a", number: 5))
    let unread = try read([82, 3, 10, 1, 0x61, 82, 2, 16, 5]).unread
    #expect(try Part(serialized: #require(unread).bytes) == merged)
    // The lower half of an int32 counts.
    #expect(try read([16, 0x85, 0x80, 0x80, 0x80, 0x10]).narrow == 5)
  }

  @Test("Repeated numbers may be packed, one by one, or both")
  func packing() throws {
    #expect(try read([88, 1, 90, 2, 2, 3, 88, 4, 90, 0]).wides == [1, 2, 3, 4])
    #expect(
      try read([0x6D, 0, 0, 0x80, 0x3F, 0x6A, 4, 0, 0, 0, 0x40]).singles == [1, 2])
    #expect(
      try read([0x71, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x72, 8, 0, 0, 0, 0, 0, 0, 0, 0x40]).doubles
        == [1, 2])
  }

  @Test("Fields that a message does not state are passed over, whatever they hold")
  func unknown() throws {
    // Fields 100 and 536870911, the largest number.
    let fields: [[UInt8]] = [
      [0xA0, 6, 0xFF, 1], [0xA1, 6, 1, 2, 3, 4, 5, 6, 7, 8], [0xA2, 6, 3, 0xFF, 0xFF, 0xFF],
      [0xA5, 6, 1, 2, 3, 4], [0xF8, 0xFF, 0xFF, 0xFF, 0x0F, 1],
    ]
    for field in fields {
      #expect(try read([8, 1] + field + [16, 2]) == Everything(wide: 1, narrow: 2))
      let size = UInt8(field.count + 3)
      #expect(try read([74, size] + field + [10, 1, 0x61]).part == Part(name: "a"))
    }
  }

  static let damaged: [([UInt8], String)] = [
    ([8], "byte 1: expected 1 bytes, found 0; the file is truncated"),
    ([8, 0x80], "byte 2: expected 1 bytes, found 0; the file is truncated"),
    ([0x35, 1, 2], "byte 1: expected 4 bytes, found 2; the file is truncated"),
    ([0x39, 1, 2], "byte 1: expected 8 bytes, found 2; the file is truncated"),
    ([34, 5, 0x61], "byte 2: expected 5 bytes, found 1; the file is truncated"),
    // A length of 2⁴⁰, of 2⁶³, and within a message that is shorter than the file.
    (
      [66, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20],
      "byte 7: expected 1099511627776 bytes, found 0; the file is truncated"
    ),
    (
      [66, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
      "byte 11: the header is malformed: a size of 9223372036854775808"
    ),
    ([74, 2, 10, 3, 0x61, 0x61, 0x61], "byte 4: expected 3 bytes, found 0; the file is truncated"),
    ([90, 1, 0x80, 8, 1], "byte 3: expected 1 bytes, found 0; the file is truncated"),
    ([0x6A, 3, 1, 2, 3], "byte 2: expected 4 bytes, found 3; the file is truncated"),
    // An integer of 65 bits, and one of 11 bytes.
    (
      [8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2],
      "byte 11: the header is malformed: an integer of more than 64 bits"
    ),
    (
      [8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
      "an integer of more than 64 bits"
    ),
    (
      [8, 1, 11], "byte 2: the header is malformed: field 1 of Everything is a group (wire type 3)"
    ),
    ([74, 1, 0x24], "byte 2: the header is malformed: field 4 of Part is a group (wire type 4)"),
    ([0xA3, 6], "byte 0: the header is malformed: field 100 of Everything is a group"),
    ([0x0E], "field 1 of Everything is of wire type 6"),
    ([0x0F], "field 1 of Everything is of wire type 7"),
    ([0, 1], "byte 0: the header is malformed: Everything has a field of number 0"),
    (
      [0x80, 0x80, 0x80, 0x80, 0x10, 1],
      "byte 0: the header is malformed: Everything has a field of number 536870912"
    ),
    ([10, 1, 1], "field 1 of Everything: expected wire type 0, found 2"),
    ([0x20, 1], "field 4 of Everything: expected wire type 2, found 0"),
    ([74, 2, 0x11, 1], "field 2 of Part: expected wire type 0, found 1"),
    ([0x58 | 1, 1], "field 11 of Everything: expected wire type 0, found 1"),
    ([0x78, 1], "field 15 of Everything: expected wire type 2, found 0"),
    // After a message, the fields are those of the outer one again.
    ([74, 0, 10, 0], "field 1 of Everything: expected wire type 0, found 2"),
    ([34, 2, 0xC3, 0x28], "byte 2: the header is malformed: expected text in UTF-8 in Everything"),
    ([0x7A, 1, 0xFF], "expected text in UTF-8 in Everything"),
  ]

  @Test("Bytes that are no message get a sentence with the byte", arguments: damaged)
  func refusals(bytes: [UInt8], sentence: String) {
    let text = refusal(bytes)
    #expect(text.contains(sentence), "\(text)")
  }

  @Test("Every beginning of a message is read or refused, and the bytes of no other are looked at")
  func prefixes() throws {
    var message = Everything(wide: 300, text: "abc", double: 2, part: Part(name: "p", number: 9))
    (message.wides, message.parts) = ([1, 300], [Part(parts: [Part(name: "q")])])
    let bytes = message.serialized()
    var accepted = 0
    for count in bytes.indices {
      // As part of a larger file.
      let slice = ([8, 9] + bytes + [255, 255])[2..<2 + count]
      do {
        _ = try Everything(serialized: slice)
        accepted += 1
      } catch {
        #expect((2...2 + count).contains(try #require(error.byteOffset)))
      }
    }
    // Between its 6 fields, and before the first.
    #expect(accepted == 6)
  }

  @Test("Messages within messages are read to a depth of 32")
  func depth() throws {
    func nested(_ depth: Int) -> [UInt8] {
      (0..<depth).reduce([]) { inner, _ in [26] + Varint.encoded(UInt64(inner.count)) + inner }
    }
    var part = try Part(serialized: nested(32)[...])
    for _ in 0..<32 { part = try #require(part.parts.first) }
    #expect(part == Part())
    let error = #expect(throws: ArrayFileError.self) { try Part(serialized: nested(33)[...]) }
    #expect(
      error?.description.contains("messages stand in messages, more than 32 deep") == true)
  }

  @Test("A few bytes that stand for much more memory are refused; packed numbers are not")
  func bombs() throws {
    // Two million empty messages in six megabytes.
    let parts = Array(repeatElement([0x82, 1, 0] as [UInt8], count: 2_000_000).joined())
    let text = refusal(parts)
    #expect(
      text.contains("values of Everything that take far more memory than the file's size"),
      "\(text)")
    #expect(try read(Array(parts.prefix(3 * 50_000))).parts.count == 50_000)
    let size = 12 << 20
    let packed = [90] + Varint.encoded(UInt64(size)) + [UInt8](repeating: 1, count: size)
    #expect(try read(packed).wides.count == size)
  }

  @Test("Fields of bytes are slices of the file, not copies")
  func shared() throws {
    let file = [66, 0xE8, 7] + [UInt8](repeating: 5, count: 1000) + [8, 1]
    let bytes = try #require(read(file).bytes)
    #expect(bytes.count == 1000 && bytes.startIndex == 3)
    let isInside = file.withUnsafeBufferPointer { file in
      bytes.withUnsafeBufferPointer { $0.baseAddress == file.baseAddress.map { $0 + 3 } }
    }
    #expect(isInside)
  }

  @Test("TensorBoard's records hold their message between lengths and checksums")
  func events() {
    let start = EventFile.start(time: 2)
    let version: [UInt8] = [0x1A, 13] + Array("brain.Event:2".utf8)
    #expect(Array(start[12..<36]) == [9, 0, 0, 0, 0, 0, 0, 0, 0x40] + version)
    #expect(start.count == 12 + 24 + 4)
    // Step 0 is written.
    let record = EventFile.scalars(["loss": 1, "gain": 0], step: 0, time: 1)
    #expect(Array(record[..<8]) == [39, 0, 0, 0, 0, 0, 0, 0])
    let values: [UInt8] =
      [10, 11, 10, 4] + Array("loss".utf8) + [0x15, 0, 0, 0x80, 0x3F]
      + [10, 11, 10, 4] + Array("gain".utf8) + [0x15, 0, 0, 0, 0]
    #expect(
      Array(record[12..<51]) == [9, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x10, 0, 0x2A, 26] + values)
  }
}
