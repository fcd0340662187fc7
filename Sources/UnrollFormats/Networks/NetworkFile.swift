// Networks in files. The kind of file (FileKind) says which reader gets its bytes, the names of its arrays say which
// program they are from (NetworkLayout). A graph has no names to recognize: its operators are followed.

public import Unroll

/// A file that may hold a recurrent network.
///
/// ``read(_:assuming:)`` reads the network of any kind of file, `write(_:to:layout:)` writes one. To look at a file without a
/// network, create a `NetworkFile` and use its ``contents``.
public struct NetworkFile: Sendable {
  /// The contents of a file.
  public enum Contents: Sendable {
    /// Named arrays.
    case arrays(ArrayFile)
    /// A graph of operators.
    case graph(ONNXModel)
  }

  /// The file.
  public let path: String
  /// The contents.
  public let contents: Contents

  /// Reads a file of any kind.
  ///
  /// - Parameter path: The file, recognized by its contents; of a TensorFlow checkpoint also the prefix.
  /// - Throws: `ArrayFileError`, or `ONNXError` for an ONNX model, if the file is of no known kind, damaged or incomplete.
  public init(contentsOf path: String) throws {
    self.path = path
    let source = try FileSource(path)
    contents =
      try source.kind() == .onnx ? .graph(ONNXModel(source)) : .arrays(ArrayFile(source))
  }

  /// The files that were read, this one and those next to it.
  public var files: [String] {
    switch contents {
    case .arrays(let file): file.files
    case .graph(let model): [path] + model.externalPaths(from: path)
    }
  }

  /// Reads the network of a file and runs the self-test that the file carries.
  ///
  /// - Parameters:
  ///   - path: The file, recognized by its contents; of a TensorFlow checkpoint also the prefix.
  ///   - assumptions: What the file does not say.
  /// - Returns: The network in the file's precision, and how it was read.
  /// - Throws: `ArrayFileError`, `ModelImportError` or `ONNXError`, also for a network that fails its self-test.
  public static func read(
    _ path: String, assuming assumptions: NetworkAssumptions = NetworkAssumptions()
  ) throws -> ReadNetwork {
    try NetworkFile(contentsOf: path).network(assuming: assumptions)
  }

  /// Finds the network of the file and runs the self-test that the file carries.
  ///
  /// - Parameter assumptions: What the file does not say. One that changes nothing is an error.
  /// - Returns: The network in the file's precision, and how it was read.
  /// - Throws: `ModelImportError`, `ArrayFileError` or `ONNXError`, also for a network that fails its self-test.
  public func network(
    assuming assumptions: NetworkAssumptions = NetworkAssumptions()
  ) throws -> ReadNetwork {
    let given = assumptions.given
    switch contents {
    case .graph(let model):
      guard given.isEmpty else {
        throw ModelImportError(.unneeded(given, by: "an ONNX model"), name: path)
      }
      return model.isDouble
        ? try read(model, as: Double.self) : try read(model, as: Float.self)
    case .arrays(let file):
      guard given.isEmpty || !Self.isOwn(file) else {
        throw ModelImportError(.unneeded(given, by: "a file of Unroll's"), name: path)
      }
      let read = try read(file, assumptions)
      // An assumption matters if another value of it changes the result, so no list of formats is needed.
      for field in given {
        guard let other = try? self.read(file, assumptions.changing(field)),
          other.network.layers == read.network.layers, other.report == read.report
        else { continue }
        throw ModelImportError(.unneeded([field], by: nil), name: path)
      }
      return read
    }
  }

  /// Runs the self-test of a graph, which may carry one though it holds no network.
  ///
  /// - Returns: Whether there is one; nil if the file holds arrays.
  /// - Throws: `ModelImportError`, `ArrayFileError` or `ONNXError` if the graph fails it.
  public func testGraph() throws -> Bool? {
    guard case .graph(let model) = contents else { return nil }
    return try model.isDouble ? model.judge(as: Double.self) : model.judge(as: Float.self)
  }

