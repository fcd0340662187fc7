internal import Foundation

// Models in files, and the arrays in the files next to a model (external data).
//
// Source: onnx/docs/ExternalData.md. A model names the file, relative to its own folder, and the bytes in it.

extension ONNXModel {
  /// Reads a model and the arrays in the files next to it (external data).
  ///
  /// Files of arrays must be in the model's folder, or below it.
  ///
  /// - Parameter path: The model's file.
  /// - Throws: `ArrayFileError` if it cannot be read; `ONNXError` for bytes that are no model, or arrays whose file is
  ///   missing, too short or elsewhere.
  public init(contentsOf path: String) throws { try self.init(FileSource(path)) }

  init(_ source: FileSource) throws {
    try self.init(source.bytes())
    var files = ExternalFiles(model: source.name)
    for index in model.graph.initializer.indices {
      try files.load(&model.graph.initializer[index])
    }
    for index in model.graph.node.indices {
      for place in model.graph.node[index].attribute.indices {
        guard var data = model.graph.node[index].attribute[place].t, data.isExternal else {
          continue
        }
        try files.load(&data)
        model.graph.node[index].attribute[place].t = data
      }
    }
    externalFiles = files.names
  }

  /// Whether bytes are a model: a graph with nodes and outputs.
  static func isModel(_ bytes: [UInt8]) -> Bool {
    guard let model = try? ModelProto(reading: bytes[...]) else { return false }
    return !model.graph.node.isEmpty && !model.graph.output.isEmpty
  }

  /// The paths of the files next to a model.
  func externalPaths(from path: String) -> [String] {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    return externalFiles.map { folder + "/" + $0 }
  }
}

extension TensorProto {
  /// Whether the numbers are in another file.
  package var isExternal: Bool { dataLocation != 0 || !externalData.isEmpty }
}

/// The files with a model's external data.
private struct ExternalFiles {
  /// The folders that may hold files: the model's, and that of the file that it is a link to.
  private let folders: [String]
  private let folder: String
  private var open: [String: (handle: FileHandle, size: Int)] = [:]
  private(set) var names: [String] = []
  private var loaded = 0

  init(model path: String) {
    let url = URL(fileURLWithPath: path)
    folder = url.deletingLastPathComponent().path
    folders = [
      url.deletingLastPathComponent().resolvingSymlinksInPath().path,
      url.resolvingSymlinksInPath().deletingLastPathComponent().path,
    ]
  }

  /// Puts a tensor's numbers into it.
  mutating func load(_ data: inout TensorProto) throws(ONNXError) {
    guard data.isExternal else { return }
    let name = data.name
    func word(_ key: String) -> String? { data.externalData.first { $0.key == key }?.value }
    func number(_ key: String) throws(ONNXError) -> Int? {
      guard let text = word(key) else { return nil }
      guard let number = Int(text), number >= 0 else {
        throw ONNXError(.malformed("'\(name)': expected a number as its \(key), found '\(text)'"))
      }
      return number
    }
    guard let location = word("location"), !location.isEmpty else {
      throw ONNXError(.malformed("'\(name)' is in a file of its own that is not named"))
    }
    guard let type = ONNXType(rawValue: data.dataType) else { return }
    let count = try NDArray<Int>.count(data.dims.map { Int($0) })
    let (size, overflow) = count.multipliedReportingOverflow(by: type.elementType.byteCount)
    let file = try file(location, of: name)
    let (offset, length) = (try number("offset") ?? 0, try number("length") ?? size)
    guard !overflow, length == size else {
      throw ONNXError(
        .malformed("'\(name)' of shape \(data.dims) has \(size) bytes, its file keeps \(length)"))
    }
    guard offset <= file.size, length <= file.size - offset else {
      throw ONNXError(
        .malformed(
          "'\(name)': expected \(length) bytes from byte \(offset) of '\(location)', which has \(file.size)"
        ))
    }
    loaded += length
    // Arrays may share bytes, but a few bytes must not become gigabytes.
    guard loaded <= 64 << 20 || loaded / 10 <= open.values.reduce(0, { $0 + $1.size }) else {
      throw ONNXError(.malformed("its arrays take the same bytes of '\(location)' too often"))
    }
    do {
      try file.handle.seek(toOffset: UInt64(offset))
      data.rawData = try ArraySlice(file.handle.read(upToCount: length) ?? Data())
    } catch {
      throw ONNXError(.malformed("'\(name)': '\(location)' cannot be read"))
    }
    guard data.rawData?.count == length else {
      throw ONNXError(.malformed("'\(name)': '\(location)' was shortened while it was read"))
    }
    (data.dataLocation, data.externalData) = (0, [])
  }

  private mutating func file(
    _ location: String, of array: String
  ) throws(ONNXError) -> (handle: FileHandle, size: Int) {
    if let file = open[location] { return file }
    func refuse(_ why: String) -> ONNXError {
      ONNXError(.unsupported("'\(array)' in the file '\(location)', which is \(why),"))
    }
    guard !location.hasPrefix("/"), !location.split(separator: "/").contains(".."),
      !location.contains("\0")
    else { throw refuse("outside the model's folder") }
    let path = folder + "/" + location
    guard FileManager.default.fileExists(atPath: path) else {
      throw ONNXError(
        .malformed(
          "'\(array)' is in the file '\(location)' (external data), which is not beside the model; keep both in one folder"
        ))
    }
    let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard folders.contains(where: { real.hasPrefix($0 == "/" ? "/" : $0 + "/") }) else {
      throw refuse("a link to a place outside the model's folder")
    }
    let attributes = try? FileManager.default.attributesOfItem(atPath: real)
    guard attributes?[.type] as? FileAttributeType == .typeRegular,
      let size = attributes?[.size] as? Int, let handle = FileHandle(forReadingAtPath: real)
    else { throw refuse("no file that can be read") }
    (open[location], names) = ((handle, size), names + [location])
    return (handle, size)
  }
}
