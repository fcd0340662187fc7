internal import UnrollPlatform

/// A file as memory: a large one is read when it is looked at, a small one at once.
///
/// If another program shortens a large file while it is mapped, its pages disappear (see `MappedFiles`). Files are
/// replaced by renaming here, which does not.
final class MappedFile: Sendable {
  private let memory: FileMemory

  /// The contents.
  var bytes: UnsafeRawBufferPointer { memory.bytes }

  /// Takes a file into memory.
  ///
  /// - Throws: `ArrayFileError` with the system's reason.
  init(_ path: String) throws(ArrayFileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw ArrayFileError(
        .system("\(path): cannot be read: \(String(cString: strerror(errno)))"))
    }
    defer { close(descriptor) }
    do throws(ArrayFileError) {
      memory = try FileMemory(descriptor: descriptor, path: path)
    } catch {
      throw ArrayFileError(.system("\(path): \(error)"))
    }
  }
}
