// Cases that run a network: cells of TensorFlow 1, layers of Keras, modules of PyTorch and torchrecurrent.

internal import Unroll
internal import UnrollFormats
internal import UnrollLab

/// The network of a golden case, with the names of its arrays.
struct NetworkCase<Scalar: KernelScalar> {
  /// The configuration of a layer; array names are prefix + "w." + name + suffix.
  struct Layer {
    var convention: any CellConvention
    var prefix = ""
    var suffix = ""
    var direction = Direction.forward

    func name(_ array: String) -> String { "\(prefix)w.\(array)\(suffix)" }
  }

  /// The layers, by level.
  var levels: [[Layer]]
  /// Whether the states of all layers are in one array, `[L, B, P]`.
  var stacksStates = false
  /// Whether outputs are in processing order, which is reversed time.
  var reversesOutputs = false
  var mask = SequenceMask.full

  var layers: [Layer] { levels.flatMap(\.self) }

  /// Recomputes a case and compares all of its arrays.
  static func compare(_ golden: GoldenCase, _ archive: NPZ) throws -> Comparison {
    let description: NetworkCase
    switch golden.group {
    case "cells": description = try .tensorFlow1(golden, archive)
    case "keras": description = try .keras(golden, archive)
    case "torchrecurrent": description = try .torchRecurrent(golden)
    default: description = try .torch(golden, archive)
    }
    return try description.run(golden, archive)
  }

  private func run(_ golden: GoldenCase, _ archive: NPZ) throws -> Comparison {
    var comparison = Comparison()
    comparison.use("seq_len", "mask", "loss_w", "loss_f", "loss_f.h", "loss_f.c", "x")
    let network = try network(archive)
    try checkShapes(golden, archive, network)
    for (layer, parameters) in zip(layers, network.parameters) {
      for name in layer.convention.arrays(from: parameters, role: .weights).keys {
        comparison.use(layer.name(name))
      }
    }
    let inputs: Tensor<Scalar> = try archive.tensor("x")
    let states = try states(network, archive, "0")
    for name in stateNames(network, "0") { comparison.use(name) }
    let trace = network.forward(inputs, from: states, mask: mask, layout: .batchMajor)
    let isSaturated = zip(network.layers, trace.layers).contains { layer, run in
      run.isSaturated(candidate: layer.cell.options.activation)
    }
    let precision = try golden.precision()
    let reruns = Reruns { nudge in
      let moved = RecurrentNetwork(
        levels: network.levels.map { level in
          level.map { RecurrentLayer(cell: nudge($0.cell), direction: $0.direction) }
        })
      let trace = moved.forward(
        nudge(inputs), from: states.map { nudge($0) }, mask: mask, layout: .batchMajor
      ).changingStoredValues { $0 = nudge($0) }
      return (try? results(golden, archive, moved, trace)) ?? []
    }
    for (index, result) in try results(golden, archive, network, trace).enumerated() {
      let bound =
        switch precision {
        case .float64: isSaturated ? Bounds.saturatedDouble : Bounds.double
        case .float32: Bounds.float(golden.fields["f32_error"]?[result.errorKey]?.double)
        }
      comparison.compare(
        result.tensor, try archive.tensor(result.array), as: result.quantity, array: result.array,
        bound: bound, isSequence: ["y", "gs.x", "gw.x", "gf.x"].contains(result.array),
        sensitivity: { reruns.results.compactMap { index < $0.count ? $0[index].tensor : nil } })
    }
    return comparison
  }

  /// A recomputed array of the case.
  private struct CaseResult {
    var quantity, array: String
    /// The key of the reference's error in the index.
    var errorKey: String
    var tensor: Tensor<Scalar>
  }

