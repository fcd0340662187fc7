internal import CZlib

/// The checksum of zip archives and of checkpoints.
package enum CRC32 {
  /// The checksum of some bytes, going on from that of the bytes before them.
  package static func checksum(_ bytes: [UInt8], after previous: UInt32 = 0) -> UInt32 {
    bytes.withUnsafeBytes { checksum($0, after: previous) }
  }

  /// The same, of bytes in memory.
  package static func checksum(
    _ bytes: UnsafeRawBufferPointer, after previous: UInt32 = 0
  ) -> UInt32 {
    var value = UInt(previous)
    // zlib counts in 32 bits.
    for start in stride(from: 0, to: bytes.count, by: 1 << 30) {
      let part = bytes.baseAddress.map { ($0 + start).assumingMemoryBound(to: UInt8.self) }
      value = crc32(value, part, UInt32(min(1 << 30, bytes.count - start)))
    }
    return UInt32(truncatingIfNeeded: value)
  }
}
