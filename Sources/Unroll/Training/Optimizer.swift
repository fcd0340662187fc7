// How gradients move parameters: the rules as published, one pass over memory each.

internal import CUnrollKernels
internal import UnrollContracts

/// A rule that updates parameters.
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

/// The state of an optimizer for one parameter.
public struct OptimizerMemory<Scalar: KernelScalar>: Sendable {
  /// Momentum, or Adam's first moment; empty if the rule has none.
  public internal(set) var first: Tensor<Scalar>
  /// The second moment; empty if the rule has none.
  public internal(set) var second: Tensor<Scalar>
  /// How many times the parameter has been moved: what Adam's bias correction depends on.
  public internal(set) var stepCount = 0

  /// Zero for a parameter of this shape.
  public init(_ optimizer: Optimizer, shape: [Int]) {
    let (usesFirst, usesSecond) = optimizer.usesMoments
    first = Tensor(shape: usesFirst ? shape : [0])
    second = Tensor(shape: usesSecond ? shape : [0])
  }

  /// What another program or an earlier one remembered, such as a checkpoint.
  ///
  /// - Parameters:
  ///   - optimizer: The rule.
  ///   - first: Momentum, or Adam's first moment; nil if the rule has none.
  ///   - second: The second moment; nil if the rule has none.
  ///   - stepCount: How many times the parameter had been moved, at least 0.
  /// - Precondition: There are the moments that the rule has, of one shape.
  public init(
    _ optimizer: Optimizer, first: Tensor<Scalar>?, second: Tensor<Scalar>?, stepCount: Int
  ) {
    self.init(optimizer, shape: (first ?? second)?.shape ?? [0])
    restore(first: first, second: second, stepCount: stepCount)
  }

  /// Takes over what was remembered earlier; the same as making a memory anew, of the same rule.
  package mutating func restore(
    first: Tensor<Scalar>?, second: Tensor<Scalar>?, stepCount: Int
  ) {
    // A parameter without elements has moments without elements, which are left out.
    require(
      first.map { $0.shape == self.first.shape } ?? self.first.isEmpty
        && second.map { $0.shape == self.second.shape } ?? self.second.isEmpty,
      "OptimizerMemory: expected moments of the shapes \(self.first.shape) and \(self.second.shape), got \(first?.shape ?? []) and \(second?.shape ?? [])."
    )
    require(
      stepCount >= 0,
      "OptimizerMemory: expected a step count of at least 0, got \(stepCount).")
    if let first { self.first = first }
    if let second { self.second = second }
    self.stepCount = stepCount
  }
}

extension Optimizer {
  /// Moves one parameter by its gradient, and counts the step in the memory.
  ///
  /// - Parameters:
  ///   - parameter: The parameter.
  ///   - gradient: dL/d parameter.
  ///   - memory: What the optimiser remembers of this parameter; its step count grows by 1.
  ///   - rate: The learning rate: a finite number that is at least 0.
  ///   - gradientScale: A factor of the gradient: what clipping leaves of it. A finite number.
  ///   - weightDecay: Added to the gradient as decay·p; with Adam p shrinks by rate·decay instead. A finite
  ///     number that is at least 0.
  /// - Precondition: The three have one shape; the memory is this rule's; the rule's own numbers are decays in
  ///   0 ..< 1 and an ε of at least 0.
  /// - Complexity: One pass over memory; no allocation unless a tensor is shared.
  public func move<Scalar: KernelScalar>(
    _ parameter: inout Tensor<Scalar>, by gradient: Tensor<Scalar>,
    memory: inout OptimizerMemory<Scalar>, rate: Double, gradientScale: Double = 1,
    weightDecay: Double = 0
  ) {
    checkSettings()
    Self.check(rate: rate, "Optimizer.move")
    require(
      gradientScale.isFinite && weightDecay.isFinite && weightDecay >= 0,
      "Optimizer.move: expected a finite gradient scale and a finite weight decay of at least 0, got \(gradientScale) and \(weightDecay)."
    )
    let shape = parameter.shape
    let uses = usesMoments
    require(
      gradient.shape == shape
        && (uses.first ? memory.first.shape == shape : memory.first.isEmpty)
        && (uses.second ? memory.second.shape == shape : memory.second.isEmpty),
      "Optimizer.move: expected a gradient of shape \(shape) and the memory of this optimizer for it, got \(gradient.shape), \(memory.first.shape) and \(memory.second.shape)."
    )
    memory.stepCount += 1
    apply(
      to: &parameter, gradient, &memory, rate: rate, scale: gradientScale, decay: weightDecay)
  }

