// TensorFlow's checkpoints since 0.12, as `tf.train.Saver` of 1.x and `save_weights` of 2.x leave them:
// `<prefix>.index`, a table of sorted keys, and `<prefix>.data-<shard>-of-<shards>`, the arrays' bytes.
//
//   key ""     BundleHeaderProto   1: num_shards  2: endianness (1 is big)
//   key name   BundleEntryProto    1: dtype  2: shape { 2: dim { 1: size } }  3: shard  4: offset
//                                  5: size   6: masked CRC-32C of the bytes  7: slices
//
// Source: TensorFlow's `core/protobuf/tensor_bundle.proto`, `core/util/tensor_bundle`.

/// The variables of a TensorFlow checkpoint.
public struct TensorFlowCheckpoint: Sendable {
  /// The variables by name.
  public var arrays: [String: StoredArray]

  /// Creates a checkpoint.
  public init(arrays: [String: StoredArray]) { self.arrays = arrays }

  /// One variable's place.
  private struct Entry {
    var type = 0
    var shape: [Int] = []
    var shard = 0
    var offset = 0
    var size = 0
    var checksum: UInt32 = 0
    var isSliced = false
  }

  /// `DataType` of types.proto.
  private static let types: [Int: ElementType] = [
    1: .float32, 2: .float64, 3: .int32, 4: .uint8, 5: .int16, 6: .int8, 9: .int64, 10: .bool,
    14: .bfloat16, 17: .uint16, 19: .float16, 22: .uint32, 23: .uint64,
  ]
  private static let textType = 7

  /// Reads a checkpoint.
  ///
  /// Variables that hold text, such as Keras' object graph, are passed over.
  ///
  /// - Parameter path: The prefix, or the path of the `.index` file.
  /// - Throws: `ArrayFileError` if a file is missing or damaged, or a variable is of another type.
  public init(contentsOf path: String) throws(ArrayFileError) {
    let prefix = path.hasSuffix(".index") ? String(path.dropLast(6)) : path
    try self.init(index: AtomicFile.read(prefix + ".index")) {
      (shard, count) throws(ArrayFileError) in
      try AtomicFile.read(Self.dataPath(prefix, shard, of: count))
    }
  }

  /// Reads a checkpoint whose files are at hand.
  ///
  /// - Parameters:
  ///   - index: The bytes of the `.index` file.
  ///   - data: Returns the bytes of a shard, of so many; called once for each that is needed.
  /// - Throws: `ArrayFileError` if a file is damaged, or a variable is of another type.
  public init(
    index: [UInt8], data: (_ shard: Int, _ count: Int) throws(ArrayFileError) -> [UInt8]
  ) throws(ArrayFileError) {
    let table = try SortedTable.decode(index)
    guard let header = table.first, header.key.isEmpty else {
      throw ArrayFileError(.malformedHeader("the checkpoint's index has no header"))
    }
    let (shardCount, isBigEndian) = try Self.header(header.value)
    var shards: [Int: [UInt8]] = [:]
    // Many variables may name the same bytes of a shard.
    var budget = expansionLimit(index.count)
    arrays = [:]
    for (name, value) in table.dropFirst() {
      do throws(ArrayFileError) {
        let entry = try Self.entry(value)
        if entry.type == Self.textType { continue }
        guard entry.shard < shardCount else {
          throw ArrayFileError(.malformedHeader("shard \(entry.shard) of \(shardCount)"))
        }
        if shards[entry.shard] == nil {
          let bytes = try data(entry.shard, shardCount)
          budget += 10 * bytes.count
          shards[entry.shard] = bytes
        }
        budget -= entry.size
        guard budget >= 0 else {
          throw ArrayFileError(.malformedHeader("many variables of the same bytes"))
        }
        arrays[name] = try Self.array(entry, shards[entry.shard] ?? [], isBigEndian)
      } catch {
        throw ArrayFileError(error.problem, arrayName: name, byteOffset: error.byteOffset)
      }
    }
  }

