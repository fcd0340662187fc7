// TensorBoard's event files: records of length, checksum, data, checksum; the data are the
// protocol buffer message Event, of which we write three fields.
//
//   Event   1: wall_time (double)  2: step (int64)  3: file_version (string)  5: summary
//   Summary 1: value               Value 1: tag (string)  2: simple_value (float)
//
// Source: TensorFlow's core/lib/io/record_writer.h, core/util/event.proto, framework/summary.proto.

/// The records of a TensorBoard event file.
public enum EventFile {
  /// The record that every event file begins with.
  ///
  /// - Parameter time: Seconds since 1970.
  /// - Returns: The record's bytes.
  public static func start(time: Double) -> [UInt8] {
    var event = field(1, time)
    event += field(3, Array("brain.Event:2".utf8))
    return record(event)
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
    var summary: [UInt8] = []
    for (tag, value) in values {
      var scalar = field(1, Array(tag.utf8))
      scalar.append(2 << 3 | 5)
      scalar.append(littleEndian: Float(value).bitPattern)
      summary += field(1, scalar)
    }
    var event = field(1, time)
    event.append(2 << 3)
    event += Varint.encoded(UInt64(bitPattern: Int64(step)))
    event += field(5, summary)
    return record(event)
  }

  private static func record(_ data: [UInt8]) -> [UInt8] {
    var length: [UInt8] = []
    length.append(littleEndian: UInt64(data.count))
    var bytes = length
    bytes.append(littleEndian: CRC32C.masked(length[...]))
    bytes += data
    bytes.append(littleEndian: CRC32C.masked(data[...]))
    return bytes
  }

  private static func field(_ number: UInt8, _ value: Double) -> [UInt8] {
    var bytes: [UInt8] = [number << 3 | 1]
    bytes.append(littleEndian: value.bitPattern)
    return bytes
  }

  private static func field(_ number: UInt8, _ contents: [UInt8]) -> [UInt8] {
    [number << 3 | 2] + Varint.encoded(UInt64(contents.count)) + contents
  }
}

/// The Castagnoli checksum.
enum CRC32C {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in
      value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1
    }
  }

  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(0xFFFF_FFFF) { $0 >> 8 ^ table[Int(($0 ^ UInt32($1)) & 0xFF)] }
  }

  /// The checksum hidden, as TensorFlow does: so that data may hold checksums themselves.
  static func masked(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    let checksum = checksum(bytes)
    return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
  }

  static func masked(_ bytes: [UInt8]) -> UInt32 { masked(bytes[...]) }
}
