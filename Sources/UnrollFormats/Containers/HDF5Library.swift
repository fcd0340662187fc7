// libhdf5, loaded when the first HDF5 file is read or written.

internal import CHDF5
internal import UnrollLibraries

/// The system's HDF5 library.
package enum HDF5Library {
  /// Its version and file.
  private static let loaded = Result { () throws(SystemLibraryError) -> Loaded in
    let library = try SystemLibrary(.hdf5)
    var numbers = [UInt32](repeating: 0, count: 3)
    guard unroll_hdf5_version(library.systemHandle, &numbers) == 0 else {
      throw library.lacks("H5get_libversion")
    }
    let (major, minor, release) = (numbers[0], numbers[1], numbers[2])
    let version = "\(major).\(minor).\(release)"
    // Identifiers have 64 bits from 1.10 on; H5Ovisit2 came with 1.10.3.
    guard (major, minor, release) >= (1, 10, 3) else {
      throw library.refused("is of version \(version)")
    }
    if let missing = unroll_hdf5_load(library.systemHandle) {
      throw library.lacks(String(cString: missing))
    }
    return Loaded(version: version, file: library.file)
  }

  private struct Loaded {
    var version: String
    var file: String
  }

  /// Loads it, the first time.
  ///
  /// - Returns: Its file, as it was asked for.
  /// - Throws: `ArrayFileError` that says how to get it.
  @discardableResult
  static func load() throws(ArrayFileError) -> String {
    do { return try loaded.get().file } catch { throw ArrayFileError(.system(error.description)) }
  }

  /// Whether it is there.
  package static var isAvailable: Bool { (try? loaded.get()) != nil }

  /// The version and the file of the library, or the reason that there is none.
  package static var summary: String {
    switch loaded {
    case .success(let library): "\(library.version) (\(library.file))"
    case .failure(let error): "not found: \(error)"
    }
  }
}
