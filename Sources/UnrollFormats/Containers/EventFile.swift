// TensorBoard's event files: records of length, checksum, data, checksum; the data are the
// protocol buffer message Event.
//
// Source: TensorFlow's core/lib/io/record_writer.h, core/util/event.proto, framework/summary.proto.

/// The records of a TensorBoard event file.
public enum EventFile {
  /// The record that every event file begins with.
  ///
  /// - Parameter time: Seconds since 1970.
  /// - Returns: The record's bytes.
  public static func start(time: Double) -> [UInt8] {
    record(Event(time: time, version: "brain.Event:2"))
  }

  /// A record of named numbers at one step.
  ///
  /// - Parameters:
  ///   - values: The numbers, each with its tag.
  ///   - step: The step at which they were taken.
  ///   - time: Seconds since 1970.
  /// - Returns: The record's bytes.
  public static func scalars(
    _ values: KeyValuePairs<String, Double>, step: Int, time: Double
  ) -> [UInt8] {
    let scalars = values.map { EventScalar(tag: $0.key, value: Float($0.value)) }
    return record(Event(time: time, step: Int64(step), summary: EventSummary(values: scalars)))
  }

  private static func record(_ event: Event) -> [UInt8] {
    let data = event.serialized()
    var length: [UInt8] = []
    length.append(littleEndian: UInt64(data.count))
    var bytes = length
    bytes.append(littleEndian: CRC32C.masked(length[...]))
    bytes += data
    bytes.append(littleEndian: CRC32C.masked(data[...]))
    return bytes
  }
}

/// `Event` of event.proto.
private struct Event: ProtocolMessage {
  /// Seconds since 1970.
  var time: Double?
  var step: Int64?
  var version: String?
  var summary: EventSummary?

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &time)
    try fields.field(2, &step)
    try fields.field(3, &version)
    try fields.field(5, &summary)
  }
}

/// `Summary`.
private struct EventSummary: ProtocolMessage {
  var values: [EventScalar] = []

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &values)
  }
}

/// `Summary.Value`.
private struct EventScalar: ProtocolMessage {
  var tag = ""
  var value: Float?

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &tag)
    try fields.field(2, &value)
  }
}

/// The Castagnoli checksum.
package enum CRC32C {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in
      value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1
    }
  }

  package static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(0xFFFF_FFFF) { $0 >> 8 ^ table[Int(($0 ^ UInt32($1)) & 0xFF)] }
  }

  /// The checksum hidden, as TensorFlow does: so that data may hold checksums themselves.
  package static func masked(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    let checksum = checksum(bytes)
    return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
  }

  package static func masked(_ bytes: [UInt8]) -> UInt32 { masked(bytes[...]) }
}
