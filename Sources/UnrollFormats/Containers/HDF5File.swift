#if HDF5
// HDF5 files, through libhdf5: what Keras keeps weights in. A file is an image in memory; datasets that
// stand in other files, and those that would take far more memory than the file, are refused.

internal import CHDF5
internal import Foundation

/// The datasets of an HDF5 file, by their paths, and some of its text attributes.
struct HDF5File: Sendable {
  /// The datasets that hold numbers.
  var arrays: [String: StoredArray] = [:]
  /// Groups without datasets, which other programs may expect.
  var groups: [String] = []
  /// Text attributes of the root.
  var attributes: [String: String] = [:]

  static let magic: [UInt8] = [0x89] + Array("HDF\r\n".utf8) + [0x1A, 0x0A]
  /// libhdf5 is not made for many threads at once.
  private static let lock = NSLock()

  init(arrays: [String: StoredArray], groups: [String] = [], attributes: [String: String] = [:]) {
    self.arrays = arrays
    self.groups = groups
    self.attributes = attributes
  }

  /// Reads a file's image.
  ///
  /// - Parameters:
  ///   - bytes: The file.
  ///   - names: The text attributes of the root that are wanted.
  /// - Throws: `ArrayFileError` if the file is damaged, or asks for too much.
  init(_ bytes: [UInt8], attributes names: [String] = []) throws(ArrayFileError) {
    try Self.checkHeaps(bytes)
    Self.lock.lock()
    defer { Self.lock.unlock() }
    let file = bytes.withUnsafeBytes { unroll_hdf5_open($0.baseAddress, $0.count) }
    guard file >= 0 else { throw ArrayFileError(.foreign(expected: "a whole HDF5 file")) }
    defer { unroll_hdf5_close(file) }
    var budget = expansionLimit(bytes.count)
    for path in try Self.datasets(file) {
      do throws(ArrayFileError) {
        if let array = try Self.array(file, path, &budget) { arrays[path] = array }
      } catch {
        throw ArrayFileError(error.problem, arrayName: path)
      }
    }
    for name in names {
      guard let text = unroll_hdf5_text(file, "/", name, bytes.count) else { continue }
      attributes[name] = String(cString: text)
      free(text)
    }
  }

