internal import COneDNN

/// What this build of Unroll computes with.
public enum BuildInformation {
  /// Names and values, for people.
  public static var facts: [(name: String, value: String)] {
    [
      ("kernels", "portable C, compiled for \(architecture)"),
      ("activations", "the C library's exp and tanh, in double"),
      ("large gradient products", "\(productLibrary), float32, one thread"),
      ("threads", "1"),
      ("subnormal numbers", "kept, in float32 and float64"),
    ]
  }

  /// The product library and its version.
  public static var productLibrary: String {
    guard let version = dnnl_version()?.pointee else { return "oneDNN" }
    return "oneDNN \(version.major).\(version.minor).\(version.patch)"
  }

  private static var architecture: String {
    #if arch(x86_64)
    "x86-64 (baseline)"
    #elseif arch(arm64)
    "arm64"
    #else
    "this machine"
    #endif
  }
}
