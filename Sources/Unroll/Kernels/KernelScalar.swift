// The element types of the kernels. C functions take one as a number.

internal import CUnrollKernels
public import RealModule

/// An element type that the kernels know: `Float` or `Double`.
///
/// Other types cannot usefully conform.
public protocol KernelScalar: Real, BinaryFloatingPoint, Codable, Sendable {
  /// The name of the type where files and messages need one: `float32` or `float64`.
  static var elementTypeName: String { get }
  /// The number by which the kernels know the type.
  static var _kernelType: Int32 { get }
}

extension Float: KernelScalar {
  /// The name of the type in files and messages.
  public static var elementTypeName: String { "float32" }
  /// The number by which the kernels know the type.
  public static var _kernelType: Int32 { Int32(UNROLL_F32) }
}

extension Double: KernelScalar {
  /// The name of the type in files and messages.
  public static var elementTypeName: String { "float64" }
  /// The number by which the kernels know the type.
  public static var _kernelType: Int32 { Int32(UNROLL_F64) }
}
