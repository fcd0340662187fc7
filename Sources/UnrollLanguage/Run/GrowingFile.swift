// A file that grows by whole records: a resumed run first cuts off what came after its checkpoint.

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A hold on a run's folder: one process at a time.
///
/// It ends with the process, however that ends.
public final class RunLock: Sendable {
  private let descriptor: Int32

  /// Takes the lock file of a folder.
  ///
  /// - Throws: `RunError` if another process has it, or the file cannot be made.
  init(folder: String) throws {
    descriptor = open(folder + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw RunError(
        .file("cannot be written: \(String(cString: strerror(errno)))"), path: folder + "/lock")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw RunError(.busy, path: folder)
    }
  }

  deinit { close(descriptor) }
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

  /// Appends bytes, and waits until they are on the disk.
  func append(_ bytes: [UInt8]) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    guard descriptor >= 0 else { throw failure }
    defer { close(descriptor) }
    let isWhole = bytes.withUnsafeBytes { buffer in
      var written = 0
      while written < buffer.count {
        let more = write(
          descriptor, buffer.baseAddress.map { $0 + written }, buffer.count - written)
        if more < 0 && errno == EINTR { continue }
        if more <= 0 { return false }
        written += more
      }
      return fsync(descriptor) == 0
    }
    guard isWhole else { throw failure }
  }

  private var failure: RunError {
    RunError(.file("cannot be written: \(String(cString: strerror(errno)))"), path: path)
  }
}
