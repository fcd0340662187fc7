import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("NPY and NPZ")
struct NPYTests {
  static let arrays: [StoredArray] =
    ElementType.allCases.filter { $0 != .bfloat16 }.map { type in
      StoredArray(
        elementType: type, shape: [2, 3],
        bytes: (0..<6 * type.byteCount).map { UInt8(truncatingIfNeeded: $0 % 2) })
    } + [
      StoredArray(Tensor<Float>(shape: [], repeating: 3)),
      StoredArray(Tensor<Double>(shape: [0, 4])),
      StoredArray(Tensor<Float>([1, -2.5, .infinity])), StoredArray([1, -1, Int.max, Int.min]),
    ]

  @Test("A written array is read back, for every type and shape", arguments: arrays)
  func roundTrip(array: StoredArray) throws {
    let bytes = NPY.encode(array)
    #expect(try NPY.decode(bytes[...]) == array)
    // NumPy wants the data to begin at a multiple of 64.
    #expect((bytes.count - array.bytes.count) % 64 == 0)
  }

  @Test("An archive gives back its arrays, and the same arrays give the same bytes")
  func archive() throws {
    let named = Dictionary(uniqueKeysWithValues: Self.arrays.enumerated().map { ("a\($0)", $1) })
    let bytes = NPZ.encode(named)
    #expect(bytes == NPZ.encode(named))
    let archive = try NPZ(bytes)
    #expect(archive.names == named.keys.sorted())
    for (name, array) in named { #expect(try archive.array(name) == array) }
  }

  @Test("bfloat16, which NumPy has not, becomes float32 without rounding")
  func bfloat16() throws {
    let array = StoredArray(
      elementType: .bfloat16, shape: [3], bytes: [0xC0, 0x3F, 0x00, 0xC0, 0x80, 0x7F])
    let read = try NPY.decode(NPY.encode(array)[...])
    #expect(read.elementType == .float32)
    #expect(read.tensor(of: Float.self).elements == [1.5, -2, .infinity])
    #expect(array.tensor(of: Float.self).elements == [1.5, -2, .infinity])
  }

  /// A header of our own around data.
  func file(_ header: String, _ data: [UInt8], version: UInt8 = 1) -> [UInt8] {
    let text = Array((header + "\n").utf8)
    let length: [UInt8] =
      version == 1
      ? [UInt8(text.count & 255), UInt8(text.count >> 8)]
      : [UInt8(text.count & 255), UInt8(text.count >> 8), 0, 0]
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text + data
  }

  @Test("Big-endian and Fortran order become ours")
  func orders() throws {
    let big = file(
      "{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", [1, 2, 0xFF, 0xFE])
    #expect(try NPY.decode(big[...]).integers() == [258, -2])
    let fortran = file(
      "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", [1, 4, 2, 5, 3, 6], version: 2)
    #expect(try NPY.decode(fortran[...]).integers() == [1, 2, 3, 4, 5, 6])
  }

  @Test("Half precision is read exactly")
  func halves() throws {
    let half = file(
      "{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }",
      [0x00, 0x3C, 0x00, 0xC0, 0x01, 0x00, 0xFF, 0x7B])
    #expect(
      try NPY.decode(half[...]).tensor(of: Double.self).elements == [1, -2, 0x1p-24, 65504])
  }

