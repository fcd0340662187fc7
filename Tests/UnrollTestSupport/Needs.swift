// The list of requirements that some tests have. A test whose requirement is missing is skipped with a message;
// `./run test` counts these tests, and `./run test --rest` runs them.

import Foundation
import Testing
import UnrollFigures

/// A requirement of a test.
public struct Need: Sendable {
  /// Its name, as the object of "needs".
  public let name: String
  /// Whether it is available.
  public let isMet: @Sendable () -> Bool

  /// A requirement of a single suite.
  public init(_ name: String, isMet: @escaping @Sendable () -> Bool) {
    self.name = name
    self.isMet = isMet
  }

  /// gnuplot.
  public static let gnuplot = Need("gnuplot") { Gnuplot.path() != nil }
  /// A browser with automation.
  public static let browser = Need("chromium and chromium-driver") {
    ["/usr/bin/chromium", "/usr/bin/chromedriver"].allSatisfy {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }
  /// Python with the packages in Scripts/python/requirements.txt.
  public static let python = Need("Python with other programs") { preparedPython() != nil }
  /// Python with PyTorch and Keras 3.
  public static let pythonTorch = Need("PyTorch and Keras 3 (UNROLL_LONG_TESTS=1)") {
    preparedPython("_TORCH") != nil
  }
  /// Python with TensorFlow and Keras 2.
  public static let pythonTensorFlow = Need("TensorFlow and Keras 2 (UNROLL_LONG_TESTS=1)") {
    preparedPython("_TENSORFLOW") != nil
  }
  /// A device that is always full.
  public static let fullDevice = Need("/dev/full") {
    FileManager.default.fileExists(atPath: "/dev/full")
  }
  /// Linux's folder with a process's threads.
  public static let threadFolder = Need("/proc/self/task") {
    FileManager.default.fileExists(atPath: "/proc/self/task")
  }
  /// The command with libunroll-mpi.so next to it, and mpirun.
  public static let mpi = Need("MPI") { mpiBinary != nil }
}

/// The command next to libunroll-mpi.so: `UNROLL_MPI_BINARY`, which `./run test --all` sets where MPI is installed.
public let mpiBinary = ProcessInfo.processInfo.environment["UNROLL_MPI_BINARY"]

extension Trait where Self == ConditionTrait {
  /// Skips a test if any of its requirements is missing.
  public static func needs(_ needs: Need...) -> Self {
    .enabled(
      if: needs.allSatisfy { $0.isMet() },
      Comment(rawValue: "needs " + needs.map(\.name).joined(separator: ", ")))
  }
}
