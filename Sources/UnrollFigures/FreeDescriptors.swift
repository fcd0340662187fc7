// How many more files a process may open. Foundation's processes and Dispatch's sources end the program where
// they get no descriptor, so whoever starts them asks first.

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// The descriptors that the process may still open.
package enum FreeDescriptors {
  /// What a process with a reader of its output takes besides the pipes: Foundation's and Dispatch's own
  /// descriptors.
  private static let ofProcess = 12
  /// The limit below which Foundation starts no process: it closes the first 256 descriptors in it, and the
  /// system refuses to close one that is not below the limit.
  private static let leastLimit = 256

  /// Why a process with pipes cannot be started; nil if it can.
  package static var refusal: String? {
    if let limit, limit < leastLimit {
      return
        "this process may open too few files (the limit is \(limit), expected at least \(leastLimit)); raise it with ulimit -n"
    }
    return areThere(ofProcess)
      ? nil
      : "this process has too many files open (the limit is \(limit ?? 0)); raise it with ulimit -n"
  }

  /// Whether as many files could be opened now.
  private static func areThere(_ count: Int) -> Bool {
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
  private static var limit: Int? {
    var limit = rlimit()
    #if canImport(Glibc)
    let result = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    #else
    let result = getrlimit(RLIMIT_NOFILE, &limit)
    #endif
    return result == 0 && limit.rlim_cur < 1 << 40 ? Int(limit.rlim_cur) : nil
  }
}