  /// Refuses heaps of texts in which an object takes no room: libhdf5 would go round for ever.
  ///
  /// A collection: "GCOL", version 1, 3 bytes, its size in 8 bytes; then objects, each an index of 2
  /// bytes, 6 bytes, its size in 8 bytes, and that many bytes, in all a multiple of 8. Index 0 is free
  /// room, whose size counts its header.
  private static func checkHeaps(_ bytes: [UInt8]) throws(ArrayFileError) {
    let signature = Array("GCOL".utf8)
    func number(_ place: Int, _ count: Int) -> UInt64 {
      bytes[place..<place + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    var start = 0
    while let place = bytes[start...].firstIndex(of: signature[0]) {
      start = place + 1
      guard bytes[place...].starts(with: signature), place + 16 <= bytes.count else { continue }
      let end = min(UInt64(bytes.count), UInt64(place) &+ min(number(place + 8, 8), 1 << 62))
      var next = UInt64(place + 16)
      while next + 16 <= end {
        let size = min(number(Int(next) + 8, 8), 1 << 62)
        let isFree = number(Int(next), 2) == 0
        let room = isFree ? size : 16 + (size + 7) / 8 * 8
        guard room > 0, room <= end - next else {
          throw ArrayFileError(
            .malformedHeader("an object in a heap takes \(room) bytes of \(end - next)"),
            byteOffset: Int(next))
        }
        next += room
      }
      // What lies in a heap is text, and no heap.
      start = max(start, Int(min(next, UInt64(bytes.count))))
    }
  }

  private final class Found {
    var paths: [String] = []
  }

  private static func datasets(_ file: Int64) throws(ArrayFileError) -> [String] {
    let found = Found()
    let status = unroll_hdf5_visit(
      file,
      { context, name, isDataset in
        guard isDataset != 0, let context, let name else { return }
        Unmanaged<Found>.fromOpaque(context).takeUnretainedValue().paths.append(
          String(cString: name))
      }, Unmanaged.passUnretained(found).toOpaque())
    guard status == 0 else { throw ArrayFileError(.malformedHeader("groups cannot be listed")) }
    return found.paths
  }

  private static func array(
    _ file: Int64, _ path: String, _ budget: inout Int
  ) throws(ArrayFileError) -> StoredArray? {
    var facts = unroll_hdf5_dataset()
    guard unroll_hdf5_describe(file, path, &facts) == 0 else {
      throw ArrayFileError(.malformedHeader("the dataset cannot be described"))
    }
    // Text and compounds are no weights.
    guard facts.kind != Int32(UNROLL_HDF5_OTHER) else { return nil }
    guard facts.is_elsewhere == 0 else {
      throw ArrayFileError(.unsupportedElementType("a dataset in another file"))
    }
    let shape = withUnsafeBytes(of: facts.sizes) { sizes in
      sizes.bindMemory(to: Int64.self).prefix(Int(facts.rank)).map { Int($0) }
    }
    let type: ElementType =
      facts.kind == Int32(UNROLL_HDF5_REAL)
      ? (facts.element_size > 4 ? .float64 : .float32)
      : facts.is_signed != 0 ? .int64 : .uint64
    var size = type.byteCount
    for axis in shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: axis)
      guard axis >= 0, !overflow else {
        throw ArrayFileError(.malformedHeader("impossible shape \(shape)"))
      }
      size = product
    }
    budget -= size
    guard budget >= 0, Int(facts.chunk_bytes) <= budget + size else {
      throw ArrayFileError(
        .malformedHeader("shape \(shape), which is far more than the file can hold"))
    }
    var bytes = [UInt8](repeating: 0, count: size)
    let status = bytes.withUnsafeMutableBytes {
      unroll_hdf5_read(
        file, path, $0.baseAddress, facts.kind, type == .float64 ? 8 : 4, facts.is_signed)
    }
    guard status == 0 else { throw ArrayFileError(.malformedHeader("the numbers cannot be read")) }
    return StoredArray(elementType: type, shape: shape, bytes: bytes)
  }

  /// The file's bytes; arrays of float32 and float64 as they are, others as 64-bit integers.
  func encoded() throws(ArrayFileError) -> [UInt8] {
    Self.lock.lock()
    defer { Self.lock.unlock() }
    let file = unroll_hdf5_create()
    guard file >= 0 else { throw ArrayFileError(.system("HDF5 could not be started")) }
    defer { unroll_hdf5_close(file) }
    var isWhole = groups.allSatisfy { unroll_hdf5_group(file, $0) == 0 }
    for (path, array) in arrays.sorted(by: { $0.key < $1.key }) {
      isWhole = try write(array, path, file) && isWhole
    }
    for (name, text) in attributes {
      isWhole = unroll_hdf5_set_text(file, "/", name, text) == 0 && isWhole
    }
    let count = unroll_hdf5_image(file, nil, 0)
    guard isWhole, count > 0 else { throw ArrayFileError(.system("HDF5 could not write the file")) }
    var bytes = [UInt8](repeating: 0, count: Int(count))
    let copied = bytes.withUnsafeMutableBytes { unroll_hdf5_image(file, $0.baseAddress, $0.count) }
    guard copied == count else { throw ArrayFileError(.system("HDF5 could not write the file")) }
    return bytes
  }

  private func write(
    _ array: StoredArray, _ path: String, _ file: Int64
  ) throws(ArrayFileError) -> Bool {
    var array = array
    let isReal: Bool
    switch array.elementType {
    case .float32, .float64: isReal = true
    case .float16, .bfloat16:
      isReal = true
      array = StoredArray(array.tensor(of: Float.self))
    default:
      isReal = false
      array = StoredArray(
        elementType: .int64, shape: array.shape, bytes: StoredArray(try array.integers()).bytes)
    }
    let sizes = array.shape.map { Int64($0) }
    return array.bytes.withUnsafeBytes {
      unroll_hdf5_write(
        file, path, Int32(sizes.count), sizes,
        Int32(isReal ? UNROLL_HDF5_REAL : UNROLL_HDF5_INTEGER),
        Int32(array.elementType.byteCount), 1, $0.baseAddress) == 0
    }
  }
}
#endif
