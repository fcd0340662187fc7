// A file that grows by whole records: a resumed run first cuts off what came after its checkpoint.

internal import UnrollFormats
internal import UnrollPlatform

/// A hold on a run's folder: one process at a time.
///
/// It ends with the process, however that ends. While it lasts, the lock file holds the mark of the process's
/// unfinished files (`AtomicFile.unfinishedMark`): of a process that was killed, the next one finds it there.
public final class RunLock: Sendable {
  private let descriptor: Int32
  private let path: String
  /// The marks of processes that did not come to their end.
  let earlierMarks: [String]

  /// Takes the lock file of a folder.
  ///
  /// - Throws: `RunError` if another process has it, the file cannot be made, or it holds something else than marks.
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

  /// The marks in a lock file; nil if it is none.
  static func marks(at path: String) -> [String]? {
    guard let bytes = try? AtomicFile.read(path, limit: 1 << 16) else { return nil }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    let areMarks = lines.allSatisfy { line in
      line.utf8.count == 16
        && line.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
    return areMarks ? lines : nil
  }

  /// Puts this process's mark in the place of earlier ones, whose files have been removed.
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
    // A process that comes to its end has finished or removed its files.
    _ = ftruncate(descriptor, 0)
    close(descriptor)
  }
}

/// A file that is appended to.
struct GrowingFile {
  let path: String

  /// Its size; 0 if it is not there.
  var size: Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Cuts off what stands behind a size.
  func cut(to size: Int) throws {
    guard self.size > size else { return }
    guard truncate(path, off_t(size)) == 0 else { throw failure }
  }

  /// Appends bytes.
  ///
  /// - Parameters:
  ///   - bytes: What is appended.
  ///   - waits: Whether this and all that was appended before is on the disk afterwards.
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
