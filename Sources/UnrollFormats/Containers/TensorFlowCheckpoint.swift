// TensorFlow's checkpoints since 0.12, as `tf.train.Saver` of 1.x and `save_weights` of 2.x leave them:
// `<prefix>.index`, a table of sorted keys, and `<prefix>.data-<shard>-of-<shards>`, the arrays' bytes.
//
// The index has a header under the key "", and an entry under each variable's name.
//
// Source: TensorFlow's `core/protobuf/tensor_bundle.proto`, `core/util/tensor_bundle`.

/// The variables of a TensorFlow checkpoint.
public struct TensorFlowCheckpoint: Sendable {
  /// The variables by name.
  public var arrays: [String: StoredArray]
  /// The files that were read: the index, then those with the numbers.
  private(set) var files: [String] = []

  /// Creates a checkpoint.
  public init(arrays: [String: StoredArray]) { self.arrays = arrays }

  /// `DataType` of types.proto.
  private static let types: [UInt64: ElementType] = [
    1: .float32, 2: .float64, 3: .int32, 4: .uint8, 5: .int16, 6: .int8, 9: .int64, 10: .bool,
    14: .bfloat16, 17: .uint16, 19: .float16, 22: .uint32, 23: .uint64,
  ]
  private static let textType: UInt64 = 7

  /// Reads a checkpoint.
  ///
  /// Variables that hold text, such as Keras' object graph, are skipped.
  ///
  /// - Parameter path: The prefix, or the path of the `.index` file.
  /// - Throws: `ArrayFileError` if a file is missing or damaged, or a variable is of another type.
  public init(contentsOf path: String) throws(ArrayFileError) {
    let prefix = FileKind.tensorFlow.stem(of: path)
    var files = [Self.files(of: path).index]
    try self.init(index: AtomicFile.read(files[0])) { (shard, count) throws(ArrayFileError) in
      files.append(Self.dataPath(prefix, shard, of: count))
      return try AtomicFile.read(files[files.count - 1])
    }
    self.files = files
  }

