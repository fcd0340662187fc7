// The element types of the kernels, and their numbers in C.

internal import CUnrollKernels
public import RealModule

/// An element type of the kernels: `Float` or `Double`.
///
/// No other type can conform because only Unroll can create a `_KernelType`.
public protocol KernelScalar: Real, BinaryFloatingPoint, Codable, Sendable {
  /// The name of the type in files and messages: `float32` or `float64`.
  static var elementTypeName: String { get }
  /// The kernels' description of the type.
  static var _kernelType: _KernelType<Self> { get }
}

/// The kernels' description of an element type; created only by Unroll.
public struct _KernelType<Scalar>: Sendable {
  fileprivate let number: Int32
}

extension KernelScalar {
  /// The number of the type in C.
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
