// Files come whole or not at all: written beside their place, flushed to the disk, then renamed.

internal import UnrollPlatform

/// Reading and writing whole files.
public enum AtomicFile {
  /// How the names of this process's unfinished files end: with 16 hexadecimal digits that no other process draws, so
  /// that what a killed process left is told from every other file with certainty.
  package static let unfinishedMark: String = {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }()

  /// The name of a file until it is whole.
  ///
  /// - Parameters:
  ///   - path: Its name from then on.
  ///   - mark: The mark of the process that writes it.
  /// - Returns: The name, in the same folder.
  package static func unfinished(_ path: String, mark: String = unfinishedMark) -> String {
    "\(path).part-\(mark)"
  }

  /// Writes a file so that a reader sees the old contents or the new, never a part.
  ///
  /// - Parameters:
  ///   - bytes: The contents.
  ///   - path: Where the file goes; its folder must exist.
  /// - Throws: `ArrayFileError` with the system's reason; nothing is left behind then.
  public static func write(_ bytes: [UInt8], to path: String) throws(ArrayFileError) {
    try write([(bytes, path)])
  }

  /// Writes files that belong together: all of them are on the disk before the first takes its place.
  ///
  /// - Throws: `ArrayFileError` with the system's reason; where one cannot be written, all stay as they were,
  ///   and where one cannot be renamed, none is new.
  static func write(_ files: [(bytes: [UInt8], path: String)]) throws(ArrayFileError) {
    var ready: [(beside: String, path: String)] = []
    var added: [String] = []
    do throws(ArrayFileError) {
      for file in files { ready.append((try writeBeside(file.bytes, file.path), file.path)) }
      for (beside, path) in ready {
        let isNew = !exists(path)
        guard rename(beside, path) == 0 else {
          throw failure("\(path): cannot be renamed into place")
        }
        if isNew { added.append(path) }
      }
    } catch {
      for file in ready { unlink(file.beside) }
      for path in added { unlink(path) }
      throw error
    }
  }

  /// Writes a file beside its place, down to the disk, and says where.
  private static func writeBeside(
    _ bytes: [UInt8], _ path: String
  ) throws(ArrayFileError) -> String {
    let beside = unfinished(path)
    let descriptor = open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    guard descriptor >= 0 else { throw failure("\(path): cannot be written") }
    let isWhole = append(bytes, to: descriptor) && fsync(descriptor) == 0
    let error = failure("\(path): cannot be written")
    close(descriptor)
    guard isWhole else {
      unlink(beside)
      throw error
    }
    return beside
  }

  /// Writes numbers at the end of an open file.
  ///
  /// - Returns: Whether all of them were written; if not, `errno` says why.
  package static func append<Number: BitwiseCopyable>(
    _ numbers: [Number], to descriptor: Int32
  ) -> Bool {
    numbers.withUnsafeBytes { buffer in
      var written = 0
      while written < buffer.count {
        let count = systemWrite(
          descriptor, buffer.baseAddress.map { $0 + written }, buffer.count - written)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return false }
        written += count
      }
      return true
    }
  }

  /// Makes a folder, and those above it, where they are not there yet.
  ///
  /// - Throws: `ArrayFileError` with the system's reason.
  public static func makeFolder(_ path: String) throws(ArrayFileError) {
    guard mkdir(path, 0o755) != 0, errno != EEXIST else { return }
    if errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      try makeFolder(String(path[..<slash]))
      if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
    }
    throw failure("\(path): cannot be made")
  }

  /// Whether there is a file or folder of that name.
  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Removes a file that is there.
  package static func remove(_ path: String) { unlink(path) }

  /// Reads a whole file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - limit: The largest size that is read.
  /// - Returns: The contents.
  /// - Throws: `ArrayFileError` with the system's reason, or if the file is larger.
  public static func read(_ path: String, limit: Int = 4 << 30) throws(ArrayFileError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { throw failure("\(path): cannot be read") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure("\(path): cannot be read") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ArrayFileError(.system("\(path): expected a file, found something else"))
    }
    let size = Int(status.st_size)
    guard size <= limit else {
      throw ArrayFileError(.system("\(path): expected at most \(limit) bytes, found \(size)"))
    }
    var count = 0
    var error: ArrayFileError?
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
      while count < size {
        let more = systemRead(descriptor, buffer.baseAddress.map { $0 + count }, size - count)
        if more < 0 && errno == EINTR { continue }
        if more < 0 { error = failure("\(path): cannot be read whole") }
        if more <= 0 { break }
        count += more
      }
      initialized = count
    }
    guard count == size else {
      throw error
        ?? ArrayFileError(
          .system(
            "\(path): became shorter while it was read: \(count) bytes instead of \(size)"))
    }
    return bytes
  }

  private static func failure(_ what: String) -> ArrayFileError {
    ArrayFileError(.system("\(what): \(String(cString: strerror(errno)))"))
  }
}

// `read` and `write` are this type's own names, too.
private func systemWrite(_ descriptor: Int32, _ buffer: UnsafeRawPointer?, _ count: Int) -> Int {
  write(descriptor, buffer, count)
}

private func systemRead(
  _ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int
) -> Int {
  read(descriptor, buffer, count)
}
