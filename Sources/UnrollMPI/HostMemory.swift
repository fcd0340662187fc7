// Memory that several processes of a host map. Each rank makes its own part, so that it is near to it, and has
// it filled at once: a host that has too little says so then, and not by a signal when it is written.
// MPI's own (MPI_Win_allocate_shared) promises neither that, nor an alignment, and waits inside MPI.

internal import CMPI
internal import Foundation

/// One rank's part.
struct HostMemory {
  let start: UnsafeMutableRawPointer
  let byteCount: Int

  /// Makes memory under a name; nil if the host has too little.
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

  /// Maps what another rank has made; nil if it has not, or it cannot be reached.
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
