// A file of arrays of any kind: from its bytes to named arrays, and back.

/// The arrays of a file, and the metadata stored with them.
public struct ArrayFile: Sendable {
  /// The kind of file.
  public let kind: FileKind
  /// The arrays by name.
  public var arrays: [String: StoredArray]
  /// Strings about them by name, such as a version or a configuration.
  public var metadata: [String: String]
  /// What else the file holds, by name: arrays of unsupported types (text, complex numbers) and objects that are not
  /// arrays.
  public var skipped: [String: SkippedValue] = [:]
  /// The files that were read; empty if the bytes were given.
  public private(set) var files: [String] = []

  /// The array that holds the metadata where a container has no place for them: JSON.
  static let metadataName = "unroll.metadata"
  /// The member of a `.keras` archive that holds the weights.
  static let kerasWeights = "model.weights.h5"

  /// Reads a file.
  ///
  /// The contents decide which kind it is; see ``FileKind``.
  ///
  /// - Parameter path: The file. Of a TensorFlow checkpoint, the `.index` file or the prefix. Of arrays that are
  ///   divided among several files (`model-00001-of-00002.safetensors`), one of them or their index
  ///   (`model.safetensors.index.json`): all are read.
  /// - Throws: `ArrayFileError` if the file is of no known kind, is damaged, or is one of several files of which another is
  ///   missing.
  public init(contentsOf path: String) throws(ArrayFileError) {
    try self.init(FileSource(path))
  }

  /// Reads a file's bytes.
  ///
  /// - Parameters:
  ///   - bytes: The contents of a file other than a TensorFlow checkpoint or an index, which consist of several.
  ///   - name: Its name, which decides where the contents do not tell.
  /// - Throws: `ArrayFileError` if the file is of no known kind, or damaged.
  public init(_ bytes: [UInt8], name: String) throws(ArrayFileError) {
    try self.init(single: FileSource(bytes, name: name))
  }

  /// Reads a file, and those that belong to it.
  init(_ source: FileSource) throws(ArrayFileError) {
    if let shards = try ShardedFile(source) {
      self = try shards.merged()
    } else {
      try self.init(single: source)
    }
  }

  /// Reads one file, even if it is one of several that belong together.
  init(single source: FileSource) throws(ArrayFileError) {
    switch try source.kind() {
    case .npy:
      (kind, metadata) = (.npy, [:])
      arrays = ["array": try NPY.decode(source.bytes()[...])]
    case .npz:
      let archive = try source.archive()
      let contents = try NPZ(archive).contents()
      if contents.arrays.isEmpty { try Self.checkNPZ(archive.names) }
      self = try ArrayFile(.npz, contents.arrays)
      skipped = contents.skipped
    case .safetensors:
      // A large model is mapped, and an array is read when it is used.
      let file: Safetensors =
        source.hasBytes
        ? try Safetensors(source.bytes()) : try Safetensors(mapping: source.name)
      (kind, arrays, metadata) = (.safetensors, file.arrays, file.metadata)
      skipped = file.skipped
    case .torch:
      let file = try TorchFile(source)
      (kind, arrays, metadata) = (.torch, file.arrays, file.metadata)
      skipped = file.skipped
    case .hdf5 where source.isZip: self = try ArrayFile(keras: source.archive())
    case .hdf5:
      self = try ArrayFile(hdf5: source.bytes())
      if KerasNames.isShard(source.name) { metadata[KerasNames.shardKey] = source.name }
    case .tensorFlow:
      guard FileKind(endingOf: source.name) == .tensorFlow else {
        throw ArrayFileError(
          .unreadable(
            "the index of a TensorFlow checkpoint, whose numbers are in other files; give it its name, PREFIX.index, next to PREFIX.data-00000-of-00001"
          ))
      }
      let checkpoint = try TensorFlowCheckpoint(contentsOf: source.name)
      self = try ArrayFile(.tensorFlow, checkpoint.arrays)
      files = checkpoint.files
    case .shards:
      throw ArrayFileError(.unreadable("an index of arrays that are in several other files"))
    case .onnx:
      throw ArrayFileError(.unreadable("an ONNX model, which is a graph and not a file of arrays"))
    }
    if files.isEmpty, source.isFile { files = [source.name] }
  }

