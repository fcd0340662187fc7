// Files are written whole or not at all: under another name in the same folder, flushed to the disk, then renamed.

internal import UnrollPlatform

/// Reads and writes whole files.
public enum AtomicFile {
  /// The ending of the names of this process's unfinished files: 16 random hexadecimal digits, so
  /// that a file that a killed process left is distinguished from every other file.
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

  /// Writes a file under an unfinished name in the same folder and flushes it to the disk.
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
    let (descriptor, size) = try opened(path)
    defer { close(descriptor) }
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

  /// Reads up to `first` bytes at the beginning of a file and up to `last` at its end.
  ///
  /// - Throws: `ArrayFileError` with the system's reason.
  static func readEnds(
    _ path: String, first: Int, last: Int
  ) throws(ArrayFileError) -> (head: [UInt8], tail: [UInt8]) {
    let (descriptor, size) = try opened(path)
    defer { close(descriptor) }
    func bytes(_ count: Int, at offset: Int) -> [UInt8] {
      [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        initialized = max(0, pread(descriptor, buffer.baseAddress, count, off_t(offset)))
      }
    }
    let tail = min(last, size)
    return (bytes(min(first, size), at: 0), bytes(tail, at: size - tail))
  }

  /// Opens a file; the caller closes it.
  private static func opened(
    _ path: String
  ) throws(ArrayFileError) -> (descriptor: Int32, size: Int) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("\(path): cannot be read") }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      defer { close(descriptor) }
      throw failure("\(path): cannot be read")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw ArrayFileError(.system("\(path): expected a file, found something else"))
    }
    return (descriptor, Int(status.st_size))
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