  private func read<Scalar: KernelScalar>(
    _ model: ONNXModel, as type: Scalar.Type
  ) throws -> ReadNetwork {
    let (network, report) = try model.network(as: type)
    return ReadNetwork(
      origin: "\(path), ONNX model", names: "of operator set \(model.opset)",
      network: AnyNetwork(network), report: report, isTested: try model.judge(as: type),
      files: files)
  }

  private func read(_ file: ArrayFile, _ assumptions: NetworkAssumptions) throws -> ReadNetwork {
    Self.isDouble(file, assuming: assumptions)
      ? try read(file, assumptions, as: Double.self) : try read(file, assumptions, as: Float.self)
  }

  private func read<Scalar: KernelScalar>(
    _ file: ArrayFile, _ assumptions: NetworkAssumptions, as type: Scalar.Type
  ) throws -> ReadNetwork {
    let (imported, isTested) = try Self.network(in: file, assuming: assumptions, as: type)
    return ReadNetwork(
      origin: "\(path), \(file.kind.rawValue)",
      names: "by the names of \(imported.layout.rawValue)",
      network: AnyNetwork(imported.network), report: imported.report, isTested: isTested,
      files: files)
  }
}

// MARK: - Arrays

extension NetworkFile {
  /// Whether a file's arrays have Unroll's own names and description, which leave nothing open.
  public static func isOwn(_ file: ArrayFile) -> Bool {
    file.metadata[OwnNames.descriptionKey] != nil
  }

  /// Whether a file's network needs `Double`.
  ///
  /// It does if the file's self-test says so, or if one of the network's own arrays is float64. Other arrays, such as
  /// the loss of a checkpoint, do not count.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - assumptions: Which network is meant, and what the arrays do not say.
  /// - Returns: Whether the network is to be read as `Double`.
  public static func isDouble(
    _ file: ArrayFile, assuming assumptions: NetworkAssumptions = NetworkAssumptions()
  ) -> Bool {
    if let outputs = (try? NetworkCheck<Float>.stored(in: file.metadata))?["outputs"] {
      return outputs.elementType == .float64
    }
    let wide = file.arrays.filter { $0.value.elementType == .float64 }
    guard !wide.isEmpty else { return false }
    guard let read: ImportedNetwork<Float> = try? imported(file, assumptions) else { return true }
    let others = Set(read.others)
    return wide.keys.contains { !others.contains($0) }
  }

  /// Reads a network from a file's arrays in a chosen precision.
  ///
  /// A self-test that the file carries is run; a network that fails it is not returned.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - assumptions: What the arrays do not say.
  ///   - type: The precision in which the network computes.
  /// - Returns: The network, how it was read, and whether the file carried a self-test.
  /// - Throws: `ModelImportError` or `ArrayFileError`.
  public static func network<Scalar: KernelScalar>(
    in file: ArrayFile, assuming assumptions: NetworkAssumptions = NetworkAssumptions(),
    as type: Scalar.Type = Scalar.self
  ) throws -> (imported: ImportedNetwork<Scalar>, isTested: Bool) {
    let imported: ImportedNetwork<Scalar> = try imported(file, assumptions)
    guard let check = try NetworkCheck<Scalar>(file.metadata) else { return (imported, false) }
    try check.judge(imported.network)
    return (imported, true)
  }

  private static func imported<Scalar: KernelScalar>(
    _ file: ArrayFile, _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> ImportedNetwork<Scalar> {
    if let text = file.metadata[OwnNames.descriptionKey] {
      return try OwnNames.network(file, description: text)
    }
    return try NetworkLayout.importing(file, assumptions)
  }
}

// MARK: - Writing

extension NetworkFile {
  /// Writes a network with a self-test.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - path: The file; its ending decides the kind.
  ///   - layout: Whose names the arrays get; nil: TensorFlow's in its checkpoints, Keras' in HDF5, Unroll's elsewhere. An ONNX
  ///     model has names of its own.
  /// - Returns: What was written, and what had to be done besides renaming and transposing.
  /// - Throws: `ModelImportError` for what the other program cannot express, `ArrayFileError` for an unknown ending or a
  ///   file that cannot be written.
  public static func write(
    _ network: AnyNetwork, to path: String, layout: NetworkLayout? = nil
  ) throws -> WrittenNetwork {
    switch network {
    case .single(let network): try write(network, to: path, layout: layout)
    case .double(let network): try write(network, to: path, layout: layout)
    }
  }

