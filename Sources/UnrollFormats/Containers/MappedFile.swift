#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A file as memory: nothing is read until it is looked at.
///
/// Another program that shortens the file meanwhile takes the memory away; files are replaced by renaming
/// here, which does not.
final class MappedFile: @unchecked Sendable {
  // Sendable: nothing changes after `init`.
  let bytes: UnsafeRawBufferPointer

  /// Maps a file.
  ///
  /// - Throws: `ArrayFileError` with the system's reason.
  init(_ path: String) throws(ArrayFileError) {
    func failure() -> ArrayFileError {
      ArrayFileError(.system("\(path): cannot be read: \(String(cString: strerror(errno)))"))
    }
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { throw failure() }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure() }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ArrayFileError(.system("\(path): expected a file, found something else"))
    }
    let size = Int(status.st_size)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
      address != MAP_FAILED
    else { throw failure() }
    bytes = UnsafeRawBufferPointer(start: address, count: size)
  }

  deinit {
    if let start = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    }
  }
}
