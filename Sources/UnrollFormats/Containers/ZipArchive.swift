// Zip archives: what .npz, PyTorch's .pt and Keras' .keras are inside. The central directory at the end is
// the truth; the local headers are skipped by their own lengths, because some writers leave sizes there
// empty. Read: stored and deflated members. Written: stored members. Both with zip64, for more than 4 GB.
//
// Source: PKWARE's APPNOTE 6.3.

internal import CZlib

/// Named byte strings in one archive.
package struct ZipArchive: Sendable {
  /// One member: its place in the file.
  private struct Member: Sendable {
    var method: Int
    var checksum: UInt32
    var compressedSize: Int
    var size: Int
    var headerOffset: Int
  }

  private let bytes: [UInt8]
  private var members: [String: Member] = [:]

  /// The size of the file.
  var byteCount: Int { bytes.count }

  /// The names of the members, sorted.
  package var names: [String] { members.keys.sortedNames() }

  /// Reads an archive's directory; members are decoded when asked for.
  ///
  /// - Parameters:
  ///   - bytes: The file.
  ///   - kind: What the file should be, for errors.
  /// - Throws: `ArrayFileError` for bytes that are no whole zip archive.
  package init(_ bytes: [UInt8], kind: String) throws(ArrayFileError) {
    self.bytes = bytes
    guard bytes.starts(with: [0x50, 0x4B]) else {
      throw ArrayFileError(.foreign(expected: "\(kind) (a zip archive)"), byteOffset: 0)
    }
    let (count, offset) = try directory()
    guard offset <= bytes.count else {
      throw ArrayFileError(.truncated(expectedBytes: offset, actualBytes: bytes.count))
    }
    var reader = ByteReader(bytes[offset...])
    for _ in 0..<count {
      let (name, member) = try Self.member(&reader)
      guard members.updateValue(member, forKey: name) == nil else {
        throw ArrayFileError(.malformedHeader("the zip directory has '\(name)' twice"))
      }
    }
  }

  /// Whether there is a member of that name.
  package func contains(_ name: String) -> Bool { members[name] != nil }

  /// A member's bytes.
  ///
  /// - Throws: `ArrayFileError` if there is none, or if it is damaged.
  package func contents(_ name: String) throws(ArrayFileError) -> [UInt8] {
    guard let member = members[name] else {
      throw ArrayFileError(.missing(available: names), arrayName: name)
    }
    return try contents(of: member)
  }

  /// Writes members into an archive, in the order of their names: the same ones give the same bytes.
  ///
  /// - Parameters:
  ///   - members: The members.
  ///   - limit: The largest size and place that go into the fields of 32 bits; zip64 has the others.
  /// - Returns: The file.
  package static func encode(
    _ members: [String: [UInt8]], wideAbove limit: Int = 0xFFFF_FFFE
  ) -> [UInt8] {
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for (name, contents) in members.inKeyOrder {
      let fileName = Array(name.utf8)
      let (isWide, checksum) = (contents.count > limit, CRC32.checksum(contents))
      func common(_ extra: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: UInt16(extra.isEmpty ? 20 : 45))  // version needed
        bytes.append(littleEndian: UInt16(0x0800))  // names are UTF-8
        bytes.append(littleEndian: UInt16(0))  // stored
        bytes.append(littleEndian: UInt32(0x0021_0000))  // 1 January 1980
        bytes.append(littleEndian: checksum)
        bytes.append(littleEndian: isWide ? UInt32.max : UInt32(contents.count))
        bytes.append(littleEndian: isWide ? UInt32.max : UInt32(contents.count))
        bytes.append(littleEndian: UInt16(fileName.count))
        bytes.append(littleEndian: UInt16(extra.count))
        return bytes
      }
      let sizes = isWide ? [contents.count, contents.count] : []
      let place = file.count > limit ? [file.count] : []
      let extra = wideField(sizes + place)
      directory.append(littleEndian: UInt32(0x0201_4B50))
      directory.append(littleEndian: UInt16(45))
      directory += common(extra)
      directory += [UInt8](repeating: 0, count: 10)  // no comment, disk 0, no attributes
      directory.append(littleEndian: place.isEmpty ? UInt32(file.count) : UInt32.max)
      directory += fileName + extra
      file.append(littleEndian: UInt32(0x0403_4B50))
      file += common(wideField(sizes)) + fileName + wideField(sizes)
      file += contents
    }
    let start = file.count
    file += directory
    let isWide = start > limit || directory.count > limit || members.count >= 0xFFFF
    if isWide {
      let record = file.count
      file.append(littleEndian: UInt32(0x0606_4B50))
      file.append(littleEndian: UInt64(44))  // what follows of this record
      file.append(littleEndian: UInt16(45))
      file.append(littleEndian: UInt16(45))
      file += [UInt8](repeating: 0, count: 8)  // disk 0
      for number in [members.count, members.count, directory.count, start] {
        file.append(littleEndian: UInt64(number))
      }
      file.append(littleEndian: UInt32(0x0706_4B50))
      file.append(littleEndian: UInt32(0))
      file.append(littleEndian: UInt64(record))
      file.append(littleEndian: UInt32(1))  // disks
    }
    file.append(littleEndian: UInt32(0x0605_4B50))
    file += [0, 0, 0, 0]
    file.append(littleEndian: isWide ? UInt16.max : UInt16(members.count))
    file.append(littleEndian: isWide ? UInt16.max : UInt16(members.count))
    file.append(littleEndian: isWide ? UInt32.max : UInt32(directory.count))
    file.append(littleEndian: isWide ? UInt32.max : UInt32(start))
    file += [0, 0]
    return file
  }

  /// The extra field of numbers that do not fit into 32 bits; empty if there are none.
  private static func wideField(_ numbers: [Int]) -> [UInt8] {
    guard !numbers.isEmpty else { return [] }
    var field: [UInt8] = []
    field.append(littleEndian: UInt16(1))
    field.append(littleEndian: UInt16(8 * numbers.count))
    for number in numbers { field.append(littleEndian: UInt64(number)) }
    return field
  }
}

