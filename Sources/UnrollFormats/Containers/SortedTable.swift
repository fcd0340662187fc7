// TensorFlow's table of sorted keys, which its checkpoints use as their index: LevelDB's format.
//
//   data blocks, a block of metadata, an index block (last key → place of a data block), footer
//   block    entries, each a key that shares its beginning with the one before, and restart points;
//            then a byte for the compression and a masked CRC-32C
//   footer   the places of the metadata and index blocks, padding to 40 bytes, a magic number
//
// Source: LevelDB's `doc/table_format.md`; TensorFlow's `core/lib/io/format.h`.

/// A table of sorted keys.
package enum SortedTable {
  package static let magic: [UInt8] = [0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB]
  private static let footerSize = 48
  /// A key longer than this is no name of a variable.
  private static let keyLimit = 1 << 16

  /// Reads all entries, in their order.
  ///
  /// - Throws: `ArrayFileError` if the bytes are no such table, whole and with its checksums.
  package static func decode(
    _ bytes: [UInt8]
  ) throws(ArrayFileError) -> [(key: String, value: ArraySlice<UInt8>)] {
    guard bytes.count >= footerSize, bytes.suffix(8).elementsEqual(magic) else {
      throw ArrayFileError(.foreign(expected: "the index of a TensorFlow checkpoint"))
    }
    var footer = ByteReader(bytes[(bytes.count - footerSize)...])
    _ = try handle(&footer)
    let index = try handle(&footer)
    var result: [(String, ArraySlice<UInt8>)] = []
    // Keys share prefixes, so a small block may expand to large keys.
    var budget = expansionLimit(bytes.count)
    var blockBytes = 0
    for (_, place) in try entries(block(bytes, index)) {
      var reader = ByteReader(place)
      let handle = try handle(&reader)
      let contents = try block(bytes, handle)
      // Blocks do not overlap; reading one repeatedly costs time.
      blockBytes += contents.count + 5
      guard blockBytes <= bytes.count else {
        throw ArrayFileError(.malformedHeader("an index that names a block again and again"))
      }
      let more = try entries(contents)
      budget -= more.reduce(0) { $0 + $1.0.utf8.count }
      result += more
      guard result.count <= bytes.count, budget >= 0 else {
        throw ArrayFileError(.malformedHeader("an index that names a block again and again"))
      }
    }
    return result
  }

  /// Writes entries as one data block.
  ///
  /// - Precondition: The keys are sorted by their bytes.
  package static func encode(_ entries: [(key: String, value: [UInt8])]) -> [UInt8] {
    var file: [UInt8] = []
    func append(_ block: [UInt8]) -> [UInt8] {
      let place = Varint.encoded(UInt64(file.count)) + Varint.encoded(UInt64(block.count))
      file += block + [0]
      file.append(littleEndian: CRC32C.masked(block + [0]))
      return place
    }
    func block(_ entries: [(key: String, value: [UInt8])]) -> [UInt8] {
      var (bytes, restarts) = ([UInt8](), [UInt32]())
      for (key, value) in entries {
        restarts.append(UInt32(bytes.count))
        let name = Array(key.utf8)
        bytes += [0] + Varint.encoded(UInt64(name.count)) + Varint.encoded(UInt64(value.count))
        bytes += name + value
      }
      if restarts.isEmpty { restarts = [0] }
      for restart in restarts { bytes.append(littleEndian: restart) }
      bytes.append(littleEndian: UInt32(restarts.count))
      return bytes
    }
    let data = append(block(entries))
    let metadata = append(block([]))
    let index = append(block([(key: entries.last?.key ?? "", value: data)]))
    let places = metadata + index
    return file + places + [UInt8](repeating: 0, count: footerSize - 8 - places.count) + magic
  }

  private static func handle(
    _ reader: inout ByteReader
  ) throws(ArrayFileError) -> (offset: Int, size: Int) {
    (try Varint.size(&reader), try Varint.size(&reader))
  }

  /// A block's contents, its checksum verified.
  private static func block(
    _ bytes: [UInt8], _ place: (offset: Int, size: Int)
  ) throws(ArrayFileError) -> ArraySlice<UInt8> {
    guard place.offset <= bytes.count, place.size <= bytes.count - place.offset - 5 else {
      throw ArrayFileError(
        .truncated(expectedBytes: place.size, actualBytes: bytes.count), byteOffset: place.offset)
    }
    let end = place.offset + place.size
    var trailer = ByteReader(bytes[end...])
    let compression = try trailer.integer(UInt8.self)
    guard try trailer.integer(UInt32.self) == CRC32C.masked(bytes[place.offset...end]) else {
      throw ArrayFileError(.wrongChecksum, byteOffset: place.offset)
    }
    guard compression == 0 else {
      throw ArrayFileError(.unsupportedCompression(Int(compression)), byteOffset: place.offset)
    }
    return bytes[place.offset..<end]
  }

  private static func entries(
    _ block: ArraySlice<UInt8>
  ) throws(ArrayFileError) -> [(String, ArraySlice<UInt8>)] {
    guard block.count >= 4 else {
      throw ArrayFileError(.truncated(expectedBytes: 4, actualBytes: block.count))
    }
    var tail = ByteReader(block.suffix(4))
    let restarts = Int(try tail.integer(UInt32.self))
    guard restarts <= (block.count - 4) / 4 else {
      throw ArrayFileError(.malformedHeader("\(restarts) restart points in a block"))
    }
    var reader = ByteReader(block.dropLast(4 + 4 * restarts))
    var (key, result) = ([UInt8](), [(String, ArraySlice<UInt8>)]())
    var budget = expansionLimit(block.count)
    while reader.remaining > 0 {
      let shared = try Varint.size(&reader)
      let (added, size) = (try Varint.size(&reader), try Varint.size(&reader))
      guard shared <= key.count, added <= keyLimit - shared else {
        throw ArrayFileError(
          .malformedHeader("a key that shares \(shared) bytes of \(key.count)"),
          byteOffset: reader.position)
      }
      key = try Array(key[..<shared] + reader.take(added))
      budget -= key.count
      guard budget >= 0 else {
        throw ArrayFileError(
          .malformedHeader("keys of far more than the block's size"), byteOffset: reader.position)
      }
      result.append((String(decoding: key, as: UTF8.self), try reader.take(size)))
    }
    return result
  }
}
