/// Reads little-endian integers from bytes, never past their end.
struct ByteReader {
  let bytes: ArraySlice<UInt8>
  private(set) var position: Int

  /// Starts at the first byte of a slice; offsets in errors count from `bytes`' own indices.
  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  var remaining: Int { bytes.endIndex - position }

  /// The next `count` bytes.
  mutating func take(_ count: Int) throws(ArrayFileError) -> ArraySlice<UInt8> {
    guard count >= 0, count <= remaining else {
      throw ArrayFileError(
        .truncated(expectedBytes: count, actualBytes: remaining), byteOffset: position)
    }
    defer { position += count }
    return bytes[position..<position + count]
  }

  /// The next byte.
  mutating func byte() throws(ArrayFileError) -> UInt8 {
    guard remaining > 0 else {
      throw ArrayFileError(.truncated(expectedBytes: 1, actualBytes: 0), byteOffset: position)
    }
    defer { position += 1 }
    return bytes[position]
  }

  /// The next integer.
  mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type
  ) throws(ArrayFileError) -> Value {
    let part = try take(MemoryLayout<Value>.size)
    return Value(littleEndian: part.withUnsafeBytes { $0.loadUnaligned(as: Value.self) })
  }
}

/// The maximum number of bytes that a file of a size may become in memory; a file that asks for more is refused.
func expansionLimit(_ fileSize: Int) -> Int { 64 << 20 + 10 * fileSize }