// MARK: - Reading the archive

extension ZipArchive {
  /// The number of members, and the offset of the central directory.
  private func directory() throws(ArrayFileError) -> (count: Int, offset: Int) {
    // The end record is 22 bytes, and a comment of up to 65,535 may follow.
    let signature: [UInt8] = [0x50, 0x4B, 0x05, 0x06]
    var position = bytes.count - 22
    let lowest = max(0, bytes.count - 22 - 65535)
    while position >= lowest, !bytes[position...].starts(with: signature) { position -= 1 }
    guard position >= lowest, position >= 0 else {
      throw ArrayFileError(.malformedHeader("no end of a zip archive; the file is truncated"))
    }
    var reader = ByteReader(bytes[(position + 10)...])
    let count = Int(try reader.integer(UInt16.self))
    _ = try reader.integer(UInt32.self)
    let offset = Int(try reader.integer(UInt32.self))
    guard count == 0xFFFF || offset == 0xFFFF_FFFF else { return (count, offset) }

    let locatorSignature: [UInt8] = [0x50, 0x4B, 0x06, 0x07]
    guard position >= 20, bytes[(position - 20)...].starts(with: locatorSignature) else {
      return (count, offset)
    }
    var locator = ByteReader(bytes[(position - 12)...])
    let record = try locator.integer(UInt64.self)
    guard let start = Int(exactly: record), start <= bytes.count - 56 else {
      throw ArrayFileError(.malformedHeader("the zip64 record lies outside the file"))
    }
    var wide = ByteReader(bytes[(start + 32)...])
    let (wideCount, _, wideOffset) = (
      try wide.integer(UInt64.self), try wide.integer(UInt64.self), try wide.integer(UInt64.self)
    )
    guard let offset = Int(exactly: wideOffset), let count = Int(exactly: wideCount),
      count <= bytes.count / 46
    else { throw ArrayFileError(.malformedHeader("the zip64 record is out of range")) }
    return (count, offset)
  }

