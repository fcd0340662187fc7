internal import CZlib

/// The checksum of zip archives and of checkpoints.
package enum CRC32 {
  /// The checksum of some bytes, going on from that of the bytes before them.
  package static func checksum(_ bytes: [UInt8], after previous: UInt32 = 0) -> UInt32 {
    bytes.withUnsafeBufferPointer { bytes in
      var value = UInt(previous)
      // zlib counts in 32 bits.
      for start in stride(from: 0, to: bytes.count, by: 1 << 30) {
        value = crc32(
          value, bytes.baseAddress.map { $0 + start }, UInt32(min(1 << 30, bytes.count - start)))
      }
      return UInt32(truncatingIfNeeded: value)
    }
  }
}
