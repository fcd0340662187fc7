// Update rules as published, each in one pass over memory.

internal import CUnrollKernels
internal import UnrollContracts

/// An update rule for parameters.
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
public struct OptimizerState<Scalar: KernelScalar>: Sendable {
  /// Momentum, or Adam's first moment; empty if the rule has none.
  public internal(set) var first: Tensor<Scalar>
  /// The second moment; empty if the rule has none.
  public internal(set) var second: Tensor<Scalar>
  /// The number of updates so far, used by Adam's bias correction.
  public internal(set) var stepCount = 0

  /// Creates a zero state for a parameter of this shape.
  public init(_ optimizer: Optimizer, shape: [Int]) {
    let (usesFirst, usesSecond) = optimizer.usesMoments
    first = Tensor(shape: usesFirst ? shape : [0])
    second = Tensor(shape: usesSecond ? shape : [0])
  }

  /// Creates a state from stored values, such as those of a checkpoint.
  ///
  /// - Parameters:
  ///   - optimizer: The rule.
  ///   - first: Momentum, or Adam's first moment; nil if the rule has none.
  ///   - second: The second moment; nil if the rule has none.
  ///   - stepCount: The number of updates so far, at least 0.
  /// - Precondition: The moments are those of the rule and have the same shape.
  public init(
    _ optimizer: Optimizer, first: Tensor<Scalar>?, second: Tensor<Scalar>?, stepCount: Int
  ) {
    self.init(optimizer, shape: (first ?? second)?.shape ?? [0])
    restore(first: first, second: second, stepCount: stepCount)
  }

  /// Restores stored values in place; equivalent to creating a new state for the same rule.
  package mutating func restore(
    first: Tensor<Scalar>?, second: Tensor<Scalar>?, stepCount: Int
  ) {
    // The moments of a parameter without elements are empty and are omitted.
    require(
      first.map { $0.shape == self.first.shape } ?? self.first.isEmpty
        && second.map { $0.shape == self.second.shape } ?? self.second.isEmpty,
      "OptimizerState: expected moments of the shapes \(self.first.shape) and \(self.second.shape), got \(first?.shape ?? []) and \(second?.shape ?? [])."
    )
    require(
      stepCount >= 0,
      "OptimizerState: expected a step count of at least 0, got \(stepCount).")
    if let first { self.first = first }
    if let second { self.second = second }
    self.stepCount = stepCount
  }
}

extension Optimizer {
  /// Updates one parameter with its gradient and increments the step count.
  ///
  /// - Parameters:
  ///   - parameter: The parameter.
  ///   - gradient: dL/d parameter.
  ///   - state: The optimizer state of this parameter.
  ///   - rate: The learning rate; finite and at least 0.
  ///   - gradientScale: A factor of the gradient, such as that of clipping by norm; finite.
  ///   - weightDecay: Added to the gradient as decay·p; Adam multiplies p by 1 − rate·decay instead. Finite and at
  ///     least 0.
  /// - Precondition: All three have the same shape, the state was created for this rule, and the rule's settings are
  ///   decays in 0 ..< 1 and an ε of at least 0.
  /// - Complexity: One pass over memory; no allocation unless a tensor is shared.
  public func update<Scalar: KernelScalar>(
    _ parameter: inout Tensor<Scalar>, with gradient: Tensor<Scalar>,
    state: inout OptimizerState<Scalar>, rate: Double, gradientScale: Double = 1,
    weightDecay: Double = 0
  ) {
    checkSettings()
    Self.check(rate: rate, "Optimizer.update")
    require(
      gradientScale.isFinite && weightDecay.isFinite && weightDecay >= 0,
      "Optimizer.update: expected a finite gradient scale and a finite weight decay of at least 0, got \(gradientScale) and \(weightDecay)."
    )
    let shape = parameter.shape
    let uses = usesMoments
    require(
      gradient.shape == shape
        && (uses.first ? state.first.shape == shape : state.first.isEmpty)
        && (uses.second ? state.second.shape == shape : state.second.isEmpty),
      "Optimizer.update: expected a gradient of shape \(shape) and a state of this optimizer for it, got \(gradient.shape), \(state.first.shape) and \(state.second.shape)."
    )
    state.stepCount += 1
    apply(
      to: &parameter, gradient, &state, rate: rate, scale: gradientScale, decay: weightDecay)
  }

  fileprivate func apply<Scalar: KernelScalar>(
    to parameter: inout Tensor<Scalar>, _ gradient: Tensor<Scalar>,
    _ state: inout OptimizerState<Scalar>, rate: Double, scale: Double, decay: Double
  ) {
    var update = unroll_update()
    update.type = Scalar.kernelType
    update.threads = unroll_thread_count()
    update.rate = rate
    update.gradient_scale = scale
    update.weight_decay = decay
    update.step = Int64(state.stepCount)
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
    state.first.makeUnique()
    state.second.makeUnique()
    withExtendedLifetime((parameter, gradient, state)) {
      unroll_update_parameters(
        &update, parameter.base, gradient.base, usesFirst ? state.first.base : nil,
        usesSecond ? state.second.base : nil, count)
    }
  }

  /// The moments that the rule uses.
  fileprivate var usesMoments: (first: Bool, second: Bool) {
    switch self {
    case .sgd: (false, false)
    case .momentum: (true, false)
    case .rmsProp: (false, true)
    case .adam: (true, true)
    }
  }

  /// Stops the program unless the learning rate is finite and at least 0.
  static func check(rate: Double, _ operation: StaticString) {
    require(
      rate.isFinite && rate >= 0,
      "\(operation): expected a finite learning rate of at least 0, got \(rate).")
  }

  /// Stops the program unless the rule's settings are in range.
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
      "Optimizer.update: expected decays in 0 ..< 1 and a finite ε of at least 0, got \(self).")
  }
}

extension Tensor {
  /// Interpolates toward another tensor: p ← p + fraction·(other − p).
  ///
  /// A fraction of 1 / n computes a running mean.
  ///
  /// - Precondition: The shapes agree, and the fraction is in 0 ... 1.
  package mutating func interpolate(toward other: Tensor, fraction: Double) {
    require(
      shape == other.shape && (0...1).contains(fraction),
      "Tensor.interpolate: expected shape \(shape) and a fraction in 0 ... 1, got \(other.shape) and \(fraction)."
    )
    // Equivalent to a gradient descent step whose gradient is this tensor minus the other.
    var state = OptimizerState<Scalar>(.sgd, shape: [0])
    Optimizer.sgd.apply(to: &self, other, &state, rate: -fraction, scale: 1, decay: -1)
  }
}
