internal import CUnrollKernels

/// An instruction set for which kernels are compiled.
///
/// The best that the machine has is chosen once, at the first use, unless the environment variable `UNROLL_ISA` names
/// another one; a name that is empty, or that the machine does not have, is ignored. Results of different sets agree within rounding; within one, the bits of a result depend on neither batch
/// nor threads.
public enum InstructionSet: String, Sendable, Codable, CaseIterable {
  /// The plain path, unit by unit and on one thread: the oracle of the others.
  case plain
  /// What every machine of the kind has: SSE2 on x86-64, NEON on arm64.
  case baseline
  /// AVX2 and FMA.
  case avx2
  /// AVX-512 F, BW, DQ and VL.
  case avx512

  /// The set in use.
  public static var current: InstructionSet { InstructionSet(unroll_isa()) }

  /// Those that this machine has, least first.
  public static var available: [InstructionSet] {
    allCases.filter { $0.kernel <= unroll_best_isa() }
  }

  /// Calls `body` with another set, for what this thread computes meanwhile: a hook for tests.
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
