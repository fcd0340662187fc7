// The element types of the kernels. C functions take one as a number.

internal import CUnrollKernels
public import RealModule

/// An element type that the kernels know: `Float` or `Double`.
///
/// No other type can conform: only Unroll can make a `_KernelType`.
public protocol KernelScalar: Real, BinaryFloatingPoint, Codable, Sendable {
  /// The name of the type where files and messages need one: `float32` or `float64`.
  static var elementTypeName: String { get }
  /// The kernels' description of the type.
  static var _kernelType: _KernelType<Self> { get }
}

/// What the kernels know of an element type; made by Unroll alone.
public struct _KernelType<Scalar>: Sendable {
  fileprivate let number: Int32
}

extension KernelScalar {
  /// The number by which the kernels know the type.
  static var kernelType: Int32 { _kernelType.number }
}

extension Float: KernelScalar {
  /// The name of the type in files and messages.
  public static var elementTypeName: String { "float32" }
  /// The kernels' description of the type.
  public static var _kernelType: _KernelType<Float> { _KernelType(number: Int32(UNROLL_F32)) }
}

extension Double: KernelScalar {
  /// The name of the type in files and messages.
  public static var elementTypeName: String { "float64" }
  /// The kernels' description of the type.
  public static var _kernelType: _KernelType<Double> { _KernelType(number: Int32(UNROLL_F64)) }
}
