// Initial recurrent layers, read from a network file in any format of UnrollFormats.

internal import Foundation
public import Unroll
internal import UnrollFormats

extension RunConfiguration {
  /// Reads the initial parameters of the recurrent layers; nil if no file is named.
  ///
  /// A forget gate offset of the file's cells is added to the bias.
  ///
  /// - Throws: `RunError` if the file cannot be read, or its layers do not fit the model.
  public func initialLayers() throws -> [CellParameters<Float>]? {
    guard let path = weights else { return nil }
    do {
      let read = try NetworkFile.read(path, assuming: NetworkAssumptions(prefix: weightsPrefix))
      return try initialLayers(of: read.network.single)
    } catch let error as ArrayFileError {
      throw RunError(.file("\(error)"), path: path)
    } catch let error as ONNXError {
      throw RunError(.file("\(error)"), path: path)
    } catch let error as ModelImportError {
      throw RunError(.file("\(error)"), path: path)
    }
  }

  /// Returns the initial parameters of the recurrent layers from the network in the file `weights`.
  ///
  /// - Throws: `RunError` if its layers do not fit the model.
  public func initialLayers(
    of network: RecurrentNetwork<Float>
  ) throws -> [CellParameters<Float>] {
    let path = weights ?? ""
    guard network.levels.allSatisfy({ $0.count == 1 && $0[0].direction == .forward }) else {
      throw RunError(
        .file("expected layers that read forward, found some that read backward"), path: path)
    }
    do { return try fitted(network.layers.map(\.cell), path) } catch let error as ModelImportError {
      throw RunError(.file("\(error)"), path: path)
    }
  }

  private func fitted(
    _ cells: [Cell<Float>], _ path: String
  ) throws -> [CellParameters<Float>] {
    let layers = LanguageModel<Float>(model).layers
    guard cells.count == layers.count else {
      throw RunError(
        .file(
          "expected \(layers.count) recurrent layers, as the setting layers says, found \(cells.count)"
        ),
        path: path)
    }
    return try zip(cells, layers).enumerated().map { index, pair in
      do { return try fitted(pair.0, to: pair.1.cell, index) } catch let problem as RunError.Problem
      {
        throw RunError(problem, path: path)
      }
    }
  }

  /// Converts the parameters of a file's cell for a layer of the model.
  private func fitted(
    _ cell: Cell<Float>, to layer: Cell<Float>, _ index: Int
  ) throws -> CellParameters<Float> {
    func refuse(_ what: String) -> RunError.Problem { .file("layer \(index): \(what)") }
    var parameters = cell.parameters
    let wanted = try CellDescription(layer)
    var found = try CellDescription(cell)
    let change = found.options.forgetOffset - wanted.options.forgetOffset
    if found.kind.optionFields.contains(.forgetOffset), change != 0 {
      parameters[.forget].bias = parameters[.forget].bias + Float(change)
      found.options.forgetOffset = wanted.options.forgetOffset
    }
    (found.zoneoutHidden, found.zoneoutCell) = (wanted.zoneoutHidden, wanted.zoneoutCell)
    if let difference = found.difference(from: wanted) {
      let expected = "expected \(difference.field) \(difference.other)"
      throw refuse(
        found.kind == wanted.kind
          ? "\(expected), found \(difference.value), which the model's cells do not have"
          : "\(expected), as the setting cell says, found \(difference.value)")
    }
    let isTop = index == model.layers - 1
    for (what, setting, expected, size) in [
      (
        "input size", index == 0 ? "embedding_size" : "hidden_size", layer.inputSize,
        cell.inputSize
      ),
      (
        "hidden size", isTop && model.topSize != nil ? "top_size" : "hidden_size",
        layer.hiddenSize, cell.hiddenSize
      ),
    ] where size != expected {
      throw refuse("expected \(what) \(expected), as the setting \(setting) says, found \(size)")
    }
    let own = layer.parameters
    func plain(_ name: String) -> String { CellParameters<Float>.plainName(name) }
    if let name = own.names.first(where: { !parameters.names.contains($0) }) {
      throw refuse("expected '\(plain(name))' of shape \(own[name].shape), found none")
    }
    if let name = parameters.names.first(where: { !own.names.contains($0) }) {
      throw refuse(
        "found '\(plain(name))' of shape \(parameters[name].shape), which the model's cells do not have"
      )
    }
    for name in own.names {
      guard own[name].shape == parameters[name].shape else {
        throw refuse(
          "expected '\(plain(name))' of shape \(own[name].shape), found \(parameters[name].shape)")
      }
      let count = parameters[name].elements.count { !$0.isFinite }
      guard count == 0 else {
        throw RunError.Problem.notFinite("layers.\(index).\(plain(name))", count: count)
      }
    }
    return parameters
  }
}
