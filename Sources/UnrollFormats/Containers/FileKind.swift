// The kinds of files that arrays and networks are read from and written to: the only place that looks at the ending of a
// file's name. A file is recognized by its contents. Its ending decides only where the contents have no signature, and
// which kind is written.

/// A kind of file that holds arrays or a network.
public enum FileKind: String, CaseIterable, Sendable {
  /// A single NumPy array.
  case npy = "NumPy array (.npy)"
  /// A NumPy archive of arrays.
  case npz = "NumPy archive (.npz)"
  /// Hugging Face's safetensors.
  case safetensors
  /// PyTorch's zip archive, or its older pickles.
  case torch = "PyTorch (.pt)"
  /// HDF5, alone or in a `.keras` archive.
  case hdf5 = "HDF5 (.h5, .keras)"
  /// A TensorFlow checkpoint.
  case tensorFlow = "TensorFlow checkpoint (.index)"
  /// The index of arrays that are divided among several files.
  case shards = "index of several files (.index.json)"
  /// An ONNX model.
  case onnx = "ONNX (.onnx)"

  /// What is known of a kind, besides how its contents begin.
  private struct Row {
    /// The endings of its files.
    var endings: [String]
    /// Whether the ending decides if the contents do not: they have no signature, or one that a damaged file may lack.
    var trustsEnding = false
    /// The place in the list of written kinds; nil if the kind is only read.
    var written: Int?
    /// Whose names arrays get unless the caller chooses; nil if the kind has names of its own.
    var layout: NetworkLayout?
  }

  private var row: Row {
    switch self {
    case .npy: Row(endings: [".npy"])
    case .npz: Row(endings: [".npz"], written: 2, layout: .unroll)
    case .safetensors:
      Row(endings: [".safetensors"], trustsEnding: true, written: 1, layout: .unroll)
    case .torch: Row(endings: [".pt", ".pth", ".bin"])
    case .hdf5: Row(endings: [".weights.h5", ".h5"], written: 4, layout: .keras)
    case .tensorFlow:
      Row(endings: [".index"], trustsEnding: true, written: 3, layout: .tensorFlow1)
    case .shards: Row(endings: [".index.json"], trustsEnding: true)
    case .onnx: Row(endings: [".onnx"], trustsEnding: true, written: 0)
    }
  }

  /// Whose names the arrays of a written file get unless the caller chooses; nil if the kind has names of its own.
  public var standardLayout: NetworkLayout? { row.layout }

  /// The kinds that are written, in the order of messages.
  public static var written: [FileKind] {
    allCases.filter { $0.row.written != nil }.sorted(byNumber: { $0.row.written ?? 0 })
  }

  /// The endings of the names of written files, as a list in words.
  public static var writtenEndings: String {
    let endings = written.flatMap(\.row.endings)
    return endings.dropLast().joined(separator: ", ") + " or " + (endings.last ?? "")
  }

  /// The kinds that are read, as a list in words.
  public static var readKinds: String { allCases.map(\.rawValue).joined(separator: ", ") }

  // MARK: - By the name

  /// The kind that the ending of a name belongs to; nil if none.
  public init?(endingOf name: String) {
    let kind = Self.allCases.first { $0.row.endings.contains(where: name.hasSuffix) }
    guard let kind else { return nil }
    self = kind
  }

  /// The kind of a file that is to be written.
  ///
  /// - Throws: `ArrayFileError` with the endings if the name has none of them.
  public init(writing path: String) throws(ArrayFileError) {
    guard let kind = FileKind(endingOf: path), kind.row.written != nil else {
      throw ArrayFileError(
        .foreign(
          expected:
            "a name that ends with \(Self.writtenEndings) (.index is TensorFlow's, .h5 Keras')"))
    }
    self = kind
  }

  /// The files that are written under a name: a checkpoint has its numbers next to its index.
  public static func files(writing path: String) -> [String] {
    guard FileKind(endingOf: path) == .tensorFlow else { return [path] }
    return [path, TensorFlowCheckpoint.files(of: path).data]
  }

  /// The name without the ending of this kind, if it has one.
  func stem(of path: String) -> String {
    row.endings.first(where: path.hasSuffix).map { String(path.dropLast($0.count)) } ?? path
  }

  // MARK: - By the contents

  /// Recognizes a file by its contents, or by its ending where they do not tell; nil if it is of no kind, or cannot be read.
  ///
  /// - Parameter path: The file; of a TensorFlow checkpoint also the prefix.
  public init?(contentsOf path: String) {
    let source = try? FileSource(path)
    guard let kind = source.map({ try? $0.kind() }) ?? FileKind(trustedEndingOf: path) else {
      return nil
    }
    self = kind
  }

