// The number of files that this process may have open.

/// The limit on open files of this process.
package enum OpenFileLimit {
  #if canImport(Glibc)
  private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  #else
  private static let resource = RLIMIT_NOFILE
  #endif

  private static var values: rlimit? {
    var limit = rlimit()
    return getrlimit(resource, &limit) == 0 ? limit : nil
  }

  /// The number of files that may be open; nil if it is unknown.
  package static var current: Int? { values.map { Int(clamping: $0.rlim_cur) } }

  /// Raises a lower limit to a number of files, as far as the system allows.
  package static func raise(to wanted: Int) {
    guard var limit = values, limit.rlim_cur < rlim_t(wanted) else { return }
    limit.rlim_cur = min(rlim_t(wanted), limit.rlim_max)
    _ = setrlimit(resource, &limit)
  }
}
