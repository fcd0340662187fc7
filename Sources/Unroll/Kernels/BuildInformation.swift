/// What this build of Unroll computes with.
public enum BuildInformation {
  /// Names and values, for people.
  public static var facts: [(name: String, value: String)] {
    [
      ("kernels", "\(KernelLevel.current.rawValue), compiled for \(architecture)"),
      ("levels here", KernelLevel.available.map(\.rawValue).joined(separator: ", ")),
      ("activations", activations),
      ("products", productLibrary),
      ("threads", "\(Threads.count) of \(Threads.availableCores) cores"),
      ("subnormal numbers", "flushed to zero inside the kernels (kept by the plain ones)"),
    ]
  }

  private static var activations: String {
    KernelLevel.current == .plain
      ? "the C library's, in double, rounded once"
      : "vector polynomials, at most 2 units in the last place off"
  }

  /// Where matrix products come from.
  public static var productLibrary: String { "Unroll's own" }

  private static var architecture: String {
    #if arch(x86_64)
    "x86-64"
    #elseif arch(arm64)
    "arm64"
    #else
    "this machine"
    #endif
  }
}