  /// The next entry of the central directory.
  private static func member(
    _ reader: inout ByteReader
  ) throws(ArrayFileError) -> (String, Member) {
    guard try reader.integer(UInt32.self) == 0x0201_4B50 else {
      throw ArrayFileError(
        .malformedHeader("the zip directory is damaged"), byteOffset: reader.position)
    }
    _ = try reader.take(6)
    let method = Int(try reader.integer(UInt16.self))
    _ = try reader.take(4)
    let checksum = try reader.integer(UInt32.self)
    var sizes = [UInt64(try reader.integer(UInt32.self)), UInt64(try reader.integer(UInt32.self))]
    let (nameLength, extraLength, commentLength) = (
      Int(try reader.integer(UInt16.self)), Int(try reader.integer(UInt16.self)),
      Int(try reader.integer(UInt16.self))
    )
    _ = try reader.take(8)
    var offset = UInt64(try reader.integer(UInt32.self))
    let name = String(decoding: try reader.take(nameLength), as: UTF8.self)
    var extra = ByteReader(try reader.take(extraLength))
    _ = try reader.take(commentLength)
    while extra.remaining >= 4 {
      let (tag, length) = (
        try extra.integer(UInt16.self), Int(try extra.integer(UInt16.self))
      )
      var field = ByteReader(try extra.take(length))
      guard tag == 1 else { continue }
      // Zip64: only the values that did not fit, in the order size, compressed size, offset.
      if sizes[1] == 0xFFFF_FFFF { sizes[1] = try field.integer(UInt64.self) }
      if sizes[0] == 0xFFFF_FFFF { sizes[0] = try field.integer(UInt64.self) }
      if offset == 0xFFFF_FFFF { offset = try field.integer(UInt64.self) }
    }
    guard let compressed = Int(exactly: sizes[0]), let size = Int(exactly: sizes[1]),
      let start = Int(exactly: offset)
    else { throw ArrayFileError(.malformedHeader("sizes beyond 2^63"), arrayName: name) }
    return (
      name,
      Member(
        method: method, checksum: checksum, compressedSize: compressed, size: size,
        headerOffset: start)
    )
  }

  private func contents(of member: Member) throws(ArrayFileError) -> [UInt8] {
    guard member.headerOffset <= bytes.count else {
      throw ArrayFileError(
        .truncated(expectedBytes: member.headerOffset, actualBytes: bytes.count))
    }
    var reader = ByteReader(bytes[member.headerOffset...])
    guard try reader.integer(UInt32.self) == 0x0403_4B50 else {
      throw ArrayFileError(
        .malformedHeader("a zip member does not begin where the directory says"),
        byteOffset: member.headerOffset)
    }
    _ = try reader.take(22)
    let (nameLength, extraLength) = (
      Int(try reader.integer(UInt16.self)), Int(try reader.integer(UInt16.self))
    )
    _ = try reader.take(nameLength + extraLength)
    guard member.size <= expansionLimit(bytes.count) else {
      throw ArrayFileError(
        .malformedHeader(
          "a zip member of \(member.size) bytes, expected at most \(expansionLimit(bytes.count)) in a file of \(bytes.count)"
        ))
    }
    let stored = Array(try reader.take(member.compressedSize))
    let contents: [UInt8]
    switch member.method {
    case 0: contents = stored
    case 8: contents = try inflated(stored, size: member.size)
    default: throw ArrayFileError(.unsupportedCompression(member.method))
    }
    guard contents.count == member.size, CRC32.checksum(contents) == member.checksum else {
      throw ArrayFileError(.wrongChecksum)
    }
    return contents
  }

  /// Undoes deflate.
  ///
  /// The size comes from the archive, so it is checked against what deflate can do (about 1,032 to
  /// 1) before anything is allocated.
  private func inflated(_ source: [UInt8], size: Int) throws(ArrayFileError) -> [UInt8] {
    guard size <= source.count * 1040 + 1024, source.count < Int(UInt32.max), size < Int(UInt32.max)
    else {
      throw ArrayFileError(.malformedHeader("\(source.count) bytes cannot inflate to \(size)"))
    }
    var input = source
    var output = [UInt8](repeating: 0, count: size)
    var stream = z_stream()
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw ArrayFileError(.system("zlib could not be started")) }
    defer { inflateEnd(&stream) }
    let status = input.withUnsafeMutableBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        stream.next_in = input.baseAddress
        stream.avail_in = UInt32(input.count)
        stream.next_out = output.baseAddress
        stream.avail_out = UInt32(output.count)
        return inflate(&stream, Z_FINISH)
      }
    }
    guard status == Z_STREAM_END, Int(stream.total_out) == size else {
      throw ArrayFileError(.wrongChecksum)
    }
    return output
  }
}
