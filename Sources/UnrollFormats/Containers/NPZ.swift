// NumPy's .npz: a zip archive of .npy files.
//
// Source: `numpy.savez`.

/// NumPy's `.npz` format: named arrays in one archive.
public struct NPZ: Sendable {
  private let archive: ZipArchive
  /// The archive's name of each array.
  private let members: [String: String]

  /// The names of the arrays, sorted.
  public var names: [String] { members.keys.sortedNames() }

  /// Reads an archive's directory; arrays are decoded when asked for.
  ///
  /// - Throws: `ArrayFileError` for bytes that are no whole zip archive.
  public init(_ bytes: [UInt8]) throws(ArrayFileError) {
    self.init(try ZipArchive(bytes, kind: "a .npz file"))
  }

  /// Takes an archive whose directory was read.
  init(_ archive: ZipArchive) {
    self.archive = archive
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
  /// - Throws: `ArrayFileError` if one is damaged or holds other things than numbers, or if they are far more
  ///   than the file: many names may stand for one member.
  public func arrays() throws(ArrayFileError) -> [String: StoredArray] {
    let (result, skipped) = try contents()
    for name in skipped.keys.sortedNames() {
      throw ArrayFileError(.unsupportedElementType(skipped[name]?.kind ?? ""), arrayName: name)
    }
    return result
  }

  /// Decodes all arrays of numbers, and says what the other members are.
  ///
  /// - Throws: `ArrayFileError` if one is damaged, or if they are far more than the file.
  func contents() throws(ArrayFileError) -> (
    arrays: [String: StoredArray], skipped: [String: SkippedValue]
  ) {
    var (result, skipped) = ([String: StoredArray](), [String: SkippedValue]())
    var budget = expansionLimit(archive.byteCount)
    for name in names {
      guard let array = try numbers(name, &skipped) else { continue }
      // A member without numbers costs time, too.
      budget -= array.byteCount + 64
      guard budget >= 0 else {
        throw ArrayFileError(
          .malformedHeader("arrays of far more than the file's size"), arrayName: name)
      }
      result[name] = array
    }
    return (result, skipped)
  }

  /// The array of a name; nil if the member is something else, which is noted.
  private func numbers(
    _ name: String, _ skipped: inout [String: SkippedValue]
  ) throws(ArrayFileError) -> StoredArray? {
    guard let member = members[name] else { return nil }
    guard member.hasSuffix(".npy") else {
      skipped[name] = SkippedValue(kind: "a member that is no .npy file")
      return nil
    }
    do throws(ArrayFileError) {
      switch try NPY.contents(of: archive.contents(member)[...]) {
      case .array(let array): return array
      case .other(_, let what):
        skipped[name] = what
        return nil
      }
    } catch {
      throw ArrayFileError(error.problem, arrayName: name, byteOffset: error.byteOffset)
    }
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
