// Files that grow by whole records; a resumed run first removes the records after its checkpoint.

internal import UnrollFormats
internal import UnrollPlatform

/// A lock that gives one process exclusive use of a run's folder.
///
/// It ends with the process. Meanwhile the lock file contains the mark of the process's unfinished files
/// (`AtomicFile.unfinishedMark`), so that the next process can find those of a killed process.
public final class RunLock: Sendable {
  private let descriptor: Int32
  private let path: String
  /// The marks of processes that did not exit cleanly.
  let earlierMarks: [String]

  /// Locks a folder.
  ///
  /// - Throws: `RunError` if another process holds the lock, the file cannot be created, or it contains anything but
  ///   marks.
  init(folder: String) throws {
    path = folder + "/lock"
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw RunError(Self.failure, path: path) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw RunError(.busy, path: folder)
    }
    guard let marks = Self.marks(at: path) else {
      close(descriptor)
      throw RunError(
        .file("expected the lock of a run, found something else; move it out of the folder"),
        path: path)
    }
    earlierMarks = marks
  }

  /// Returns the marks in a lock file; nil if it is malformed.
  static func marks(at path: String) -> [String]? {
    guard let bytes = try? AtomicFile.read(path, limit: 1 << 16) else { return nil }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    let areMarks = lines.allSatisfy { line in
      line.utf8.count == 16
        && line.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
    return areMarks ? lines : nil
  }

  /// Replaces earlier marks, whose files have been removed, with the mark of this process.
  func keepOwnMark() throws {
    let line = AtomicFile.unfinishedMark + "\n"
    guard ftruncate(descriptor, 0) == 0,
      pwrite(descriptor, line, line.utf8.count, 0) == line.utf8.count
    else { throw RunError(Self.failure, path: path) }
  }

  private static var failure: RunError.Problem {
    .file("cannot be written: \(String(cString: strerror(errno)))")
  }

  deinit {
    // A process that exits cleanly has finished or removed its files.
    _ = ftruncate(descriptor, 0)
    close(descriptor)
  }
}

/// A file that is appended to.
struct GrowingFile {
  let path: String

  /// The size of the file; 0 if it does not exist.
  var size: Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Truncates the file to a size.
  func cut(to size: Int) throws {
    guard self.size > size else { return }
    guard truncate(path, off_t(size)) == 0 else { throw failure }
  }

  /// Appends bytes.
  ///
  /// - Parameters:
  ///   - bytes: The bytes to append.
  ///   - waits: Whether to wait until these and all earlier bytes are on disk.
  /// - Throws: `RunError` with the system's reason.
  func append(_ bytes: [UInt8], waits: Bool = true) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    guard descriptor >= 0 else { throw failure }
    defer { close(descriptor) }
    guard AtomicFile.append(bytes, to: descriptor), !waits || fsync(descriptor) == 0 else {
      throw failure
    }
  }

  private var failure: RunError {
    RunError(.file("cannot be written: \(String(cString: strerror(errno)))"), path: path)
  }
}
