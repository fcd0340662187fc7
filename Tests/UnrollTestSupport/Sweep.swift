// How much of a numerical sweep a build runs.

/// The sizes of numerical sweeps: whole in an optimised build, smaller in a debug build.
///
/// A debug build is tested to find overflow and violations of exclusivity. Each path of the Swift code has to run for that,
/// with few numbers; whether the numbers are right is what the optimised build is tested for. The kernels in C are not
/// optimised in a debug build either, so that whole sweeps would take minutes there.
public enum Sweep {
  /// A size, or a list of sizes.
  ///
  /// - Parameters:
  ///   - whole: What an optimised build runs.
  ///   - debug: What a debug build runs: the same paths, smaller or less often.
  /// - Returns: The one of this build.
  public static func size<Size>(_ whole: Size, debug: Size) -> Size {
    #if DEBUG
    debug
    #else
    whole
    #endif
  }
}
