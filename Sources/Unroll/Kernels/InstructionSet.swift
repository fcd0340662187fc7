internal import CUnrollKernels

/// An instruction set for which kernels are compiled.
///
/// The best set that the machine supports is chosen once, at first use. The environment variable `UNROLL_ISA` overrides
/// the choice; a value that is empty or not supported by the machine is ignored. Results of different sets agree within
/// rounding. Within one set, results are bit-identical for any batch and number of threads.
public enum InstructionSet: String, Sendable, Codable, CaseIterable {
  /// The plain path, unit by unit and on one thread; the oracle for the others.
  case plain
  /// The minimum of the architecture: SSE2 on x86-64, NEON on arm64.
  case baseline
  /// AVX2 and FMA.
  case avx2
  /// AVX-512 F, BW, DQ and VL.
  case avx512

  /// The set in use.
  public static var current: InstructionSet { InstructionSet(unroll_isa()) }

  /// The sets that this machine supports, in ascending order.
  public static var available: [InstructionSet] {
    allCases.filter { $0.kernel <= unroll_best_isa() }
  }

  /// Calls `body` with another instruction set for the calling thread; for tests.
  package func use<Result>(_ body: () throws -> Result) rethrows -> Result {
    let before = unroll_force_isa(kernel)
    defer { unroll_force_isa(before) }
    return try body()
  }

  init(_ kernel: Int32) {
    self = Self.allCases[Int(kernel)]
  }

  private var kernel: Int32 {
    switch self {
    case .plain: Int32(UNROLL_PLAIN)
    case .baseline: Int32(UNROLL_BASELINE)
    case .avx2: Int32(UNROLL_AVX2)
    case .avx512: Int32(UNROLL_AVX512)
    }
  }
}
