/// The configuration of this build: instruction set, threads and numeric behaviour.
public enum BuildInformation {
  /// Names and values for display.
  public static var facts: [(name: String, value: String)] {
    [
      ("kernels", "\(InstructionSet.current.rawValue), compiled for \(architecture)"),
      ("instruction sets", InstructionSet.available.map(\.rawValue).joined(separator: ", ")),
      ("activations", activations),
      ("threads", "\(Threads.count) of \(Threads.availableCores) cores"),
      ("subnormal numbers", "taken as zero inside float32 kernels, kept in float64"),
    ]
  }

  private static var activations: String {
    InstructionSet.current == .plain
      ? "the C library's, in double, rounded once"
      : "vector polynomials, at most 2 units in the last place off"
  }

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