  static let malformed: [(String, String)] = [
    (
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
      "byte 68: expected 12 bytes, found 8; the file is truncated"
    ),
    (
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
      "the header is malformed: promises 4 bytes of data, but 4 more follow"
    ),
    (
      "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }",
      "expected a numeric element type, found '<c8'"
    ),
    (
      "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
      "expected a numeric element type, found '[('a', '<f4')], 'fortran_order': False, '"
    ),
    (
      "{'descr': '<f4', 'shape': (2,), }",
      "the header is malformed: no field 'fortran_order'"
    ),
    (
      "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,), }",
      "the header is malformed: 'fortran_order' is neither True nor False"
    ),
    (
      "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }",
      "the header is malformed: 'shape' holds '-2'"
    ),
    (
      "{'descr': '<f4', 'fortran_order': False, 'shape': 2, }",
      "the header is malformed: 'shape' is no tuple"
    ),
    (
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8, 0), }",
      "the header is malformed: the shape [4611686018427387904, 8, 0] has too many elements"
    ),
    (
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }",
      "the header is malformed: the shape [4611686018427387904, 8] has too many elements"
    ),
  ]

  @Test("Each malformation has its sentence", arguments: malformed)
  func malformations(header: String, sentence: String) {
    let bytes = file(header, [0, 0, 0, 0, 0, 0, 0, 0])
    let error = #expect(throws: ArrayFileError.self) { try NPY.decode(bytes[...]) }
    #expect(error?.description == sentence)
  }

  @Test("Members of an archive that are no numbers are named, and the others are read")
  func otherTypes() throws {
    func member(_ descr: String, _ count: Int) -> [UInt8] {
      file(
        "{'descr': \(descr), 'fortran_order': False, 'shape': (2,), }",
        [UInt8](repeating: 0, count: count))
    }
    let bytes = ZipArchive.encode([
      "a.npy": NPY.encode(StoredArray([1, 2])), "text.npy": member("'<U2'", 16),
      "bytes.npy": member("'|S1'", 2), "objects.npy": member("'|O'", 30),
      "complex.npy": member("'<c8'", 16), "dates.npy": member("'<M8[D]'", 16),
      "records.npy": member("[('a', '<f4')]", 8), "long.npy": member("'<f16'", 32), "note": [1],
    ])
    let read = try ArrayFile(bytes, name: "x.npz")
    #expect(read.arrays.keys.sorted() == ["a"])
    #expect(
      read.skipped.mapValues(\.signature) == [
        "text": "text (<U2)[2]", "bytes": "text (|S1)[2]", "objects": "Python objects (|O)[2]",
        "complex": "complex numbers (<c8)[2]", "dates": "dates or durations (<M8[D])[2]",
        "records": "records[2]",
        "long": "numbers of another type (<f16)[2]", "note": "a member that is no .npy file",
      ])
    #expect(throws: ArrayFileError.self) { try NPZ(bytes).arrays() }
  }

  @Test("Bytes that are no .npy or .npz are foreign")
  func foreign() {
    #expect(throws: ArrayFileError.self) { try NPY.decode(Array("hello".utf8)[...]) }
    #expect(throws: ArrayFileError.self) { try NPZ(Array("hello".utf8)) }
    #expect(throws: ArrayFileError.self) { try NPZ([]) }
  }

  @Test("An archive cut anywhere, or with any byte changed, gives an error or the same arrays")
  func damage() throws {
    let array = StoredArray(Tensor<Float>([1, 2, 3]))
    let bytes = NPZ.encode(["a": array, "b": array])
    for count in 0..<bytes.count {
      #expect(throws: ArrayFileError.self) {
        let archive = try NPZ(Array(bytes.prefix(count)))
        _ = (try archive.array("a"), try archive.array("b"))
      }
    }
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= 0x41
      guard let archive = try? NPZ(changed) else { continue }
      for name in ["a", "b"] {
        // A change that no checksum covers (a date, say) leaves the array as it was.
        if let found = try? archive.array(name) { #expect(found == array) }
      }
    }
  }

  @Test("A member that is not there is named, with what is")
  func missing() throws {
    let archive = try NPZ(NPZ.encode(["x": StoredArray([1])]))
    let error = #expect(throws: ArrayFileError.self) { try archive.array("y") }
    #expect(error?.description == "array 'y': not in the file, which holds x")
  }

  private static let named = Dictionary(
    uniqueKeysWithValues: arrays.enumerated().map { ("a\($0)", $1.numPyArray) })
  private static let members = Dictionary(
    uniqueKeysWithValues: named.map { ("\($0.key).npy", NPY.encode($0.value)) })
  /// The arrays in an archive as if 32 bits held 150: some members, most places and the directory are beyond.
  private static let wideArchive = ZipArchive.encode(members, wideAbove: 150)

  @Test("Sizes and places beyond 4 GB go into fields of 64 bits")
  func zip64() throws {
    let sizes = Self.members.values.map(\.count)
    #expect(sizes.contains { $0 > 150 } && sizes.contains { $0 <= 150 })
    #expect(Self.wideArchive.count > ZipArchive.encode(Self.members).count)
    let archive = try NPZ(Self.wideArchive)
    for (name, array) in Self.named { #expect(try archive.array(name) == array) }
  }

  @Test("NumPy reads fields of 64 bits, too", .needs(.python))
  func zip64InNumPy() throws {
    let python = try #require(preparedPython())
    try withTemporaryFolder { folder in
      try AtomicFile.write(Self.wideArchive, to: folder + "/wide.npz")
      let copy = folder + "/copy.npz"
      #expect(try runScript("read_arrays.py", python, [folder + "/wide.npz", copy]).status == 0)
      let copied = try NPZ(AtomicFile.read(copy))
      for (name, array) in Self.named { #expect(try copied.array(name) == array) }
    }
  }

  @Test("Many names of one member are refused before they fill the memory")
  func manyNames() throws {
    let bytes = ZipArchive.encode([
      "a000.npy": NPY.encode(StoredArray(Tensor<Float>(shape: [1 << 18])))
    ])
    // The end record is the last 22 bytes, the directory's only entry is before it.
    let entryCount = 46 + "a000.npy".utf8.count
    let start = bytes.count - 22 - entryCount
    let entry = bytes[start..<start + entryCount]
    var directory: [UInt8] = []
    for number in 100..<200 {
      directory += entry.dropLast(7) + Array("\(number).npy".utf8)
    }
    var end = Array(bytes.suffix(22))
    end.replaceSubrange(8..<12, with: [100, 0, 100, 0])
    let many = bytes[..<start] + directory + end
    #expect(try NPZ(Array(many)).names.count == 100)
    let error = #expect(throws: ArrayFileError.self) {
      try ArrayFile(Array(many), name: "many.npz")
    }
    #expect(error?.description.hasSuffix("arrays of far more than the file's size") ?? false)
  }
}
