// How many more files a process may open. Foundation's processes and Dispatch's sources end the program where
// they get no descriptor, so whoever starts them asks first.

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// The descriptors that the process may still open.
package enum FreeDescriptors {
  /// Pipes apart, what a process with a reader of its output takes: Foundation's and Dispatch's own descriptors.
  package static let ofProcess = 12

  /// Whether as many files could be opened now.
  package static func areThere(_ count: Int) -> Bool {
    var opened: [Int32] = []
    defer { for descriptor in opened { close(descriptor) } }
    for _ in 0..<count {
      let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { return false }
      opened.append(descriptor)
    }
    return true
  }

  /// The limit, for messages; nil if there is none.
  package static var limit: Int? {
    var limit = rlimit()
    #if canImport(Glibc)
    let result = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    #else
    let result = getrlimit(RLIMIT_NOFILE, &limit)
    #endif
    return result == 0 && limit.rlim_cur < 1 << 40 ? Int(limit.rlim_cur) : nil
  }
}
