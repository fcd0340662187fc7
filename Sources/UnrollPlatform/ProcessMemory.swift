// The memory available to this process: the machine's memory or the limit of its control group.

/// The memory of this process.
package enum ProcessMemory {
  /// The maximum memory of this process in bytes.
  ///
  /// The smallest of the machine's memory and the limits of the process's control group and its ancestors. Reads a few
  /// small system files.
  package static var limit: Double {
    let machine = Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))
    return min(machine, groupLimit(root: "") ?? .infinity)
  }

  /// The share of the memory that one piece of work may take; the rest is for code, files and other programs.
  private static let usableShare = 0.9

  /// Whether one piece of work may take this number of bytes.
  package static func holds(_ bytes: Double) -> Bool { bytes <= usableShare * limit }

  /// Returns the smallest memory limit in bytes of the process's control groups, of version 1 or 2.
  ///
  /// - Parameter root: The directory that contains `proc/self/cgroup` and `sys/fs/cgroup`.
  /// - Returns: The limit; nil if there is none.
  package static func groupLimit(root: String) -> Double? {
    let groups = lines("\(root)/proc/self/cgroup").compactMap {
      line -> (folder: String, file: String, path: String)? in
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { return nil }
      // "0::/path" is version 2, "4:memory:/path" version 1.
      if parts[0] == "0", parts[1].isEmpty { return ("", "memory.max", String(parts[2])) }
      guard parts[1].split(separator: ",").contains("memory") else { return nil }
      return ("/memory", "memory.limit_in_bytes", String(parts[2]))
    }
    var least: Double?
    for (folder, file, path) in groups {
      // In a container the path may exist only on the host; the files are then in the root of the mount.
      var path = path[...]
      while true {
        while path.last == "/" { path.removeLast() }
        // Without a limit, version 2 has "max" and version 1 a number larger than any machine's memory.
        let text = lines("\(root)/sys/fs/cgroup\(folder)\(path)/\(file)").first
        if let bytes = text.flatMap({ Double($0) }) { least = min(least ?? bytes, bytes) }
        guard let slash = path.lastIndex(of: "/") else { break }
        path = path[..<slash]
      }
    }
    return least
  }

  /// Returns the lines of a small file without line endings; empty if the file cannot be read.
  private static func lines(_ path: String) -> [String] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