  /// Adds the arrays of another file that belongs to this one.
  ///
  /// - Throws: `ArrayFileError` if an array is in both.
  mutating func merge(_ other: ArrayFile) throws(ArrayFileError) {
    for (name, array) in other.arrays {
      guard arrays.updateValue(array, forKey: name) == nil else {
        throw ArrayFileError(
          .unreadable("\(other.files.first ?? ""): the array '\(name)' is in another file, too"))
      }
    }
    metadata.merge(other.metadata) { first, _ in first }
    skipped.merge(other.skipped) { first, _ in first }
    files += other.files
  }

  /// Refuses zip archives of other programs, which have no `.npy` member.
  private static func checkNPZ(_ names: [String]) throws(ArrayFileError) {
    if names.contains(where: { $0.hasSuffix("archive_format") || $0.hasSuffix("/archive_version") })
    {
      throw ArrayFileError(
        .unreadable(
          "a program of torch.export (.pt2); save its state dict: torch.save(torch.export.load(path).state_dict, other_path)"
        ))
    }
    guard names.isEmpty || names.contains(where: { $0.hasSuffix(".npy") }) else {
      let some = names.prefix(4).joined(separator: ", ")
      throw ArrayFileError(
        .unreadable("a zip archive without arrays of NumPy or PyTorch; it holds \(some)"))
    }
  }

  private init(hdf5 bytes: [UInt8]) throws(ArrayFileError) {
    let file = try HDF5File(
      bytes, attributes: [KerasNames.configurationKey, KerasNames.versionKey])
    self = try ArrayFile(.hdf5, file.arrays)
    metadata.merge(file.attributes) { $1 }
  }

  /// Reads Keras 3's archive: weights, and next to them the configuration and the version.
  private init(keras archive: ZipArchive) throws(ArrayFileError) {
    self = try ArrayFile(hdf5: archive.contents(Self.kerasWeights))
    if archive.contains("config.json") {
      metadata[KerasNames.configurationKey] = String(
        decoding: try archive.contents("config.json"), as: UTF8.self)
    }
    if archive.contains("metadata.json"),
      let words = try? JSONWords.decode(archive.contents("metadata.json"))
    {
      metadata.merge(words) { $1 }
    }
  }

  /// Takes the metadata out of the array that holds them.
  private init(_ kind: FileKind, _ arrays: [String: StoredArray]) throws(ArrayFileError) {
    self.kind = kind
    self.arrays = arrays
    metadata = [:]
    if let words = self.arrays.removeValue(forKey: Self.metadataName) {
      // Containers without bytes hold wider integers.
      metadata = try JSONWords.decode(words.integers().map { UInt8(truncatingIfNeeded: $0) })
    }
  }

  /// Creates contents for a file that is to be written.
  ///
  /// - Parameters:
  ///   - path: The file, whose ending decides the kind.
  ///   - arrays: The arrays by name.
  ///   - metadata: Strings about them by name.
  /// - Throws: `ArrayFileError` for an ending that arrays are not written under.
  public init(
    for path: String, arrays: [String: StoredArray], metadata: [String: String] = [:]
  ) throws(ArrayFileError) {
    kind = try FileKind(writing: path)
    (self.arrays, self.metadata) = (arrays, metadata)
  }

  /// Writes the file whole, or not at all.
  ///
  /// - Throws: `ArrayFileError` with the system's reason.
  public func write(to path: String) throws(ArrayFileError) {
    var all = arrays
    if !metadata.isEmpty && kind != .safetensors {
      let words = JSONWords.encode(metadata)
      all[Self.metadataName] = StoredArray(
        elementType: .uint8, shape: [words.count], bytes: words)
    }
    switch kind {
    case .safetensors:
      try AtomicFile.write(Safetensors(arrays: arrays, metadata: metadata).encoded(), to: path)
    case .npz: try AtomicFile.write(NPZ.encode(all), to: path)
    case .tensorFlow: try TensorFlowCheckpoint(arrays: all).write(to: path)
    case .hdf5: try writeHDF5(all, to: path)
    case .npy, .torch, .shards, .onnx:
      throw ArrayFileError(.system("\(path): arrays are not written as \(kind.rawValue)"))
    }
  }

  private func writeHDF5(
    _ all: [String: StoredArray], to path: String
  ) throws(ArrayFileError) {
    // Keras looks for the variables of every layer, also where it has none of its own.
    let suffix = "/cell/vars/0"
    let layers = all.keys.filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.count)) }
    let groups = ["vars"] + layers.sortedNames().map { $0 + "/vars" }
    try AtomicFile.write(HDF5File(arrays: all, groups: groups).encoded(), to: path)
  }
}