  /// Reads a checkpoint from the bytes of its files.
  ///
  /// - Parameters:
  ///   - index: The bytes of the `.index` file.
  ///   - data: Returns the bytes of shard `shard` of `count`; called once for each that is needed.
  /// - Throws: `ArrayFileError` if a file is damaged, or a variable is of another type.
  public init(
    index: [UInt8], data: (_ shard: Int, _ count: Int) throws(ArrayFileError) -> [UInt8]
  ) throws(ArrayFileError) {
    let table = try SortedTable.decode(index)
    guard let header = table.first, header.key.isEmpty else {
      throw ArrayFileError(.malformedHeader("the checkpoint's index has no header"))
    }
    let facts = try BundleHeader(serialized: header.value)
    let (shardCount, isBigEndian) = (Int(clamping: facts.shardCount), facts.endianness == 1)
    guard (1...99_999).contains(shardCount) else {
      throw ArrayFileError(.malformedHeader("\(shardCount) shards"))
    }
    var shards: [Int: [UInt8]] = [:]
    // Many variables may name the same bytes of a shard.
    var budget = expansionLimit(index.count)
    arrays = [:]
    for (name, value) in table.dropFirst() {
      do throws(ArrayFileError) {
        let entry = try BundleEntry(serialized: value)
        if entry.type == Self.textType { continue }
        let shard = Int(clamping: entry.shard ?? 0)
        guard shard < shardCount else {
          throw ArrayFileError(.malformedHeader("shard \(shard) of \(shardCount)"))
        }
        if shards[shard] == nil {
          let bytes = try data(shard, shardCount)
          budget += 10 * bytes.count
          shards[shard] = bytes
        }
        budget -= Int(clamping: entry.size ?? 0)
        guard budget >= 0 else {
          throw ArrayFileError(.malformedHeader("many variables of the same bytes"))
        }
        arrays[name] = try Self.array(entry, shards[shard] ?? [], isBigEndian)
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
    let (dataPath, indexPath) = Self.files(of: path)
    var data: [UInt8] = []
    var header = BundleHeader()
    (header.shardCount, header.version) = (1, BundleVersion(producer: 1))
    var entries = [(key: "", value: header.serialized())]
    for (name, array) in arrays.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
      var entry = BundleEntry()
      entry.type = Self.types.first { $0.value == array.elementType }?.key ?? 0
      entry.shape = BundleShape(axes: array.shape.map { BundleAxis(size: UInt64($0)) })
      (entry.offset, entry.size) = (UInt64(data.count), UInt64(array.bytes.count))
      entry.checksum = CRC32C.masked(array.bytes)
      entries.append((name, entry.serialized()))
      data += array.bytes
    }
    try AtomicFile.write([(data, dataPath), (SortedTable.encode(entries), indexPath)])
  }

  /// The files of a checkpoint of one shard, as ``write(to:)`` leaves it.
  ///
  /// - Parameter path: The prefix, or the path of the `.index` file.
  /// - Returns: The paths of both.
  package static func files(of path: String) -> (data: String, index: String) {
    let prefix = FileKind.tensorFlow.stem(of: path)
    return (dataPath(prefix, 0, of: 1), prefix + ".index")
  }

  /// Whether the files of ``files(of:)`` are there and belong together.
  package static func isWhole(_ path: String) -> Bool {
    let (data, index) = files(of: path)
    guard let bytes = try? AtomicFile.read(index) else { return false }
    let checkpoint = try? TensorFlowCheckpoint(index: bytes) {
      (_, count) throws(ArrayFileError) in
      guard count == 1 else { throw ArrayFileError(.malformedHeader("\(count) shards")) }
      return try AtomicFile.read(data)
    }
    return checkpoint != nil
  }

  private static func dataPath(_ prefix: String, _ shard: Int, of count: Int) -> String {
    func digits(_ number: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
    return "\(prefix).data-\(digits(shard))-of-\(digits(count))"
  }

  private static func array(
    _ entry: BundleEntry, _ data: [UInt8], _ isBigEndian: Bool
  ) throws(ArrayFileError) -> StoredArray {
    guard let type = types[entry.type] else {
      throw ArrayFileError(.unsupportedElementType("DataType \(entry.type)"))
    }
    guard entry.slices.isEmpty else {
      throw ArrayFileError(.unsupportedElementType("a partitioned variable"))
    }
    let shape = entry.shape?.axes.map { Int(clamping: $0.size ?? 0) } ?? []
    let (offset, stated) = (Int(clamping: entry.offset ?? 0), Int(clamping: entry.size ?? 0))
    guard let size = type.byteCount(of: shape) else {
      throw ArrayFileError(.malformedHeader("impossible shape \(shape)"))
    }
    guard size == stated else {
      throw ArrayFileError(
        .malformedHeader("expected \(size) bytes for \(shape), found \(stated)"))
    }
    guard offset <= data.count, size <= data.count - offset else {
      throw ArrayFileError(
        .truncated(expectedBytes: size, actualBytes: max(0, data.count - offset)),
        byteOffset: offset)
    }
    var bytes = Array(data[offset..<offset + size])
    guard CRC32C.masked(bytes) == entry.checksum ?? 0 else { throw ArrayFileError(.wrongChecksum) }
    if isBigEndian && type.byteCount > 1 { bytes.reverseEach(type.byteCount) }
    return StoredArray(elementType: type, shape: shape, bytes: bytes)
  }
}

// MARK: - The messages, by TensorFlow's numbers

/// `BundleHeaderProto`.
private struct BundleHeader: ProtocolMessage {
  var shardCount: UInt64 = 0
  /// 0 is little-endian, 1 is big-endian.
  var endianness: UInt64 = 0
  var version: BundleVersion?

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &shardCount)
    try fields.field(2, &endianness)
    try fields.field(3, &version)
  }
}

/// `VersionDef`.
private struct BundleVersion: ProtocolMessage {
  var producer: UInt64 = 0

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &producer)
  }
}

/// `BundleEntryProto`: one variable's place.
private struct BundleEntry: ProtocolMessage {
  var type: UInt64 = 0
  var shape: BundleShape?
  var shard: UInt64?
  var offset: UInt64?
  var size: UInt64?
  /// A masked CRC-32C of the bytes.
  var checksum: UInt32?
  var slices: [UnreadMessage] = []

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &type)
    try fields.field(2, &shape)
    try fields.field(3, &shard)
    try fields.field(4, &offset)
    try fields.field(5, &size)
    try fields.field(6, &checksum)
    try fields.field(7, &slices)
  }
}

/// `TensorShapeProto`.
private struct BundleShape: ProtocolMessage {
  var axes: [BundleAxis] = []

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(2, &axes)
  }
}

/// `TensorShapeProto.Dim`.
private struct BundleAxis: ProtocolMessage {
  var size: UInt64?

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &size)
  }
}