  fileprivate func apply<Scalar: KernelScalar>(
    to parameter: inout Tensor<Scalar>, _ gradient: Tensor<Scalar>,
    _ memory: inout OptimizerMemory<Scalar>, rate: Double, scale: Double, decay: Double
  ) {
    var update = unroll_update()
    update.type = Scalar.kernelType
    update.threads = unroll_thread_count()
    update.rate = rate
    update.gradient_scale = scale
    update.weight_decay = decay
    update.step = Int64(memory.stepCount)
    let (usesFirst, usesSecond) = usesMoments
    switch self {
    case .sgd:
      update.kind = Int32(UNROLL_SGD)
    case .momentum(let momentum):
      update.kind = Int32(UNROLL_MOMENTUM)
      update.momentum = momentum
    case .rmsProp(let decay, let epsilon):
      update.kind = Int32(UNROLL_RMSPROP)
      update.beta2 = decay
      update.epsilon = epsilon
    case .adam(let beta1, let beta2, let epsilon):
      update.kind = Int32(UNROLL_ADAM)
      update.beta1 = beta1
      update.beta2 = beta2
      update.epsilon = epsilon
    }
    let count = parameter.count
    parameter.makeUnique()
    memory.first.makeUnique()
    memory.second.makeUnique()
    withExtendedLifetime((parameter, gradient, memory)) {
      unroll_update_parameters(
        &update, parameter.base, gradient.base, usesFirst ? memory.first.base : nil,
        usesSecond ? memory.second.base : nil, count)
    }
  }

  /// Which moments the rule remembers.
  fileprivate var usesMoments: (first: Bool, second: Bool) {
    switch self {
    case .sgd: (false, false)
    case .momentum: (true, false)
    case .rmsProp: (false, true)
    case .adam: (true, true)
    }
  }

  /// Stops the program unless a learning rate is a finite number that is at least 0.
  static func check(rate: Double, _ operation: StaticString) {
    require(
      rate.isFinite && rate >= 0,
      "\(operation): expected a finite learning rate of at least 0, got \(rate).")
  }

  /// Stops the program unless the rule's own numbers make sense.
  private func checkSettings() {
    let decays = 0.0..<1.0
    let isRight =
      switch self {
      case .sgd: true
      case .momentum(let momentum): decays.contains(momentum)
      case .rmsProp(let decay, let epsilon):
        decays.contains(decay) && epsilon >= 0 && epsilon.isFinite
      case .adam(let beta1, let beta2, let epsilon):
        decays.contains(beta1) && decays.contains(beta2) && epsilon >= 0 && epsilon.isFinite
      }
    require(
      isRight,
      "Optimizer.move: expected decays in 0 ..< 1 and a finite ε of at least 0, got \(self).")
  }
}

extension Tensor {
  /// Moves every number by a share of the way to another tensor's: a running mean, with a share of 1 / n.
  ///
  /// - Precondition: The shapes agree; the share is in 0 ... 1.
  package mutating func approach(_ other: Tensor, share: Double) {
    require(
      shape == other.shape && (0...1).contains(share),
      "Tensor.approach: expected shape \(shape) and a share in 0 ... 1, got \(other.shape) and \(share)."
    )
    // A step of descent whose gradient is this tensor less the other one.
    var memory = OptimizerMemory<Scalar>(.sgd, shape: [0])
    Optimizer.sgd.apply(to: &self, other, &memory, rate: -share, scale: 1, decay: -1)
  }
}