  /// Writes a network of a known precision with a self-test; otherwise like `write(_:to:layout:)`.
  public static func write<Scalar: KernelScalar>(
    _ network: RecurrentNetwork<Scalar>, to path: String, layout: NetworkLayout? = nil
  ) throws -> WrittenNetwork {
    guard let standard = try FileKind(writing: path).standardLayout else {
      if let layout {
        throw ModelImportError(
          .inexpressible(field: "names", value: layout.rawValue), name: "ONNX")
      }
      return try write(ONNXModel.exporting(network), to: path)
    }
    let layout = layout ?? standard
    var metadata = [NetworkCheck<Scalar>.key: NetworkCheck(of: network).encoded]
    var written = WrittenNetwork(isDouble: Scalar.self == Double.self)
    if let names = layout.names {
      (written.arrays, written.notes) = try layout.exporting(network, by: names)
      if layout == .keras {
        metadata[KerasNames.configurationKey] = try KerasConfiguration.text(of: network)
      }
    } else {
      written.arrays = OwnNames.arrays(network)
      metadata[OwnNames.descriptionKey] = try OwnNames.description(network)
    }
    try ArrayFile(for: path, arrays: written.arrays, metadata: metadata).write(to: path)
    return written
  }

  /// Writes a language model as a graph from symbols to logits, with a self-test.
  ///
  /// - Parameters:
  ///   - network: The recurrent layers.
  ///   - parts: What surrounds them.
  ///   - metadata: Strings to store by name, such as a vocabulary.
  ///   - path: The file; its ending must be that of a graph.
  /// - Returns: What was written.
  /// - Throws: As `write(_:to:layout:)`.
  public static func write<Scalar: KernelScalar>(
    _ network: RecurrentNetwork<Scalar>, with parts: ONNXLanguageParts<Scalar>,
    metadata: [String: String], to path: String
  ) throws -> WrittenNetwork {
    guard try FileKind(writing: path) == .onnx else {
      throw ModelImportError(
        .inexpressible(field: "embedding", value: "of a language model"), name: path)
    }
    return try write(
      ONNXModel.exporting(network, parts: parts, metadata: metadata), to: path)
  }

  private static func write(
    _ graph: (model: ONNXModel, notes: [String]), to path: String
  ) throws -> WrittenNetwork {
    try AtomicFile.write(graph.model.encoded(), to: path)
    return WrittenNetwork(
      inputs: graph.model.inputs, outputs: graph.model.outputs, notes: graph.notes,
      isDouble: graph.model.isDouble)
  }
}

// MARK: - Results

/// A network that was read from a file, and how.
public struct ReadNetwork: Sendable {
  /// The file and its kind.
  public let origin: String
  /// Whose names its arrays have, or the operator set of a graph.
  public let names: String
  /// The network in the file's precision.
  public let network: AnyNetwork
  /// A report on every array and operator.
  public let report: ImportReport
  /// Whether the file carries a self-test, which the network passed.
  public let isTested: Bool
  /// The files that were read.
  public let files: [String]
}

/// The contents of a file that was written.
public struct WrittenNetwork: Sendable {
  /// The arrays by their names in the file; none for a graph.
  public internal(set) var arrays: [String: StoredArray] = [:]
  /// The inputs and outputs of a graph.
  public internal(set) var inputs: [String] = [], outputs: [String] = []
  /// A line for each change besides renaming and transposing.
  public var notes: [String] = []
  /// Whether the numbers are float64.
  public internal(set) var isDouble: Bool
}
