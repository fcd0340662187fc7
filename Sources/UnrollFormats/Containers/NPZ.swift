// NumPy's .npz: a zip archive of .npy files.
//
// Source: `numpy.savez`.

/// NumPy's `.npz` format: named arrays in one archive.
public struct NPZ: Sendable {
  private let archive: ZipArchive
  /// The archive's name of each array.
  private let members: [String: String]
  private let byteCount: Int

  /// The names of the arrays, sorted.
  public var names: [String] { members.keys.sorted() }

  /// Reads an archive's directory; arrays are decoded when asked for.
  ///
  /// - Throws: `ArrayFileError` for bytes that are no whole zip archive.
  public init(_ bytes: [UInt8]) throws(ArrayFileError) {
    byteCount = bytes.count
    archive = try ZipArchive(bytes, kind: "a .npz file")
    members = Dictionary(
      archive.names.map { ($0.hasSuffix(".npy") ? String($0.dropLast(4)) : $0, $0) },
      uniquingKeysWith: { first, _ in first })
  }

  /// Whether there is an array of that name.
  public func contains(_ name: String) -> Bool { members[name] != nil }

  /// Decodes the array of a name.
  ///
  /// - Throws: `ArrayFileError` if there is none, or if it is damaged.
  public func array(_ name: String) throws(ArrayFileError) -> StoredArray {
    guard let member = members[name] else {
      throw ArrayFileError(.missing(available: names), arrayName: name)
    }
    do {
      return try NPY.decode(archive.contents(member)[...])
    } catch {
      throw ArrayFileError(error.problem, arrayName: name, byteOffset: error.byteOffset)
    }
  }

  /// Decodes all arrays.
  ///
  /// - Throws: `ArrayFileError` if one is damaged, or if they are far more than the file: many names may
  ///   stand for one member.
  public func arrays() throws(ArrayFileError) -> [String: StoredArray] {
    var result: [String: StoredArray] = [:]
    var budget = expansionLimit(byteCount)
    for name in names {
      let array = try array(name)
      // A member without numbers costs time, too.
      budget -= array.byteCount + 64
      guard budget >= 0 else {
        throw ArrayFileError(
          .malformedHeader("arrays of far more than the file's size"), arrayName: name)
      }
      result[name] = array
    }
    return result
  }

  /// Encodes named arrays as an archive, in the order of their names.
  ///
  /// The same arrays give the same bytes.
  public static func encode(_ arrays: [String: StoredArray]) -> [UInt8] {
    ZipArchive.encode(
      Dictionary(
        uniqueKeysWithValues: arrays.map { ("\($0.key).npy", NPY.encode($0.value)) }))
  }
}
