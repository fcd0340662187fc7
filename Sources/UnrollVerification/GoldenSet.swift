// A golden set: a folder with an `index.json` that lists cases, and an .npz for each, computed by
// other programs. The format is the one that Scripts/golden writes.

internal import Foundation
internal import Unroll
package import UnrollFormats
internal import UnrollLab

/// A folder of arrays that other programs computed.
public struct GoldenSet: Sendable {
  let folder: String
  package let cases: [GoldenCase]
  let sources: [String: JSONValue]

  /// Reads a set's index.
  ///
  /// - Throws: `VerificationError` if the folder holds no index that can be read.
  public init(folder: String) throws(VerificationError) {
    self.folder = folder
    let path = folder + "/index.json"
    let bytes: [UInt8]
    do {
      bytes = try AtomicFile.read(path, limit: 256 << 20)
    } catch {
      throw VerificationError("\(error)")
    }
    let index: JSONValue
    do {
      index = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
    } catch {
      throw VerificationError(
        "\(path): expected the JSON index of a golden set, found \(bytes.count) bytes that are not whole JSON"
      )
    }
    guard let cases = index["cases"]?.array else {
      throw VerificationError(
        "\(path): expected the index of a golden set, with a list 'cases'; found other JSON")
    }
    if let schema = index["schema"], schema.integer != 1 {
      throw VerificationError("\(path): expected schema 1, found \(schema.text)")
    }
    sources = index["sources"]?.object ?? [:]
    var read: [GoldenCase] = []
    for (position, entry) in cases.enumerated() {
      guard let name = entry["name"]?.string, let group = entry["group"]?.string,
        let source = entry["source"]?.string
      else {
        throw VerificationError(
          "\(path): case \(position): expected strings 'name', 'group' and 'source'")
      }
      read.append(GoldenCase(name: name, group: group, source: source, fields: entry))
    }
    self.cases = read
  }

  /// The program that computed a case, with its version.
  func framework(of golden: GoldenCase) -> String {
    let source = sources[golden.source]
    let name = source?["framework"]?.string ?? golden.source
    guard let version = source?["version"]?.string else { return name }
    return "\(name) \(version)"
  }

  /// A file of the set.
  func bytes(_ file: String) throws(VerificationError) -> [UInt8] {
    guard !file.hasPrefix("/"), !file.split(separator: "/").contains("..") else {
      throw VerificationError("\(file): expected a path inside the set")
    }
    do { return try AtomicFile.read("\(folder)/\(file)", limit: 1 << 30) } catch {
      throw VerificationError("\(file): \(error)")
    }
  }

  /// A case's archive.
  package func archive(of golden: GoldenCase) throws(VerificationError) -> NPZ {
    guard let file = golden.fields["file"]?.string else {
      throw VerificationError("the index names no file")
    }
    do {
      let bytes = try bytes(file)
      if let expected = golden.fields["sha256"]?.string {
        let found = sha256(bytes)
        guard found == expected else {
          throw VerificationError(
            "\(file): expected SHA-256 \(expected.prefix(12))…, found \(found.prefix(12))…; the file is damaged or of another set"
          )
        }
      }
      return try NPZ(bytes)
    } catch let error as VerificationError {
      throw error
    } catch {
      throw VerificationError("\(file): \(error)")
    }
  }
}

/// One case of a golden set.
package struct GoldenCase: Sendable {
  package let name: String
  let group: String
  let source: String
  let fields: JSONValue

  /// What the case computes: a cell, or the convention where there is none.
  var cell: String { fields["cell"]?.string ?? fields["convention"]?.string ?? "-" }

  /// The arithmetic in which a network was computed.
  func precision() throws(VerificationError) -> LabPrecision {
    guard let name = fields["dtype"]?.string, let precision = LabPrecision(rawValue: name) else {
      throw VerificationError(
        "dtype: expected float32 or float64, found \(fields["dtype"]?.text ?? "none")")
    }
    return precision
  }

  /// The configuration of the cell.
  func params() throws(VerificationError) -> Parameters {
    guard let value = fields["params"] else { return Parameters(fields: [:], caseName: name) }
    guard let object = value.object else {
      throw VerificationError("params: expected an object in the index, found \(value.text)")
    }
    return Parameters(fields: object, caseName: name)
  }

  /// A size of the case, such as `T`.
  func size(_ name: String) throws(VerificationError) -> Int {
    guard let size = fields["sizes"]?[name]?.integer, size > 0 else {
      throw VerificationError("sizes.\(name): expected a positive integer in the index")
    }
    return size
  }
}

/// A golden set, or a case of it, that cannot be used.
public struct VerificationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One clause.
  public let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// A cell's configuration in the index; a field of another type than it should have is refused.
struct Parameters {
  let fields: [String: JSONValue]
  let caseName: String

  func bool(_ field: String, default fallback: Bool) throws(ModelImportError) -> Bool {
    try value(field, \.bool) ?? fallback
  }

  func number(_ field: String, default fallback: Double) throws(ModelImportError) -> Double {
    try value(field, \.double) ?? fallback
  }

  /// A whole number of at least `least`.
  func size(_ field: String, atLeast least: Int) throws(ModelImportError) -> Int? {
    guard let size = try value(field, \.integer) else { return nil }
    guard (least...1_000_000).contains(size) else { throw unsupported(field) }
    return size
  }

  /// A function by its name.
  ///
  /// - Parameters:
  ///   - field: The field that names it.
  ///   - fallback: The function where the field is not there.
  ///   - hardSigmoid: What the program calls `hard_sigmoid`; Keras 2's by default.
  /// - Returns: The function.
  /// - Throws: `ModelImportError` for a name that is not known.
  func activation(
    _ field: String, default fallback: Activation = .tanh,
    hardSigmoid: Activation = .hardSigmoid(slope: 0.2, offset: 0.5)
  ) throws(ModelImportError) -> Activation {
    switch try value(field, \.string) {
    case nil: return fallback
    case "tanh": return .tanh
    case "relu": return .relu
    case "sigmoid": return .sigmoid
    case "hard_sigmoid": return hardSigmoid
    case "linear": return .identity
    default: throw unsupported(field)
    }
  }

  /// Refuses fields that the cell does not have: they might change the result.
  func check(_ known: [String]) throws(ModelImportError) {
    if let field = fields.keys.sorted().first(where: { !known.contains($0) }) {
      throw unsupported(field)
    }
  }

  func unsupported(_ field: String) -> ModelImportError {
    ModelImportError(
      .unsupported(field: field, value: fields[field]?.text ?? "none"), name: caseName)
  }

  private func value<Value>(
    _ field: String, _ path: KeyPath<JSONValue, Value?>
  ) throws(ModelImportError) -> Value? {
    guard let stored = fields[field], stored != .null else { return nil }
    guard let value = stored[keyPath: path] else { throw unsupported(field) }
    return value
  }
}
