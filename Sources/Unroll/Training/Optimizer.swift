// How gradients move parameters: the rules as published, one pass over memory each.

internal import CUnrollKernels
internal import UnrollContracts

/// A rule that moves parameters.
public enum Optimizer: Sendable, Equatable, Codable {
  /// p ← p − rate·g.
  case sgd
  /// v ← momentum·v + g, p ← p − rate·v (Polyak; PyTorch's form).
  case momentum(Double)
  /// s ← decay·s + (1 − decay)·g², p ← p − rate·g / (√s + ε) (Tieleman and Hinton 2012).
  case rmsProp(decay: Double, epsilon: Double)
  /// Adam with bias correction (Kingma and Ba 2015); weight decay is decoupled, as in AdamW.
  case adam(beta1: Double, beta2: Double, epsilon: Double)

  /// Adam as published: 0.9, 0.999, 1e-8.
  public static var adam: Optimizer { .adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8) }
}

/// What an optimiser remembers of one parameter.
public struct OptimizerMemory<Scalar: KernelScalar>: Sendable {
  /// Momentum, or Adam's first moment; empty if the rule has none.
  public var first: Tensor<Scalar>
  /// The second moment; empty if the rule has none.
  public var second: Tensor<Scalar>

  /// Zero for a parameter of this shape.
  public init(_ optimizer: Optimizer, shape: [Int]) {
    let (usesFirst, usesSecond) =
      switch optimizer {
      case .sgd: (false, false)
      case .momentum: (true, false)
      case .rmsProp: (false, true)
      case .adam: (true, true)
      }
    first = Tensor(shape: usesFirst ? shape : [0])
    second = Tensor(shape: usesSecond ? shape : [0])
  }
}

extension Optimizer {
  /// Moves one parameter by its gradient.
  ///
  /// - Parameters:
  ///   - parameter: The parameter.
  ///   - gradient: dL/d parameter.
  ///   - memory: What the optimiser remembers of this parameter.
  ///   - rate: The learning rate.
  ///   - gradientScale: A factor of the gradient: what clipping leaves of it.
  ///   - weightDecay: Added to the gradient as decay·p; with Adam p shrinks by rate·decay instead.
  ///   - step: Counts from 1, for Adam's bias correction.
  /// - Precondition: The three have one shape; the memory is this rule's.
  /// - Complexity: One pass over memory; no allocation unless a tensor is shared.
  public func move<Scalar: KernelScalar>(
    _ parameter: inout Tensor<Scalar>, by gradient: Tensor<Scalar>,
    memory: inout OptimizerMemory<Scalar>, rate: Double, gradientScale: Double = 1,
    weightDecay: Double = 0, step: Int
  ) {
    var update = unroll_update()
    update.rate = rate
    update.gradient_scale = gradientScale
    update.weight_decay = weightDecay
    update.step = Int64(step)
    let (usesFirst, usesSecond): (Bool, Bool)
    switch self {
    case .sgd:
      update.kind = Int32(UNROLL_SGD)
      (usesFirst, usesSecond) = (false, false)
    case .momentum(let momentum):
      update.kind = Int32(UNROLL_MOMENTUM)
      update.momentum = momentum
      (usesFirst, usesSecond) = (true, false)
    case .rmsProp(let decay, let epsilon):
      update.kind = Int32(UNROLL_RMSPROP)
      update.beta2 = decay
      update.epsilon = epsilon
      (usesFirst, usesSecond) = (false, true)
    case .adam(let beta1, let beta2, let epsilon):
      update.kind = Int32(UNROLL_ADAM)
      update.beta1 = beta1
      update.beta2 = beta2
      update.epsilon = epsilon
      (usesFirst, usesSecond) = (true, true)
    }
    let count = parameter.count
    require(
      gradient.count == count && memory.first.count == (usesFirst ? count : 0)
        && memory.second.count == (usesSecond ? count : 0),
      "Optimizer.move: expected a gradient and memory of \(count) numbers, got \(gradient.count), \(memory.first.count) and \(memory.second.count)."
    )
    parameter.makeUnique()
    memory.first.makeUnique()
    memory.second.makeUnique()
    withExtendedLifetime((parameter, gradient, memory)) {
      Scalar._move(
        parameter.base, gradient.base, usesFirst ? memory.first.base : nil,
        usesSecond ? memory.second.base : nil, count, &update)
    }
  }
}