  /// Writes a checkpoint of one shard: the data first, then the index that names them.
  ///
  /// - Parameter path: The prefix, or the path of the `.index` file.
  /// - Throws: `ArrayFileError` with the system's reason.
  public func write(to path: String) throws(ArrayFileError) {
    let prefix = path.hasSuffix(".index") ? String(path.dropLast(6)) : path
    var data: [UInt8] = []
    // One shard, little-endian, version 1.
    var entries: [(key: String, value: [UInt8])] = [(key: "", value: [8, 1, 26, 2, 8, 1])]
    for (name, array) in arrays.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
      let type = Self.types.first { $0.value == array.elementType }?.key ?? 0
      var shape: [UInt8] = []
      for axis in array.shape {
        let size = [8] + Varint.encoded(UInt64(axis))
        shape += [18] + Varint.encoded(UInt64(size.count)) + size
      }
      var entry: [UInt8] = [8] + Varint.encoded(UInt64(type))
      entry += [18] + Varint.encoded(UInt64(shape.count)) + shape
      entry += [32] + Varint.encoded(UInt64(data.count))
      entry += [40] + Varint.encoded(UInt64(array.bytes.count))
      entry.append(6 << 3 | 5)
      entry.append(littleEndian: CRC32C.masked(array.bytes))
      entries.append((name, entry))
      data += array.bytes
    }
    try AtomicFile.write([
      (data, Self.dataPath(prefix, 0, of: 1)), (SortedTable.encode(entries), prefix + ".index"),
    ])
  }

  private static func dataPath(_ prefix: String, _ shard: Int, of count: Int) -> String {
    func digits(_ number: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
    return "\(prefix).data-\(digits(shard))-of-\(digits(count))"
  }

  private static func array(
    _ entry: Entry, _ data: [UInt8], _ isBigEndian: Bool
  ) throws(ArrayFileError) -> StoredArray {
    guard let type = types[entry.type] else {
      throw ArrayFileError(.unsupportedElementType("DataType \(entry.type)"))
    }
    guard !entry.isSliced else {
      throw ArrayFileError(.unsupportedElementType("a partitioned variable"))
    }
    guard let size = type.byteCount(of: entry.shape) else {
      throw ArrayFileError(.malformedHeader("impossible shape \(entry.shape)"))
    }
    guard size == entry.size else {
      throw ArrayFileError(
        .malformedHeader("expected \(size) bytes for \(entry.shape), found \(entry.size)"))
    }
    guard entry.offset <= data.count, size <= data.count - entry.offset else {
      throw ArrayFileError(
        .truncated(expectedBytes: size, actualBytes: max(0, data.count - entry.offset)),
        byteOffset: entry.offset)
    }
    var bytes = Array(data[entry.offset..<entry.offset + size])
    guard CRC32C.masked(bytes) == entry.checksum else { throw ArrayFileError(.wrongChecksum) }
    if isBigEndian && type.byteCount > 1 { bytes.reverseEach(type.byteCount) }
    return StoredArray(elementType: type, shape: entry.shape, bytes: bytes)
  }

  // MARK: - The two messages

  private static func header(
    _ bytes: ArraySlice<UInt8>
  ) throws(ArrayFileError) -> (shardCount: Int, isBigEndian: Bool) {
    var (shardCount, isBigEndian) = (0, false)
    try forEachField(bytes) { number, value, _ throws(ArrayFileError) in
      if number == 1 { shardCount = Int(clamping: value) }
      if number == 2 { isBigEndian = value == 1 }
    }
    guard (1...99_999).contains(shardCount) else {
      throw ArrayFileError(.malformedHeader("\(shardCount) shards"))
    }
    return (shardCount, isBigEndian)
  }

  private static func entry(_ bytes: ArraySlice<UInt8>) throws(ArrayFileError) -> Entry {
    var entry = Entry()
    try forEachField(bytes) { number, value, contents throws(ArrayFileError) in
      switch number {
      case 1: entry.type = Int(clamping: value)
      case 2: entry.shape = try shape(contents)
      case 3: entry.shard = Int(clamping: value)
      case 4: entry.offset = Int(clamping: value)
      case 5: entry.size = Int(clamping: value)
      case 6: entry.checksum = UInt32(truncatingIfNeeded: value)
      case 7: entry.isSliced = true
      default: break
      }
    }
    return entry
  }

  private static func shape(_ bytes: ArraySlice<UInt8>) throws(ArrayFileError) -> [Int] {
    var shape: [Int] = []
    try forEachField(bytes) { number, _, contents throws(ArrayFileError) in
      guard number == 2 else { return }
      var size = 0
      try forEachField(contents) { number, value, _ throws(ArrayFileError) in
        if number == 1 { size = Int(clamping: value) }
      }
      shape.append(size)
    }
    return shape
  }

  /// Calls `body` with each field of a protocol buffer message: its number and its value, or contents.
  private static func forEachField(
    _ bytes: ArraySlice<UInt8>,
    _ body: (Int, UInt64, ArraySlice<UInt8>) throws(ArrayFileError) -> Void
  ) throws(ArrayFileError) {
    var reader = ByteReader(bytes)
    while reader.remaining > 0 {
      let tag = try Varint.decode(&reader)
      let number = Int(clamping: tag >> 3)
      switch tag & 7 {
      case 0: try body(number, Varint.decode(&reader), [])
      case 1: try body(number, reader.integer(UInt64.self), [])
      case 2: try body(number, 0, reader.take(Varint.size(&reader)))
      case 5: try body(number, UInt64(reader.integer(UInt32.self)), [])
      default:
        throw ArrayFileError(
          .malformedHeader("a field of wire type \(tag & 7)"), byteOffset: reader.position)
      }
    }
  }
}
