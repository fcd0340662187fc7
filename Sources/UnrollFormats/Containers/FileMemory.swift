// A file's bytes in memory. Another program may shorten a file that is mapped: the next look at a page beyond
// its new end would then end the process (SIGBUS). Files that fit are therefore read whole; larger ones are
// mapped, and a command says which one it was.

internal import CUnrollKernels
internal import UnrollPlatform

/// Handling of files that another program shortens while they are mapped.
public enum MappedFiles {
  /// Lets the process end with a sentence on standard error and exit code 1 where it would crash: when it reads a
  /// mapped file that another program has shortened.
  ///
  /// Installs a handler of SIGBUS for the whole process, so a program calls it once, and a library never.
  public static func reportShortened() { unroll_report_shortened_files() }
}

/// The bytes of a file, read or mapped.
package final class FileMemory: @unchecked Sendable {
  // Sendable: nothing changes after `init`.
  /// The bytes, of the size that the file had.
  package let bytes: UnsafeRawBufferPointer
  private let isMapped: Bool

  /// Files up to this size are read: 32 MB, which takes about 10 ms.
  package static let copiedSize = 32 << 20

  /// Takes an open file into memory.
  ///
  /// - Parameters:
  ///   - descriptor: The file; it may be closed afterwards.
  ///   - path: Its name, for the sentence about a file that became shorter.
  ///   - copiedSize: Up to which size it is read rather than mapped: a hook for tests.
  /// - Throws: `ArrayFileError` with the system's reason, without the path.
  package init(
    descriptor: Int32, path: String, copiedSize: Int = FileMemory.copiedSize
  ) throws(ArrayFileError) {
    func failure() -> ArrayFileError {
      ArrayFileError(.system("cannot be read: \(String(cString: strerror(errno)))"))
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure() }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ArrayFileError(.system("expected a file, found something else"))
    }
    let size = Int(status.st_size)
    isMapped = size > copiedSize
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    if isMapped {
      guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
        address != MAP_FAILED
      else { throw failure() }
      bytes = UnsafeRawBufferPointer(start: address, count: size)
      unroll_note_mapping(address, size, path)
      return
    }
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
    bytes = UnsafeRawBufferPointer(copy)
    var count = 0
    while count < size {
      let more = pread(
        descriptor, copy.baseAddress.map { $0 + count }, size - count, off_t(count))
      if more < 0 && errno == EINTR { continue }
      // `deinit` frees the copy.
      if more < 0 { throw failure() }
      if more == 0 {
        throw ArrayFileError(
          .system("became shorter while it was read: \(count) bytes instead of \(size)"))
      }
      count += more
    }
  }

  deinit {
    guard let start = bytes.baseAddress else { return }
    if isMapped {
      unroll_forget_mapping(start)
      munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    } else {
      bytes.deallocate()
    }
  }
}
