internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollLab
internal import UnrollLanguage

/// Weights from a file instead of drawn ones.
struct WeightsOptions: ParsableArguments {
  @Option(
    help:
      "Take the weights of a file (whatever unroll inspect reads) or a run's folder, instead of drawing them."
  )
  var weights: String?
  @Option(help: "Which layer of the file's network, from 0.") var layer = 0
  @OptionGroup var assumed: AssumptionOptions

  func validate() throws {
    guard layer >= 0 else { throw ValidationError("--layer: expected at least 0, found \(layer).") }
    guard weights != nil || layer == 0 else {
      throw ValidationError("--layer: says which layer of --weights; give both.")
    }
  }

  /// Refuses options that say what the weights already are.
  func refuse(_ others: [(name: String, isGiven: Bool)]) throws {
    guard weights != nil else { return }
    for other in others where other.isGiven {
      throw ValidationError("\(other.name): --weights says it already; leave the option out.")
    }
  }

  /// The chosen layer's cell in a precision; nil without a file.
  func cell<Scalar: KernelScalar>(as type: Scalar.Type) throws -> (any RecurrentCell<Scalar>)? {
    guard let path = weights else { return nil }
    return try LanguageErrors.told {
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
        let stored = try StoredModel(run: path)
        return try choose(stored.model.layers.map(\.cell), path)
      }
      if path.hasSuffix(".onnx") {
        var result: (any RecurrentCell<Scalar>)?
        try ONNXBridge.read(path) { network in
          result = try choose(network.layers.map(\.cell), path)
        } double: { network in
          result = try choose(network.layers.map(\.cell), path)
        }
        return result
      }
      // In the file's own precision first: a test that it carries is in that.
      return try BridgeErrors.told(path) {
        let file = try ArrayFile(contentsOf: path)
        let assumptions = assumed.assumptions
        return NetworkFile.isDouble(file)
          ? try choose(
            NetworkFile.network(in: file, assuming: assumptions, as: Double.self).imported.network
              .layers.map(\.cell), path)
          : try choose(
            NetworkFile.network(in: file, assuming: assumptions, as: Float.self).imported.network
              .layers.map(\.cell), path)
      }
    }
  }

  private func choose<Source: KernelScalar, Scalar: KernelScalar>(
    _ cells: [any RecurrentCell<Source>], _ path: String
  ) throws -> any RecurrentCell<Scalar> {
    guard layer < cells.count else {
      throw DataError(
        description: "\(path): expected a layer below \(cells.count), found --layer \(layer)")
    }
    let description = try BridgeErrors.told(path) { try CellDescription(cells[layer]) }
    return description.cell(cells[layer].parameters.rounded(to: Scalar.self))
  }
}

extension CellParameters {
  /// The same parameters in another precision.
  fileprivate func rounded<Target: KernelScalar>(to type: Target.Type) -> CellParameters<Target> {
    var result = CellParameters<Target>(
      gates: gates, inputSize: inputSize, hiddenSize: hiddenSize,
      hasRecurrentBias: !recurrentBias.isEmpty, hasPeepholes: !peepholes.isEmpty,
      projectionSize: projection.isEmpty ? nil : outputSize, isNormalized: isNormalized)
    for name in names { result[name] = Tensor<Target>(self[name]) }
    return result
  }
}

extension CellOptions {
  /// Refuses what contradicts weights from a file.
  func check(_ sizes: SizeOptions) throws {
    try given.refuse([
      ("--cell", cell != nil), ("--scale", scale != nil), ("--keep-bias", keepBias != nil),
      ("--hidden", sizes.hidden != nil), ("--input", sizes.input != nil),
    ])
  }

  /// Forgetting, of drawn weights or a file's.
  func memory(_ settings: LabSettings, _ progress: (Int) -> Void) throws -> MemoryResult {
    switch settings.precision {
    case .float32:
      guard let (settings, cell) = try adopted(settings, Float.self) else { break }
      return try MemoryExperiment.run(settings, cell: cell, progress: progress)
    case .float64:
      guard let (settings, cell) = try adopted(settings, Double.self) else { break }
      return try MemoryExperiment.run(settings, cell: cell, progress: progress)
    }
    return try MemoryExperiment.run(settings, progress: progress)
  }

  /// Gradient flow, of drawn weights or a file's.
  func gradients(_ settings: LabSettings, _ progress: (Int) -> Void) throws -> GradientResult {
    switch settings.precision {
    case .float32:
      guard let (settings, cell) = try adopted(settings, Float.self) else { break }
      return try GradientExperiment.run(settings, cell: cell, progress: progress)
    case .float64:
      guard let (settings, cell) = try adopted(settings, Double.self) else { break }
      return try GradientExperiment.run(settings, cell: cell, progress: progress)
    }
    return try GradientExperiment.run(settings, progress: progress)
  }

  private func adopted<Scalar: KernelScalar>(
    _ settings: LabSettings, _ type: Scalar.Type
  ) throws -> (LabSettings, any RecurrentCell<Scalar>)? {
    guard let cell = try given.cell(as: Scalar.self) else { return nil }
    var settings = settings
    try settings.adopt(cell)
    return (settings, cell)
  }
}
