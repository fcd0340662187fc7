// PyTorch's .pt, .pth and .bin files. Since 1.6 a zip archive of a pickle, which says what there is, and of
// the tensors' memory:
//
//   <folder>/data.pkl    the pickle, run by a machine that builds tensors only
//   <folder>/data/<key>  a storage's bytes
//   <folder>/byteorder   "little" or "big", where it is there
//
// Before 1.6 (and today with `_use_new_zipfile_serialization=False`) pickles one after the other, then the
// storages, always little-endian:
//
//   0x1950a86a20f9469cfc6c, 1001, a dictionary of the machine's sizes, the object, the list of keys;
//   for each key its number of elements as int64, and the elements
//
// Source: `torch.serialization`.

/// The tensors of a PyTorch file: a state dict, or a dictionary with state dicts in it.
public struct TorchFile: Sendable {
  /// The tensors by name; names in inner dictionaries begin with the keys of those, joined by dots.
  public let arrays: [String: StoredArray]
  /// Numbers and strings next to the tensors, such as an epoch.
  public let metadata: [String: String]
  /// Everything else: objects of other classes, and tensors of unsupported types.
  public let skipped: [String: SkippedValue]

  /// Reads a file's bytes.
  ///
  /// - Throws: `ArrayFileError` if it is no such file, is damaged, holds a whole module, or asks for a
  ///   function of the system.
  public init(_ bytes: [UInt8]) throws(ArrayFileError) {
    try self.init(FileSource(bytes, name: ""))
  }

  /// Reads a file of either container.
  init(_ file: FileSource) throws(ArrayFileError) {
    let bytes = try file.bytes()
    let content =
      file.isZip || bytes.first != 0x80
      ? try Self.archive(file.archive(kind: "a PyTorch file")) : try Self.stream(bytes)
    var collector = TorchCollector(
      machine: content.machine, memory: content.memory, isBigEndian: content.isBigEndian,
      budget: expansionLimit(bytes.count))
    try collector.take(content.value, name: "", depth: 0)
    (arrays, metadata, skipped) = (collector.arrays, collector.metadata, collector.skipped)
    if arrays.isEmpty, let module = collector.firstModule {
      throw ArrayFileError(
        .unreadable(
          "a whole pickled module (\(module)), which only its own program can load; save its state dict: torch.save(model.state_dict(), path)"
        ))
    }
    if case .object(let index) = content.value, arrays.isEmpty {
      throw ArrayFileError(
        .unreadable(
          "a pickled object (\(content.machine.objects[index].name)); save a state dict: torch.save(model.state_dict(), path)"
        ))
    }
  }

  /// The contents of a file before its tensors are collected.
  private struct Content {
    var machine: PickleMachine
    var value: PickleValue
    var memory: TorchMemory
    var isBigEndian = false
  }

  // MARK: Since 1.6

  /// Whether a member of a zip archive is a PyTorch file's pickle.
  static func isPickle(_ member: String) -> Bool {
    member == "data.pkl" || member.hasSuffix("/data.pkl")
  }

  private static func archive(_ archive: ZipArchive) throws(ArrayFileError) -> Content {
    let pickles = archive.names.filter(isPickle)
    guard pickles.count == 1, let pickle = pickles.first else {
      throw ArrayFileError(
        .foreign(expected: "a PyTorch file with one data.pkl, not \(pickles.count)"))
    }
    let folder = String(pickle.dropLast("data.pkl".count))
    if archive.contains(folder + "constants.pkl") {
      throw ArrayFileError(
        .unreadable(
          "a TorchScript program (torch.jit.save), which is code and weights together; save its state dict: torch.save(torch.jit.load(path).state_dict(), other_path)"
        ))
    }
    let (machine, value): (PickleMachine, PickleValue)
    do {
      (machine, value) = try PickleMachine.run(
        archive.contents(pickle)[...], budget: expansionLimit(archive.byteCount))
    } catch {
      throw ArrayFileError(error.problem, arrayName: "data.pkl", byteOffset: error.byteOffset)
    }
    var isBigEndian = false
    if archive.contains(folder + "byteorder") {
      isBigEndian = try archive.contents(folder + "byteorder").starts(with: Array("big".utf8))
    }
    return Content(
      machine: machine, value: value, memory: .archive(archive, folder: folder),
      isBigEndian: isBigEndian)
  }

  // MARK: Before 1.6

  /// 0x1950a86a20f9469cfc6c, least significant byte first.
  private static let magic: [UInt8] = [
    0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19,
  ]

  private static func stream(_ bytes: [UInt8]) throws(ArrayFileError) -> Content {
    var position = 0
    func next(_ budget: Int) throws(ArrayFileError) -> (PickleMachine, PickleValue) {
      let result = try PickleMachine.run(bytes[position...], budget: budget)
      position = result.0.end
      return result
    }
    // The first value, which need not be read whole, distinguishes other pickles.
    guard case .large(magic)? = try? PickleMachine.run(bytes.prefix(64), budget: 1 << 16).1 else {
      throw ArrayFileError(
        .unreadable(
          "a plain Python pickle, not a file of torch.save; load it in Python and save its arrays with numpy.savez(path, **arrays), or a state dict with torch.save(state_dict, path)"
        ))
    }
    _ = try next(1 << 16)
    guard case .integer(1001) = try next(1 << 16).1 else {
      throw ArrayFileError(.malformedHeader("expected protocol 1001 of PyTorch's old files"))
    }
    _ = try next(1 << 16)
    let (machine, value) = try next(expansionLimit(bytes.count))
    guard case (let keyMachine, .list(let index)) = try next((4 << 20) + bytes.count) else {
      throw ArrayFileError(.malformedHeader("expected the list of storages"))
    }
    let keys = keyMachine.lists[index]
    var (parts, reader) = ([String: Range<Int>](), ByteReader(bytes[position...]))
    for key in keys {
      guard case .text(let key) = key, let storage = machine.storages[key], parts[key] == nil
      else { throw ArrayFileError(.malformedHeader("a storage that no tensor has")) }
      let count = try reader.integer(Int64.self)
      guard count == Int64(storage.count), count <= 1 << 50 else {
        throw ArrayFileError(
          .malformedHeader("a storage of \(count) numbers, expected \(storage.count)"),
          byteOffset: reader.position - 8)
      }
      let start = reader.position
      _ = try reader.take(storage.count * storage.type.byteCount)
      parts[key] = start..<reader.position
    }
    return Content(machine: machine, value: value, memory: .stream(bytes, parts))
  }
}

/// The place of the storages.
enum TorchMemory {
  case archive(ZipArchive, folder: String)
  case stream([UInt8], [String: Range<Int>])
}
