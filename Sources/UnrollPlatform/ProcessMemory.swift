// How much memory this process may use: the machine's, or what a control group leaves of it.

/// The memory of this process.
package enum ProcessMemory {
  /// The most memory that this process may use, in bytes.
  ///
  /// It is the machine's memory or, if that is less, the smallest limit of the process's control group and of the
  /// groups that contain it. Reads a few small files of the system.
  package static var limit: Double {
    let machine = Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))
    return min(machine, groupLimit(root: "") ?? .infinity)
  }

  /// The smallest memory limit of the control groups that this process is in, of either version, in bytes.
  ///
  /// - Parameter root: The folder in place of `/`, where `proc/self/cgroup` and `sys/fs/cgroup` are.
  /// - Returns: The limit; nil if there is none.
  package static func groupLimit(root: String) -> Double? {
    let groups = lines("\(root)/proc/self/cgroup").compactMap {
      line -> (folder: String, file: String, path: String)? in
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { return nil }
      // "0::/path" is of version 2, "4:memory:/path" of version 1.
      if parts[0] == "0", parts[1].isEmpty { return ("", "memory.max", String(parts[2])) }
      guard parts[1].split(separator: ",").contains("memory") else { return nil }
      return ("/memory", "memory.limit_in_bytes", String(parts[2]))
    }
    var least: Double?
    for (folder, file, path) in groups {
      // A container's path may be one that only its host sees; the files are then in the root of what is mounted.
      var path = path[...]
      while true {
        while path.last == "/" { path.removeLast() }
        // Without a limit version 2 says "max", and version 1 a number above any machine's memory.
        let text = lines("\(root)/sys/fs/cgroup\(folder)\(path)/\(file)").first
        if let bytes = text.flatMap({ Double($0) }) { least = min(least ?? bytes, bytes) }
        guard let slash = path.lastIndex(of: "/") else { break }
        path = path[..<slash]
      }
    }
    return least
  }

  /// The lines of a small file without their ends; empty if it cannot be read.
  private static func lines(_ path: String) -> [String] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
