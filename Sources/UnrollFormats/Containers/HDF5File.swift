// HDF5 files, in which Keras stores weights, read through libhdf5. A file is an image in memory and is read by a separate
// process (CHDF5/process.c): a crafted file may crash libhdf5, but not this program.

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
  /// libhdf5 must not be called by several threads at once.
  private static let lock = NSLock()

  init(arrays: [String: StoredArray], groups: [String] = [], attributes: [String: String] = [:]) {
    self.arrays = arrays
    self.groups = groups
    self.attributes = attributes
  }

  /// Reads a file's image.
  ///
  /// The reading process is this program once more, or the one that `UNROLL_HDF5_READER` names. It holds a copy of the
  /// file, and gets 24 MB and twice the file's size for libhdf5 itself, and 2 s and 1 s per 4 MB of the file; the arrays
  /// may take 40 MB and 8 times the file's size.
  ///
  /// - Parameters:
  ///   - bytes: The file.
  ///   - names: The text attributes of the root that are wanted.
  /// - Throws: `ArrayFileError` if the file is damaged, or asks for too much, and where there is no libhdf5.
  init(_ bytes: [UInt8], attributes names: [String] = []) throws(ArrayFileError) {
    let process = try ReadingProcess(bytes, attributes: names, library: HDF5Library.load())
    do throws(ArrayFileError) {
      try process.awaitBeginning()
      try receive(from: process.output, limit: Self.dataLimit(bytes.count))
      _ = process.stop(isSilent: false)
    } catch {
      let code = process.stop(isSilent: error.problem == Self.silence)
      // The exit status of the process says more than the end of its messages.
      guard error.problem == Self.silence, code > 128 else { throw error }
      let what =
        code == 128 + SIGXCPU || code == 128 + SIGKILL
        ? "libhdf5 comes to no end with it" : "libhdf5 crashes over it (signal \(code - 128))"
      throw ArrayFileError(.malformedHeader(what), arrayName: error.arrayName)
    }
  }

  private static func dataLimit(_ fileSize: Int) -> Int { 40 << 20 + 8 * fileSize }

  /// The error for a missing message.
  private static let silence = ArrayFileError.Problem.malformedHeader("the numbers cannot be read")
  /// The error for an invalid message.
  private static let nonsense = ArrayFileError.Problem.malformedHeader("libhdf5 was led astray")

  /// The process that reads.
  private struct ReadingProcess {
    let identifier: pid_t
    let output: CInt

    /// The program that runs in it.
    let program: String

    init(
      _ bytes: [UInt8], attributes names: [String], library: String
    ) throws(ArrayFileError) {
      let given = ProcessInfo.processInfo.environment["UNROLL_HDF5_READER", default: ""]
      guard !given.isEmpty || unroll_hdf5_is_in_program() != 0 else {
        throw ArrayFileError(
          .system(
            "HDF5 files are read by the running program once more, which must have Unroll linked into itself, and not into a library that it loads; name a program that has, such as the command unroll, in UNROLL_HDF5_READER"
          ))
      }
      program = given.isEmpty ? "this program" : given
      // Without the type, the compiler takes another `flatMap`.
      let texts: [UInt8] = names.flatMap { Array($0.utf8) + [0] }
      var end: CInt = -1
      identifier = Self.withOptional(given) { given in
        library.withCString { library in
          bytes.withUnsafeBytes { bytes in
            texts.withUnsafeBytes { texts in
              var task = unroll_hdf5_task(
                program: given, library: library, bytes: bytes.baseAddress, count: bytes.count,
                attributes: texts.baseAddress, attribute_bytes: Int64(texts.count),
                data_limit: Int64(dataLimit(bytes.count)),
                memory_limit: Int64(24 << 20 + 2 * bytes.count),
                seconds: Int64(2 + bytes.count >> 22))
              return unroll_hdf5_start(&task, &end)
            }
          }
        }
      }
      output = end
      guard identifier >= 0 else {
        throw ArrayFileError(
          .system(
            "no process to read HDF5 in: \(program): \(String(cString: strerror(errno)))"))
      }
    }

    /// Calls a function with a text's characters, or with nothing for an empty text.
    private static func withOptional(
      _ text: String, _ body: (UnsafePointer<CChar>?) -> pid_t
    ) -> pid_t {
      text.isEmpty ? body(nil) : text.withCString { body($0) }
    }

    /// Waits until the process has the file and libhdf5.
    func awaitBeginning() throws(ArrayFileError) {
      var message = unroll_hdf5_message()
      guard unroll_hdf5_take(output, &message, MemoryLayout.size(ofValue: message)) == 0,
        Int(message.what) == UNROLL_HDF5_BEGUN, message.name_bytes == 0
      else {
        throw ArrayFileError(
          .system(
            "the process that reads HDF5 (\(program)) did not begin; UNROLL_HDF5_READER may name another program that has Unroll linked into itself, such as the command unroll"
          ))
      }
    }

    func stop(isSilent: Bool) -> Int32 { unroll_hdf5_stop(identifier, output, isSilent ? 1 : 0) }
  }

  /// Takes the messages of the reading process, which is not trusted either.
  private mutating func receive(from output: CInt, limit: Int) throws(ArrayFileError) {
    var budget = limit
    var isDone = false
    while !isDone {
      var message = unroll_hdf5_message()
      guard unroll_hdf5_take(output, &message, MemoryLayout.size(ofValue: message)) == 0 else {
        throw ArrayFileError(Self.silence)
      }
      let name = String(
        decoding: try Self.bytes(from: output, message.name_bytes, &budget), as: UTF8.self)
      do throws(ArrayFileError) {
        switch Int(message.what) {
        case UNROLL_HDF5_END: isDone = true
        case UNROLL_HDF5_TEXT:
          attributes[name] = String(
            decoding: try Self.bytes(from: output, message.data_bytes, &budget), as: UTF8.self)
        case UNROLL_HDF5_DATASET:
          arrays[name] = try Self.array(message, from: output, &budget)
        case let problem: throw ArrayFileError(Self.problem(problem, message))
        }
      } catch {
        throw ArrayFileError(error.problem, arrayName: name.isEmpty ? nil : name)
      }
    }
  }

  /// The error that the reading process reports.
  private static func problem(
    _ code: Int, _ message: unroll_hdf5_message
  ) -> ArrayFileError.Problem {
    switch code {
    case UNROLL_HDF5_NOT_WHOLE: .foreign(expected: "a whole HDF5 file")
    case UNROLL_HDF5_NOT_LISTED: .malformedHeader("groups cannot be listed")
    case UNROLL_HDF5_NOT_DESCRIBED: .malformedHeader("the dataset cannot be described")
    case UNROLL_HDF5_ELSEWHERE: .unsupportedElementType("a dataset in another file")
    case UNROLL_HDF5_IMPOSSIBLE: .malformedHeader("an impossible shape")
    default: .malformedHeader("a shape of far more than the file can hold")
    }
  }

  private static func array(
    _ message: unroll_hdf5_message, from output: CInt, _ budget: inout Int
  ) throws(ArrayFileError) -> StoredArray {
    let isReal = message.kind == UNROLL_HDF5_REAL
    let type: ElementType =
      isReal
      ? (message.element_size > 4 ? .float64 : .float32)
      : message.is_signed != 0 ? .int64 : .uint64
    let shape = withUnsafeBytes(of: message.sizes) { sizes in
      sizes.bindMemory(to: Int64.self).prefix(max(0, Int(message.rank))).map { Int($0) }
    }
    guard let size = type.byteCount(of: shape) else { throw ArrayFileError(nonsense) }
    guard size == Int(message.data_bytes) else { throw ArrayFileError(nonsense) }
    return StoredArray(
      elementType: type, shape: shape, bytes: try bytes(from: output, message.data_bytes, &budget))
  }

  /// Reads a number of bytes from the pipe.
  private static func bytes(
    from output: CInt, _ count: Int64, _ budget: inout Int
  ) throws(ArrayFileError) -> [UInt8] {
    guard count >= 0, count <= budget else { throw ArrayFileError(nonsense) }
    budget -= Int(count)
    var isWhole = true
    let bytes = [UInt8](unsafeUninitializedCapacity: Int(count)) { room, initialized in
      isWhole = unroll_hdf5_take(output, room.baseAddress, Int(count)) == 0
      initialized = Int(count)
    }
    guard isWhole else { throw ArrayFileError(silence) }
    return bytes
  }

  /// The file's bytes; arrays of float32 and float64 as they are, others as 64-bit integers.
  ///
  /// - Throws: `ArrayFileError` where there is no libhdf5.
  func encoded() throws(ArrayFileError) -> [UInt8] {
    try HDF5Library.load()
    Self.lock.lock()
    defer { Self.lock.unlock() }
    let file = unroll_hdf5_create()
    guard file >= 0 else { throw ArrayFileError(.system("HDF5 could not be started")) }
    defer { unroll_hdf5_close(file) }
    var isWhole = groups.allSatisfy { unroll_hdf5_group(file, $0) == 0 }
    for (path, array) in arrays.inKeyOrder {
      isWhole = try write(array, path, file) && isWhole
    }
    for (name, text) in attributes {
      isWhole = unroll_hdf5_set_text(file, "/", name, text) == 0 && isWhole
    }
    let count = unroll_hdf5_image(file, nil, 0)
    guard isWhole, count > 0 else { throw ArrayFileError(.system("HDF5 could not write the file")) }
    var bytes = [UInt8](repeating: 0, count: Int(count))
    // HDF5 2.0 may return space at the file's end between the question and the answer.
    let copied = bytes.withUnsafeMutableBytes { unroll_hdf5_image(file, $0.baseAddress, $0.count) }
    guard copied > 0, copied <= count else {
      throw ArrayFileError(.system("HDF5 could not write the file"))
    }
    bytes.removeLast(Int(count - copied))
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
