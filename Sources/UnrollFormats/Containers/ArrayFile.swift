// A file of arrays, whichever container it is.

/// The arrays of a file, and the words beside them.
public struct ArrayFile: Sendable {
  /// The containers that are read.
  public enum Container: String, Sendable, CaseIterable {
    /// NumPy's single array.
    case npy = "NumPy array (.npy)"
    /// NumPy's archive.
    case npz = "NumPy archive (.npz)"
    /// Hugging Face's safetensors.
    case safetensors
    /// PyTorch's zip archive.
    case torch = "PyTorch (.pt)"
    /// HDF5, alone or in a `.keras` archive.
    case hdf5 = "HDF5 (.h5, .keras)"
    /// TensorFlow's checkpoint.
    case tensorFlow = "TensorFlow checkpoint (.index)"
  }

  /// The container.
  public let container: Container
  /// The arrays by name.
  public var arrays: [String: StoredArray]
  /// Words about them.
  public var metadata: [String: String]
  /// What the file holds besides, and is not read: arrays of text, complex numbers and so on, and objects that
  /// are no arrays, by name.
  public var skipped: [String: SkippedValue] = [:]

  /// The array that holds the words where a container has no place for them: JSON.
  static let metadataName = "unroll.metadata"

  /// Reads a file.
  ///
  /// Its first bytes say which container it is; a safetensors file and a TensorFlow checkpoint are known by
  /// their names.
  ///
  /// - Parameter path: The file; of a TensorFlow checkpoint the `.index` file or the prefix. Of arrays that are
  ///   divided among several files (`model-00001-of-00002.safetensors`), one of them or their index
  ///   (`model.safetensors.index.json`): all are read.
  /// - Throws: `ArrayFileError` if it is none of the containers, is damaged, or is one of several files of
  ///   which another is missing.
  public init(contentsOf path: String) throws(ArrayFileError) {
    if let shards = try ShardedFile(path) {
      self = try shards.merged()
    } else {
      try self.init(single: path)
    }
  }

  /// Reads one file, also if it is one of several that belong together.
  init(single path: String) throws(ArrayFileError) {
    if path.hasSuffix(".index") || !AtomicFile.exists(path) && AtomicFile.exists(path + ".index") {
      let checkpoint = try TensorFlowCheckpoint(contentsOf: path)
      self = try ArrayFile(.tensorFlow, checkpoint.arrays)
      return
    }
    if path.hasSuffix(".safetensors") {
      // Large models are not read before they are looked at.
      self = ArrayFile(try Safetensors(mapping: path))
      return
    }
    try self.init(AtomicFile.read(path, limit: .max), name: path)
  }

  /// Reads a file's bytes.
  ///
  /// - Parameters:
  ///   - bytes: The file, other than a TensorFlow checkpoint, which is several.
  ///   - name: Its name; a safetensors file has no magic number.
  /// - Throws: `ArrayFileError` if it is none of the containers, or damaged.
  public init(_ bytes: [UInt8], name: String) throws(ArrayFileError) {
    if bytes.starts(with: [0x93] + Array("NUMPY".utf8)) {
      (container, metadata) = (.npy, [:])
      arrays = ["array": try NPY.decode(bytes[...])]
    } else if bytes.starts(with: [0x50, 0x4B]) {
      let archive = try ZipArchive(bytes, kind: "an archive of arrays")
      if archive.contains("model.weights.h5") {
        self = try ArrayFile(keras: archive)
      } else if archive.names.contains(where: { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }) {
        self = ArrayFile(try TorchFile(bytes))
      } else {
        let contents = try NPZ(bytes).contents()
        if contents.arrays.isEmpty { try Self.checkNPZ(archive.names) }
        self = try ArrayFile(.npz, contents.arrays)
        skipped = contents.skipped
      }
    } else if bytes.starts(with: [0x89] + Array("HDF".utf8)) {
      self = try ArrayFile(hdf5: bytes)
      if KerasNames.isShard(name) { metadata[KerasNames.shardKey] = name }
    } else if bytes.first == 0x80 && bytes.dropFirst(8).first != UInt8(ascii: "{") {
      self = ArrayFile(try TorchFile(bytes))
    } else if bytes.starts(with: [0x1F, 0x8B]) {
      throw ArrayFileError(
        .unreadable("a file compressed with gzip; decompress it first (gunzip)"))
    } else if bytes.dropFirst(257).starts(with: Array("ustar".utf8)) {
      throw ArrayFileError(
        .unreadable(
          "a tar archive, as PyTorch wrote before 0.2; load it with an old PyTorch and save the state dict again"
        ))
    } else if name.hasSuffix(".safetensors") || bytes.dropFirst(8).first == UInt8(ascii: "{") {
      self = ArrayFile(try Safetensors(bytes))
    } else {
      throw ArrayFileError(
        .foreign(
          expected:
            "one of \(Container.allCases.map(\.rawValue).joined(separator: ", "))"))
    }
  }

  private init(_ file: Safetensors) {
    (container, arrays, metadata) = (.safetensors, file.arrays, file.metadata)
    skipped = file.skipped
  }

  private init(_ file: TorchFile) {
    (container, arrays, metadata) = (.torch, file.arrays, file.metadata)
    skipped = file.skipped
  }

  /// Refuses zip archives of other programs, which hold no `.npy` file.
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

  /// Keras 3's archive: weights beside the configuration and the version.
  private init(keras archive: ZipArchive) throws(ArrayFileError) {
    self = try ArrayFile(hdf5: archive.contents("model.weights.h5"))
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

  /// Takes words out of the array that holds them.
  private init(
    _ container: Container, _ arrays: [String: StoredArray]
  ) throws(ArrayFileError) {
    self.container = container
    self.arrays = arrays
    metadata = [:]
    if let words = self.arrays.removeValue(forKey: Self.metadataName) {
      // Containers without bytes hold wider integers.
      metadata = try JSONWords.decode(words.integers().map { UInt8(truncatingIfNeeded: $0) })
    }
  }

  /// Creates contents for a path, whose extension says which container.
  ///
  /// - Throws: `ArrayFileError` for an extension that is not written.
  public init(
    for path: String, arrays: [String: StoredArray], metadata: [String: String] = [:]
  ) throws(ArrayFileError) {
    if path.hasSuffix(".safetensors") {
      container = .safetensors
    } else if path.hasSuffix(".npz") {
      container = .npz
    } else if path.hasSuffix(".index") {
      container = .tensorFlow
    } else if path.hasSuffix(".h5") {
      container = .hdf5
    } else {
      throw ArrayFileError(
        .foreign(
          expected:
            "a name that ends with .safetensors, .npz, .index (TensorFlow), .weights.h5 or .h5"))
    }
    self.arrays = arrays
    self.metadata = metadata
  }

  /// Writes the file whole, or not at all.
  ///
  /// - Throws: `ArrayFileError` with the system's reason.
  public func write(to path: String) throws(ArrayFileError) {
    var all = arrays
    if !metadata.isEmpty && container != .safetensors {
      let words = JSONWords.encode(metadata)
      all[Self.metadataName] = StoredArray(
        elementType: .uint8, shape: [words.count], bytes: words)
    }
    switch container {
    case .safetensors:
      try AtomicFile.write(Safetensors(arrays: arrays, metadata: metadata).encoded(), to: path)
    case .npz: try AtomicFile.write(NPZ.encode(all), to: path)
    case .tensorFlow: try TensorFlowCheckpoint(arrays: all).write(to: path)
    case .hdf5: try writeHDF5(all, to: path)
    case .npy, .torch:
      throw ArrayFileError(.system("\(path): \(container.rawValue) is not written"))
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
