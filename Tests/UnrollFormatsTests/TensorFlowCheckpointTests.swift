// TensorFlow checkpoints that are damaged or lie: the table of sorted keys, then the bundle in it.

import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("TensorFlow checkpoints")
struct TensorFlowCheckpointTests {
  // MARK: - Parts of an index

  /// Fields of a protocol buffer message.
  private static func field(_ number: UInt8, _ value: UInt64) -> [UInt8] {
    [number << 3] + Varint.encoded(value)
  }
  private static func field(_ number: UInt8, _ contents: [UInt8]) -> [UInt8] {
    [number << 3 | 2] + Varint.encoded(UInt64(contents.count)) + contents
  }

  private static func header(shards: UInt64 = 1, endianness: UInt64 = 0) -> [UInt8] {
    field(1, shards) + field(2, endianness)
  }

  /// An entry for two float32 numbers by default.
  private static func entry(
    type: UInt64 = 1, shape: [UInt64] = [2], shard: UInt64 = 0, offset: UInt64 = 0,
    size: UInt64 = 8, checksum: UInt32? = nil, more: [UInt8] = []
  ) -> [UInt8] {
    var bytes = field(1, type) + field(2, shape.flatMap { field(2, field(1, $0)) })
    bytes += field(3, shard) + field(4, offset) + field(5, size) + [6 << 3 | 5]
    bytes.append(littleEndian: checksum ?? CRC32C.masked(data))
    return bytes + more
  }

  private static let data: [UInt8] = [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]

  private static func index(_ entries: [(String, [UInt8])]) -> [UInt8] {
    SortedTable.encode(entries.map { (key: $0.0, value: $0.1) })
  }

  /// A block with its trailer.
  private static func block(_ bytes: [UInt8], compression: UInt8 = 0) -> [UInt8] {
    var block = bytes + [compression]
    block.append(littleEndian: CRC32C.masked(block))
    return block
  }

  /// A table of these data blocks, each named so often by the index.
  private static func table(_ blocks: [[UInt8]], times: Int = 1) -> [UInt8] {
    var (file, index) = ([UInt8](), [UInt8]())
    for block in blocks {
      let place =
        Varint.encoded(UInt64(file.count)) + Varint.encoded(UInt64(max(0, block.count - 5)))
      for _ in 0..<times { index += [0, 1] + Varint.encoded(UInt64(place.count)) + [97] + place }
      file += block
    }
    let places =
      [0, 0] + Varint.encoded(UInt64(file.count)) + Varint.encoded(UInt64(index.count + 4))
    file += block(index + [0, 0, 0, 0])
    return file + places + [UInt8](repeating: 0, count: 40 - places.count) + SortedTable.magic
  }

  private func read(_ index: [UInt8], _ data: [UInt8] = Self.data) throws -> [String: StoredArray] {
    try TensorFlowCheckpoint(index: index) { _, _ in data }.arrays
  }

  private func expectRefusal(_ index: [UInt8], _ sentence: String) {
    let error = #expect(throws: ArrayFileError.self) { try read(index) }
    #expect(error?.description.contains(sentence) ?? false, "\(error?.description ?? sentence)")
  }

  // MARK: - The tests