  /// Returns the arrays of a run.
  private func results(
    _ golden: GoldenCase, _ archive: NPZ, _ network: RecurrentNetwork<Scalar>,
    _ trace: NetworkTrace<Scalar>
  ) throws -> [CaseResult] {
    var results = [
      CaseResult(
        quantity: "outputs", array: "y", errorKey: "out", tensor: arranged(trace.outputs))
    ]
    for (name, state) in named(trace.finalStates, network, "T") {
      results.append(
        CaseResult(quantity: "states", array: name, errorKey: "out", tensor: state))
    }
    for loss in ["gs", "gw", "gf"] {
      guard archive.names.contains(where: { $0.hasPrefix("\(loss).") }) else { continue }
      let (outputs, finalStates) = try lossGradients(loss, golden, archive, network, trace)
      let gradients = network.backward(trace, outputs: outputs, finalStates: finalStates)
      for (name, gradient) in named(gradients, network) {
        let array = "\(loss).\(name)"
        // A case may omit a gradient, but all arrays that it contains are compared.
        guard archive.contains(array) else { continue }
        results.append(
          CaseResult(quantity: array, array: array, errorKey: loss, tensor: gradient))
      }
    }
    return results
  }

  private func network(_ archive: NPZ) throws -> RecurrentNetwork<Scalar> {
    let built = try levels.map { level in
      try level.map { layer in
        var arrays: [String: Tensor<Scalar>] = [:]
        for name in archive.names {
          guard name.hasPrefix(layer.prefix + "w."), name.hasSuffix(layer.suffix) else {
            continue
          }
          arrays[
            String(name.dropFirst(layer.prefix.count + 2).dropLast(layer.suffix.count))] =
            try archive.tensor(name)
        }
        return RecurrentLayer(
          cell: try layer.convention.cell(from: arrays), direction: layer.direction)
      }
    }
    try Self.checkLevels(built)
    return RecurrentNetwork(levels: built)
  }

  // MARK: States

  func hasCellState(_ network: RecurrentNetwork<Scalar>) -> Bool {
    network.layers.contains { $0.cell.cellStateSize > 0 }
  }

  /// Returns the names of the states' arrays; `suffix` is "0" for initial and "T" for final states.
  func stateNames(_ network: RecurrentNetwork<Scalar>, _ suffix: String) -> [String] {
    let letters = hasCellState(network) ? ["h", "c"] : ["h"]
    let prefixes = stacksStates ? [""] : layers.map(\.prefix)
    return prefixes.flatMap { prefix in letters.map { "\(prefix)\($0)\(suffix)" } }
  }

  private func states(
    _ network: RecurrentNetwork<Scalar>, _ archive: NPZ, _ suffix: String
  ) throws -> [RecurrentState<Scalar>] {
    let hasCell = hasCellState(network)
    return try layers.enumerated().map { index, layer in
      func part(_ letter: String) throws -> Tensor<Scalar> {
        stacksStates
          ? try archive.tensor("\(letter)\(suffix)")[index, ...]
          : try archive.tensor("\(layer.prefix)\(letter)\(suffix)")
      }
      return RecurrentState(hidden: try part("h"), cell: hasCell ? try part("c") : nil)
    }
  }

  private func named(
    _ states: [RecurrentState<Scalar>], _ network: RecurrentNetwork<Scalar>, _ suffix: String
  ) -> [(String, Tensor<Scalar>)] {
    func stacked(_ parts: [Tensor<Scalar>]) -> Tensor<Scalar> {
      Tensor(shape: [parts.count] + parts[0].shape, elements: parts.flatMap(\.elements))
    }
    let hasCell = hasCellState(network)
    if stacksStates {
      let hidden = [("h\(suffix)", stacked(states.map(\.hidden)))]
      return hasCell ? hidden + [("c\(suffix)", stacked(states.map(\.cell)))] : hidden
    }
    return zip(layers, states).flatMap { layer, state in
      let hidden = [("\(layer.prefix)h\(suffix)", state.hidden)]
      return hasCell ? hidden + [("\(layer.prefix)c\(suffix)", state.cell)] : hidden
    }
  }

