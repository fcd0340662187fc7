// Reduces numerical sweeps in debug builds.

/// The sizes of numerical sweeps: complete in an optimised build, reduced in a debug build.
///
/// Debug builds are tested for overflow and violations of exclusivity, for which each path of the Swift code must run
/// with a few numbers. Numerical correctness is tested in optimised builds. The C kernels are not optimised in a debug
/// build, so complete sweeps would take minutes.
public enum Sweep {
  /// Returns a size, or a list of sizes, for this build.
  ///
  /// - Parameters:
  ///   - whole: The sizes for an optimised build.
  ///   - debug: The sizes for a debug build: the same paths, smaller or fewer.
  /// - Returns: The sizes for this build.
  public static func size<Size>(_ whole: Size, debug: Size) -> Size {
    #if DEBUG
    debug
    #else
    whole
    #endif
  }
}
