// Shared memory for the ranks of one host. Each rank allocates its own part, so that the pages are local to it, and
// reserves the pages at once: insufficient memory is reported here instead of by SIGBUS on a later write.
// MPI_Win_allocate_shared guarantees neither this nor an alignment, and it blocks inside MPI.

internal import CMPI
internal import Foundation

/// The part of one rank.
struct HostMemory {
  let start: UnsafeMutableRawPointer
  let byteCount: Int

  /// Creates shared memory with a name; nil if the host has too little.
  init?(making name: String, byteCount: Int) {
    let file = unroll_host_memory_open(name, 1)
    guard file >= 0 else { return nil }
    defer { close(file) }
    #if os(Linux)
    let isThere = posix_fallocate(file, 0, off_t(byteCount)) == 0
    #else
    let isThere = ftruncate(file, off_t(byteCount)) == 0
    #endif
    guard isThere, let mapped = HostMemory(file, byteCount) else {
      shm_unlink(name)
      return nil
    }
    self = mapped
  }

  /// Maps the memory created by another rank; nil if it does not exist or cannot be reached.
  init?(opening name: String, byteCount: Int) {
    let file = unroll_host_memory_open(name, 0)
    guard file >= 0 else { return nil }
    defer { close(file) }
    guard let mapped = HostMemory(file, byteCount) else { return nil }
    self = mapped
  }

  private init?(_ file: Int32, _ byteCount: Int) {
    let start = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
    guard let start, start != MAP_FAILED else { return nil }
    (self.start, self.byteCount) = (start, byteCount)
  }

  func unmap() { munmap(start, byteCount) }
}
