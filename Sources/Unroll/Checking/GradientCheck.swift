// Compares gradients with central differences in Double; for tests, lessons and new cells.

internal import UnrollContracts

/// A comparison of a gradient with central differences.
public struct GradientCheck: Sendable, Equatable, Codable {
  /// The largest |numeric − analytic| / max(1, |numeric| + |analytic|) over all elements; NaN if one is not finite.
  public var worstError: Double
  /// The element with the worst error: the tensor's name and the index along each axis, such as `x[1, 2]`.
  public var worstElement: String
  /// The number of compared elements.
  public var elementCount: Int

  /// Compares an analytic gradient with central differences of a function.
  ///
  /// Two central differences, with `step` and half of it, are extrapolated to step 0. The error is about
  /// step⁴·|f⁽⁵⁾|/480 + 2⁻⁵¹·|f|/step: about 1e-11 for numbers of order 1 and the default step.
  ///
  /// - Parameters:
  ///   - point: The tensors at which the gradient is taken, by name.
  ///   - gradient: The gradient to check, with the same names and shapes.
  ///   - step: The distance on each side; above 0.
  ///   - function: The scalar function of the tensors.
  /// - Complexity: Four calls of `function` per element.
  public init(
    at point: [String: Tensor<Double>], gradient: [String: Tensor<Double>], step: Double = 1e-4,
    of function: ([String: Tensor<Double>]) -> Double
  ) {
    require(step > 0, "GradientCheck.init: expected a step above 0, got \(step).")
    worstError = 0
    worstElement = "-"
    elementCount = 0
    for name in point.keys.sorted() {
      guard let tensor = point[name], let analytic = gradient[name] else {
        contractViolation("GradientCheck.init: expected a gradient named '\(name)', got none.")
      }
      require(
        tensor.shape == analytic.shape,
        "GradientCheck.init: expected shape \(tensor.shape) for '\(name)', got \(analytic.shape).")
      let (values, slopes) = (tensor.elements, analytic.elements)
      for index in values.indices {
        func value(_ offset: Double) -> Double {
          var moved = values
          moved[index] += offset
          var arguments = point
          arguments[name] = Tensor(shape: tensor.shape, elements: moved)
          return function(arguments)
        }
        let (whole, half) = (value(step) - value(-step), value(step / 2) - value(-step / 2))
        let numeric = (8 * half - whole) / (6 * step)
        let error = abs(numeric - slopes[index]) / max(1, abs(numeric) + abs(slopes[index]))
        elementCount += 1
        // The error of a gradient that is not finite is NaN, which counts as the worst.
        if !worstError.isNaN && !(error <= worstError) {
          worstError = error
          worstElement = "\(name)\(Self.place(of: index, in: tensor.shape))"
        }
      }
    }
  }
}

extension GradientCheck {
  /// The index of an element along each axis, from its flat index.
  private static func place(of index: Int, in shape: [Int]) -> [Int] {
    var rest = index
    return shape.reversed().map { count in
      defer { rest /= count }
      return rest % count
    }.reversed()
  }
}

extension RecurrentNetwork where Scalar == Double {
  /// Compares every gradient of the network with central differences.
  ///
  /// The loss is Σ wᵢ·yᵢ over outputs and final states, with the given weights w.
  ///
  /// - Parameters:
  ///   - inputs: x, `[T, B, D]`.
  ///   - states: The initial state of each layer.
  ///   - mask: The active steps.
  ///   - outputWeights: w of the outputs, `[T, B, P]`.
  ///   - stateWeights: w of the final states, one per layer.
  ///   - step: The distance on each side.
  /// - Returns: The comparison; names are `LAYER.PARAMETER`, `LAYER.hidden`, `inputs`.
  public func gradientCheck(
    inputs: Tensor<Double>, from states: [RecurrentState<Double>], mask: SequenceMask = .full,
    outputWeights: Tensor<Double>, stateWeights: [RecurrentState<Double>], step: Double = 1e-4
  ) -> GradientCheck {
    var point = ["inputs": inputs]
    let trace = forward(inputs, from: states, mask: mask)
    let gradients = backward(trace, outputs: outputWeights, finalStates: stateWeights)
    var slopes = ["inputs": gradients.inputs]
    for layer in layers.indices {
      for name in parameters[layer].names {
        point["\(layer).\(name)"] = parameters[layer][name]
        slopes["\(layer).\(name)"] = gradients.parameters[layer][name]
      }
      point["\(layer).hidden"] = states[layer].hidden
      slopes["\(layer).hidden"] = gradients.initialStates[layer].hidden
      point["\(layer).cell"] = states[layer].cell
      slopes["\(layer).cell"] = gradients.initialStates[layer].cell
    }
    return GradientCheck(at: point, gradient: slopes, step: step) { moved in
      var network = self
      var all = network.parameters
      var start = states
      for layer in all.indices {
        for name in all[layer].names {
          if let tensor = moved["\(layer).\(name)"] { all[layer][name] = tensor }
        }
        if let hidden = moved["\(layer).hidden"] { start[layer].hidden = hidden }
        if let cell = moved["\(layer).cell"] { start[layer].cell = cell }
      }
      network.parameters = all
      let run = network.forward(moved["inputs"] ?? inputs, from: start, mask: mask)
      let states = zip(run.finalStates, stateWeights).reduce(0) {
        $0 + ($1.0.hidden * $1.1.hidden).sum + ($1.0.cell * $1.1.cell).sum
      }
      return (run.outputs * outputWeights).sum + states
    }
  }
}