  @Test("A checkpoint assembled from these pieces is read in both byte orders; text is skipped")
  func valid() throws {
    let entries = [("", Self.header()), ("a", Self.entry()), ("text", Self.entry(type: 7))]
    let arrays = try read(Self.index(entries))
    #expect(arrays.keys.sorted() == ["a"])
    #expect(arrays["a"]?.tensor(of: Float.self).elements == [1, 2])
    let big = Self.index([("", Self.header(endianness: 1)), ("a", Self.entry())])
    #expect(try read(big)["a"]?.bytes == [0x3F, 0x80, 0, 0, 0x40, 0, 0, 0])
    #expect(
      try SortedTable.decode(Self.table([Self.block([0, 1, 1, 98, 7, 0, 0, 0, 0])])).count == 1)
  }

  @Test("A damaged table gets its sentence")
  func tables() {
    let whole = Self.index([("", Self.header()), ("a", Self.entry())])
    expectRefusal([1, 2, 3], "expected the index of a TensorFlow checkpoint")
    expectRefusal(Array(whole.dropLast()), "expected the index of a TensorFlow checkpoint")
    var damaged = whole
    damaged[3] ^= 1
    expectRefusal(damaged, "do not give the recorded checksum")
    expectRefusal(
      Self.table([Self.block([0, 0, 0, 0], compression: 1)]), "found compression method 1")
    expectRefusal(
      Self.table([Self.block([9, 0, 0, 0])]), "the header is malformed: 9 restart points in a block"
    )
    expectRefusal(Self.table([Self.block([1, 2])]), "expected 4 bytes, found 2")
    expectRefusal(
      Self.table([Self.block([5, 1, 0, 97, 0, 0, 0, 0])]), "a key that shares 5 bytes of 0")
    expectRefusal(
      Self.table([Self.block([0, 1, 99, 97, 0, 0, 0, 0])]), "expected 99 bytes, found 0")
    let endless = [UInt8](repeating: 0xFF, count: 11)
    expectRefusal(
      Self.table([Self.block(endless + [0, 0, 0, 0])]), "an integer of more than 64 bits")
    expectRefusal(
      Self.table([Self.block([0] + Varint.encoded(1 << 63) + [0, 0, 0, 0, 0])]),
      "a size of 9223372036854775808")
    // A footer that points behind the file.
    var beyond = whole
    beyond.replaceSubrange(
      whole.count - 48..<whole.count - 40, with: [0, 0, 0xFF, 0xFF, 0x7F, 1, 0, 0])
    expectRefusal(beyond, "the file is truncated")
  }

  @Test("Blocks and keys that stand for far more than the file are refused")
  func bombs() {
    // One block of 5,000 entries, named 50 times.
    let entries = [UInt8]([0, 1, 0, 97]) + (0..<5000).flatMap { _ in [UInt8]([1, 0, 0]) }
    expectRefusal(
      Self.table([Self.block(entries + [0, 0, 0, 0])], times: 50),
      "an index that names a block again and again")
    // A key of 60,000 bytes, and 65,000 that share all of it.
    let key = [0] + Varint.encoded(60_000) + [0] + [UInt8](repeating: 97, count: 60_000)
    let shared = Varint.encoded(60_000) + [0, 0]
    let many = (0..<65_000).flatMap { _ in shared }
    expectRefusal(
      Self.table([Self.block(key + many + [0, 0, 0, 0])]), "keys of far more than the block's size")
    let long = [0] + Varint.encoded(70_000) + [0] + [UInt8](repeating: 97, count: 70_000)
    expectRefusal(
      Self.table([Self.block(long + [0, 0, 0, 0])]), "a key that shares 0 bytes of 0")
    // A hundred variables of the same 4 MB.
    let data = [UInt8](repeating: 0, count: 1 << 22)
    let entry = Self.entry(shape: [1 << 20], size: 1 << 22, checksum: CRC32C.masked(data))
    let names = (100..<200).map { ("a\($0)", entry) }
    let error = #expect(throws: ArrayFileError.self) {
      try read(Self.index([("", Self.header())] + names), data)
    }
    #expect(error?.description.contains("many variables of the same bytes") ?? false)
  }

  static let entries: [([UInt8], String)] = [
    (entry(type: 8), "array 'a': expected a numeric element type, found 'DataType 8'"),
    (entry(more: field(7, [])), "expected a numeric element type, found 'a partitioned variable'"),
    (entry(shard: 3), "shard 3 of 1"),
    (entry(shape: [1 << 62, 8]), "impossible shape [4611686018427387904, 8]"),
    (entry(shape: [UInt64.max]), "impossible shape [9223372036854775807]"),
    (entry(shape: [0, 1 << 62]), "impossible shape [0, 4611686018427387904]"),
    (entry(shape: [3]), "expected 12 bytes for [3], found 8"),
    (entry(offset: 4), "array 'a': byte 4: expected 8 bytes, found 4; the file is truncated"),
    (entry(offset: UInt64.max), "expected 8 bytes, found 0; the file is truncated"),
    (entry(checksum: 1), "do not give the recorded checksum"),
    (entry(size: 1 << 40), "many variables of the same bytes"),
    (entry(more: [11]), "field 1 of BundleEntry is a group (wire type 3)"),
    (entry(more: [9, 1]), "field 1 of BundleEntry: expected wire type 0, found 1"),
    (entry(more: [0x79, 1]), "expected 8 bytes, found 1"),
  ]

  @Test("A variable that is not as its entry says gets its sentence", arguments: entries)
  func variables(entry: [UInt8], sentence: String) {
    expectRefusal(Self.index([("", Self.header()), ("a", entry)]), sentence)
  }

  @Test("An index needs its header")
  func headers() {
    expectRefusal(Self.index([("a", Self.entry())]), "the checkpoint's index has no header")
    expectRefusal(Self.index([("", Self.header(shards: 0)), ("a", Self.entry())]), "0 shards")
    expectRefusal(
      Self.index([("", Self.header(shards: 1 << 40)), ("a", Self.entry())]), "1099511627776 shards")
  }

  @Test("A checkpoint without one of its files names it")
  func files() throws {
    try withTemporaryFolder { folder in
      let array = StoredArray(Tensor<Float>([1, 2]))
      try TensorFlowCheckpoint(arrays: ["a": array]).write(to: "\(folder)/model")
      #expect(try TensorFlowCheckpoint(contentsOf: "\(folder)/model").arrays["a"] == array)
      AtomicFile.remove("\(folder)/model.data-00000-of-00001")
      let error = #expect(throws: ArrayFileError.self) {
        try TensorFlowCheckpoint(contentsOf: "\(folder)/model.index")
      }
      #expect(error?.description.contains("model.data-00000-of-00001") ?? false)
    }
  }
}