  /// The kind that the ending of a name belongs to, if the ending may decide.
  fileprivate init?(trustedEndingOf name: String) {
    guard let kind = FileKind(endingOf: name), kind.row.trustsEnding else { return nil }
    self = kind
  }

  /// Whether a file's contents are of this kind.
  ///
  /// - Throws: `ArrayFileError` for a damaged zip archive, which could be of several kinds.
  fileprivate func matches(_ file: FileSource) throws(ArrayFileError) -> Bool {
    let head = file.head
    let isJSON = head.count > 8 && head[8] == UInt8(ascii: "{")
    switch self {
    case .npy: return head.starts(with: NPY.magic)
    case .npz:
      guard file.isZip, try !FileKind.torch.matches(file) else { return false }
      return try !FileKind.hdf5.matches(file)
    // The length of the header, at most 100 MB, then the header.
    case .safetensors: return isJSON && head[4..<8].allSatisfy { $0 == 0 }
    case .torch:
      if file.isZip { return try file.archive().names.contains(where: TorchFile.isPickle) }
      return head.first == 0x80 && !isJSON
    case .hdf5:
      if file.isZip { return try file.archive().contains(ArrayFile.kerasWeights) }
      return head.starts(with: [0x89] + Array("HDF".utf8))
    case .tensorFlow: return file.tail == SortedTable.magic
    case .shards:
      guard head.first == UInt8(ascii: "{") else { return false }
      return try ShardedFile.isIndex(file.bytes())
    case .onnx:
      // The version of the format comes first, or else the graph.
      guard let first = head.first, [0x08, 0x3A].contains(first) else { return false }
      if FileKind(endingOf: file.name) == .onnx { return true }
      return try ONNXModel.isModel(file.bytes())
    }
  }
}

/// The bytes of a file, of which only both ends are read until its kind is known.
final class FileSource {
  /// The name; a TensorFlow checkpoint that is named by its prefix has that of its index.
  let name: String
  /// Whether the bytes come from the file of that name.
  let isFile: Bool
  /// The first bytes, at most 512, and the last 8.
  let head: [UInt8], tail: [UInt8]
  private var whole: [UInt8]?
  private var zip: ZipArchive?
  private var found: FileKind?

  /// Reads both ends of a file.
  ///
  /// - Throws: `ArrayFileError` with the system's reason.
  init(_ path: String) throws(ArrayFileError) {
    let index = path + ".index"
    name = !AtomicFile.exists(path) && AtomicFile.exists(index) ? index : path
    isFile = true
    (head, tail) = try AtomicFile.readEnds(name, first: 512, last: 8)
  }

  /// Takes a file's bytes.
  init(_ bytes: [UInt8], name: String) {
    (self.name, isFile, whole) = (name, false, bytes)
    (head, tail) = (Array(bytes.prefix(512)), Array(bytes.suffix(8)))
  }

  /// Whether all bytes are in memory.
  var hasBytes: Bool { whole != nil }

  /// All bytes; a file is read at the first call.
  func bytes() throws(ArrayFileError) -> [UInt8] {
    if let whole { return whole }
    let bytes = try AtomicFile.read(name, limit: .max)
    whole = bytes
    return bytes
  }

  /// Whether the bytes begin as a zip archive does.
  var isZip: Bool { head.starts(with: [0x50, 0x4B]) }

  /// The archive; its directory is read at the first call.
  ///
  /// - Parameter kind: What the file should be, for errors.
  /// - Returns: The archive.
  /// - Throws: `ArrayFileError` if it is damaged.
  func archive(kind: String = "an archive of arrays") throws(ArrayFileError) -> ZipArchive {
    if let zip { return zip }
    let archive = try ZipArchive(bytes(), kind: kind)
    zip = archive
    return archive
  }

  /// The kind by the contents, or by the ending where they do not tell.
  ///
  /// - Throws: `ArrayFileError` for another kind: what to do with a known one, or the kinds that are read.
  func kind() throws(ArrayFileError) -> FileKind {
    if let found { return found }
    let kind = try recognized()
    found = kind
    return kind
  }

  private func recognized() throws(ArrayFileError) -> FileKind {
    for kind in FileKind.allCases where try kind.matches(self) { return kind }
    if head.starts(with: [0x1F, 0x8B]) {
      throw ArrayFileError(
        .unreadable("a file compressed with gzip; decompress it first (gunzip)"))
    }
    if head.dropFirst(257).starts(with: Array("ustar".utf8)) {
      throw ArrayFileError(
        .unreadable(
          "a tar archive, as PyTorch wrote before 0.2; load it with an old PyTorch and save the state dict again"
        ))
    }
    if let kind = FileKind(trustedEndingOf: name) { return kind }
    throw ArrayFileError(.foreign(expected: "one of \(FileKind.readKinds)"))
  }
}
