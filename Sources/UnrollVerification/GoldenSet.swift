// A golden set: a folder with an `index.json` that lists cases, and an .npz archive for each, computed by other
// programs. Scripts/golden writes this format.

internal import Foundation
internal import Unroll
package import UnrollFormats
internal import UnrollLab

/// A set of reference arrays computed by other programs.
public struct GoldenSet: Sendable {
  let folder: String
  package let cases: [GoldenCase]
  let sources: [String: JSONValue]

  /// Reads a set's index.
  ///
  /// - Throws: `VerificationError` if the index is missing or malformed.
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

  /// Returns the program that computed a case, with its version.
  func framework(of golden: GoldenCase) -> String {
    let source = sources[golden.source]
    let name = source?["framework"]?.string ?? golden.source
    guard let version = source?["version"]?.string else { return name }
    return "\(name) \(version)"
  }

  /// Returns the contents of a file of the set.
  func bytes(_ file: String) throws(VerificationError) -> [UInt8] {
    guard !file.hasPrefix("/"), !file.split(separator: "/").contains("..") else {
      throw VerificationError("\(file): expected a path inside the set")
    }
    do { return try AtomicFile.read("\(folder)/\(file)", limit: 1 << 30) } catch {
      throw VerificationError("\(file): \(error)")
    }
  }

  /// Returns the archive of a case.
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

  /// The quantity under test: a cell, or the convention if there is none.
  var cell: String { fields["cell"]?.string ?? fields["convention"]?.string ?? "-" }

  /// Returns the precision in which a network was computed.
  func precision() throws(VerificationError) -> LabPrecision {
    guard let name = fields["dtype"]?.string, let precision = LabPrecision(rawValue: name) else {
      throw VerificationError(
        "dtype: expected float32 or float64, found \(fields["dtype"]?.text ?? "none")")
    }
    return precision
  }

  /// Returns the configuration of the cell.
  func params() throws(VerificationError) -> Parameters {
    guard let value = fields["params"] else { return Parameters(fields: [:], caseName: name) }
    guard let object = value.object else {
      throw VerificationError("params: expected an object in the index, found \(value.text)")
    }
    return Parameters(fields: object, caseName: name)
  }

  /// Returns a size of the case, such as `T`.
  func size(_ name: String) throws(VerificationError) -> Int {
    guard let size = fields["sizes"]?[name]?.integer, size > 0 else {
      throw VerificationError("sizes.\(name): expected a positive integer in the index")
    }
    return size
  }
}

/// An error in a golden set or one of its cases.
public struct VerificationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A clause that describes the error.
  public let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// A cell's configuration in the index; fields of unexpected types are rejected.
struct Parameters {
  let fields: [String: JSONValue]
  let caseName: String

  func bool(_ field: String, default fallback: Bool) throws(ModelImportError) -> Bool {
    try value(field, \.bool) ?? fallback
  }

  func number(_ field: String, default fallback: Double) throws(ModelImportError) -> Double {
    try value(field, \.double) ?? fallback
  }

  /// Returns a whole number of at least `least`.
  func size(_ field: String, atLeast least: Int) throws(ModelImportError) -> Int? {
    guard let size = try value(field, \.integer) else { return nil }
    guard (least...1_000_000).contains(size) else { throw unsupported(field) }
    return size
  }

  /// Returns the activation named by a field.
  ///
  /// - Parameters:
  ///   - field: The field.
  ///   - fallback: The activation if the field is missing.
  ///   - hardSigmoid: The program's definition of `hard_sigmoid`; that of Keras 2 by default.
  /// - Returns: The activation.
  /// - Throws: `ModelImportError` for an unknown name.
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

  /// Rejects fields that the cell does not support, because they might change the result.
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