  private func named(
    _ gradients: NetworkGradients<Scalar>, _ network: RecurrentNetwork<Scalar>
  ) -> [(String, Tensor<Scalar>)] {
    var result = [("x", gradients.inputs)]
    result += named(gradients.initialStates, network, "0")
    for (layer, parameters) in zip(layers, gradients.parameters) {
      let arrays = layer.convention.arrays(from: parameters, role: .gradients)
      result += arrays.inKeyOrder.map { (layer.name($0.key), $0.value) }
    }
    return result
  }

  // MARK: Losses

  /// Returns dL/d outputs and dL/d final states of one of the set's three losses.
  private func lossGradients(
    _ loss: String, _ golden: GoldenCase, _ archive: NPZ, _ network: RecurrentNetwork<Scalar>,
    _ trace: NetworkTrace<Scalar>
  ) throws -> (Tensor<Scalar>?, [RecurrentState<Scalar>]?) {
    switch loss {
    case "gs":
      guard let step = golden.fields["grad_step"]?.integer,
        (0..<trace.outputs.shape[1]).contains(step)
      else { throw VerificationError("grad_step: expected a step of the sequence in the index") }
      var gradient = Tensor<Scalar>(shape: trace.outputs.shape).exchangingFirstAxes
      gradient[step, ...] = Tensor(shape: Array(gradient.shape.dropFirst()), repeating: 1)
      return (arranged(gradient.exchangingFirstAxes), nil)
    case "gw": return (arranged(try archive.tensor("loss_w")), nil)
    default: return (nil, try finalStateWeights(golden, archive, network, trace))
    }
  }

  private func finalStateWeights(
    _ golden: GoldenCase, _ archive: NPZ, _ network: RecurrentNetwork<Scalar>,
    _ trace: NetworkTrace<Scalar>
  ) throws -> [RecurrentState<Scalar>] {
    var states = trace.finalStates
    if archive.contains("loss_f.h") {
      let hidden: Tensor<Scalar> = try archive.tensor("loss_f.h")
      for index in states.indices { states[index].hidden = hidden[index, ...] }
      guard hasCellState(network) else { return states }
      let cell: Tensor<Scalar> = try archive.tensor("loss_f.c")
      for index in states.indices { states[index].cell = cell[index, ...] }
      return states
    }
    guard let parts = golden.fields["final_parts"]?.array?.compactMap(\.string) else {
      throw VerificationError("final_parts: expected a list of names in the index")
    }
    let weights: Tensor<Scalar> = try archive.tensor("loss_f")
    var start = 0
    for part in parts {
      guard
        let index = layers.firstIndex(where: {
          part == "\($0.prefix)hT" || part == "\($0.prefix)cT"
        })
      else { throw VerificationError("final_parts: '\(part)' is no final state of the network") }
      let path: WritableKeyPath<RecurrentState<Scalar>, Tensor<Scalar>> =
        part.hasSuffix("hT") ? \.hidden : \.cell
      let width = states[index][keyPath: path].shape[1]
      guard start + width <= weights.shape[1] else {
        throw VerificationError(
          "loss_f: expected a column for each final state, found \(weights.shape[1])")
      }
      states[index][keyPath: path] = weights[..., start..<start + width]
      start += width
    }
    guard start == weights.shape[1] else {
      throw VerificationError("loss_f: expected \(start) columns, found \(weights.shape[1])")
    }
    return states
  }

  /// Converts outputs or their gradient, `[B, T, P]`, between time order and the order of the case.
  private func arranged(_ outputs: Tensor<Scalar>) -> Tensor<Scalar> {
    guard reversesOutputs else { return outputs }
    let timeMajor = outputs.exchangingFirstAxes
    var result = timeMajor
    for time in 0..<timeMajor.shape[0] {
      result[time, ...] = timeMajor[timeMajor.shape[0] - 1 - time, ...]
    }
    return result.exchangingFirstAxes
  }
}
