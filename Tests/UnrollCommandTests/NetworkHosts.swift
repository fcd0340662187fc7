// Two hosts on one machine: network namespaces with host names of their own, joined by a link. A script that enters the
// other namespace takes the place of ssh as MPI's launch agent.

import Foundation
import UnrollTestSupport

/// The reason why two hosts could not be created.
struct HostsRefused: Error {
  let reason: String
}

extension Need {
  /// Mounts /dev/shm with 64 KB, for a process with its own mount namespace.
  static let smallMemoryMount = "mount -t tmpfs -o size=64k tmpfs /dev/shm"

  /// Checked only if MPI is installed, because the check runs commands that need root.
  private static func trial(_ isPossible: () throws -> Bool) -> Bool {
    mpi.isMet() && (try? isPossible()) == true
  }

  private static let hasMounts = trial {
    try NetworkHosts.sh("unshare -m \(smallMemoryMount)") == 0
  }
  private static let hasHosts = trial { try NetworkHosts.canConnect(.fast) }
  private static let hasSlowHosts = hasHosts && trial { try NetworkHosts.canConnect(.slow) }

  /// A private mount namespace.
  static let ownMounts = Need("mounts of its own (root, CAP_SYS_ADMIN)") { hasMounts }
  /// Two network namespaces and a link between them.
  static let twoHosts = Need("network namespaces (root, CAP_SYS_ADMIN, iproute2)") { hasHosts }
  /// A link that delays and loses packets.
  static let slowNetwork = Need("network namespaces with netem, or with TAP devices and Python") {
    hasSlowHosts
  }
}

final class NetworkHosts {
  enum Link: String {
    /// A veth pair.
    case fast
    /// 5 ms of delay and 1 % of loss: by tc's netem, or by Scripts/python/slow_link.py where the kernel
    /// has no netem.
    case slow
  }

  private let names: [String]
  private var forwarder: Process?

  /// Whether two hosts can be joined on this machine.
  static func canConnect(_ link: Link) throws -> Bool {
    let hosts = try NetworkHosts()
    defer { hosts.remove() }
    try hosts.connect(link)
    return true
  }

  /// Makes two namespaces.
  ///
  /// - Throws: `HostsRefused` where that is not allowed.
  init() throws {
    let id = ProcessInfo.processInfo.processIdentifier
    names = ["unroll-a\(id)", "unroll-b\(id)"]
    for name in names where try Self.sh("ip netns add \(name)") != 0 {
      throw HostsRefused(reason: "network namespaces need root, CAP_SYS_ADMIN and iproute2")
    }
  }

  func remove() {
    forwarder?.terminate()
    for name in names { _ = try? Self.sh("ip netns del \(name)") }
  }

  /// Joins the hosts, as 10.77.0.1 and 10.77.0.2.
  ///
  /// - Throws: `HostsRefused` where the link cannot be made.
  func connect(_ link: Link) throws {
    let (a, b) = (names[0], names[1])
    let pair = """
      ip -n \(a) link del unroll0; ip link add unroll0 netns \(a) type veth peer name unroll0 netns \(b) &&
      ip -n \(a) addr add 10.77.0.1/24 dev unroll0 && ip -n \(b) addr add 10.77.0.2/24 dev unroll0 &&
      for host in \(a) \(b); do ip -n $host link set unroll0 up; ip -n $host link set lo up; done
      """
    guard try Self.sh(pair) == 0 else {
      throw HostsRefused(reason: "a veth pair cannot be made here")
    }
    guard link == .slow else { return }
    let netem = [a, b].map {
      "ip netns exec \($0) tc qdisc add dev unroll0 root netem delay 5ms loss 1%"
    }
    if try Self.sh(netem.joined(separator: " && ")) == 0 { return }
    _ = try Self.sh("ip -n \(a) link del unroll0")
    guard let python = preparedPython() else {
      throw HostsRefused(reason: "this kernel has no netem, and UNROLL_PYTHON is not set")
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Scripts/python/slow_link.py")
    process.arguments = [script.path, a, "10.77.0.1/24", b, "10.77.0.2/24", "5", "0.01"]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let word = try output.fileHandleForReading.read(upToCount: 5)
    guard word.map({ String(decoding: $0, as: UTF8.self) }) == "ready" else {
      throw HostsRefused(reason: "this kernel has neither netem nor TAP devices")
    }
    forwarder = process
  }

  /// The launch agent, which mpirun calls with a host and a command.
  func writeAgent(_ path: String) throws {
    let script = """
      #!/bin/sh
      shift
      exec ip netns exec \(names[1]) unshare --uts sh -c "hostname \(names[1]); $*"
      """
    try script.write(toFile: path, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
  }

  /// mpirun on the first host, with one rank on each.
  func mpirun(agent: String, _ command: [String], environment: [String: String]) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    let start = "hostname \(names[0]); exec \"$@\""
    process.arguments =
      ["ip", "netns", "exec", names[0], "unshare", "--uts", "sh", "-c", start, "sh", "mpirun"]
      + ["--mca", "plm_rsh_agent", agent, "--mca", "btl_tcp_if_include", "10.77.0.0/24"]
      + ["--mca", "oob_tcp_if_include", "10.77.0.0/24"]
      + ["--host", "10.77.0.1:1,10.77.0.2:1", "-n", "2", "-x", "UNROLL_THREADS"] + command
    process.environment = environment
    return process
  }

  static func sh(_ command: String) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }
}
