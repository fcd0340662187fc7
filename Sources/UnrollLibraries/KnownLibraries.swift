// The libraries that are loaded at run time. On Linux their file names contain the ABI version.

internal import Foundation

extension SystemLibrary.Description {
  /// The serial libhdf5, which has a separate file name on Debian.
  package static let hdf5 = Self(
    need: "HDF5 files (.h5, .keras) need", name: "the HDF5 library, 1.10.3 or newer",
    variable: "UNROLL_HDF5",
    files: onDarwin("libhdf5.dylib")
      ?? ["libhdf5_serial.so", "libhdf5.so"].flatMap { name in
        ["320", "310", "200", "103"].map { "\(name).\($0)" }
      } + ["libhdf5_serial.so", "libhdf5.so"],
    remedy: install(
      "libhdf5-103-1 (Debian 12), libhdf5-310 (Debian 13) or libhdf5-103-1t64 (Ubuntu 24.04)",
      homebrew: "hdf5", variable: "UNROLL_HDF5"))

  /// LAPACK with its Fortran interface and 32-bit integers.
  package static let lapack = Self(
    need: "spectra and orthogonal weights need", name: "LAPACK", variable: "UNROLL_LAPACK",
    files: isDarwin
      ? ["/System/Library/Frameworks/Accelerate.framework/Accelerate"]
      : ["liblapack.so.3", "libopenblas.so.0", "libopenblas.so.3", "libflexiblas.so.3"],
    remedy: install("liblapack3", homebrew: "lapack", variable: "UNROLL_LAPACK"))

  /// The library through which Unroll calls MPI: compiled for the machine's MPI, next to the command.
  package static let mpi = Self(
    need: "training on several processes needs", name: "libunroll-mpi.so", variable: "UNROLL_MPI",
    files: [commandFolder.map { $0 + "/libunroll-mpi.so" }, "libunroll-mpi.so"].compactMap(\.self),
    remedy: "./run mpi builds it next to the command",
    // Plug-ins of some Open MPI releases look up MPI's symbols in the global scope.
    isGlobal: true)

  private static let isDarwin: Bool = {
    #if canImport(Darwin)
    true
    #else
    false
    #endif
  }()

  /// Returns the candidate paths on macOS: the system's search path, then both Homebrew prefixes.
  private static func onDarwin(_ name: String) -> [String]? {
    isDarwin ? [name, "/opt/homebrew/lib/\(name)", "/usr/local/lib/\(name)"] : nil
  }

  private static func install(_ debian: String, homebrew: String, variable: String) -> String {
    "install \(debian) with apt-get, or \(homebrew) with brew, or name the library's file in \(variable)"
  }

  private static var commandFolder: String? {
    Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent().path
  }
}
