// The recurrent layers that a model begins with, from a file of any program that UnrollFormats knows.

internal import Foundation
public import Unroll
internal import UnrollFormats

extension RunConfiguration {
  /// The parameters that the recurrent layers begin with; nil if no file is named.
  ///
  /// An offset that the file's cells add to their forget gates is moved into the bias.
  ///
  /// - Throws: `RunError` if the file cannot be read, or its layers are not the model's.
  public func initialLayers() throws -> [CellParameters<Float>]? {
    guard let path = weights else { return nil }
    do {
      let file = try ArrayFile(contentsOf: path)
      return try initialLayers(
        of: NetworkFile.network(in: file, as: Float.self).imported.network)
    } catch let error as ArrayFileError {
      throw RunError(.file("\(error)"), path: path)
    } catch let error as ModelImportError {
      throw RunError(.file("\(error)"), path: path)
    }
  }

  /// The parameters that the recurrent layers begin with, from the network in the file `weights`.
  ///
  /// - Throws: `RunError` if its layers are not the model's.
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
    _ cells: [any RecurrentCell<Float>], _ path: String
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
      var parameters = pair.0.parameters
      var (found, wanted) = (try CellDescription(pair.0), try CellDescription(pair.1.cell))
      if let offset = found.lstm?.forgetOffset, offset != wanted.lstm?.forgetOffset ?? 0 {
        let change = offset - (wanted.lstm?.forgetOffset ?? 0)
        parameters[.forget].bias = parameters[.forget].bias + Float(change)
        found.lstm?.forgetOffset = wanted.lstm?.forgetOffset ?? 0
      }
      (found.zoneoutHidden, found.zoneoutCell) = (wanted.zoneoutHidden, wanted.zoneoutCell)
      wanted.lstm = found.lstm == nil ? nil : wanted.lstm
      guard found == wanted else {
        throw RunError(
          .file(
            "layer \(index): expected the cell \(wanted.kind.rawValue) with its usual functions, found \(found.kind.rawValue)"
          ), path: path)
      }
      let own = pair.1.cell.parameters
      for name in own.names where own[name].shape != parameters[name].shape {
        throw RunError(
          .parameter(
            "layers.\(index).\(CellParameters<Float>.plainName(name))", expected: own[name].shape,
            found: parameters[name].shape), path: path)
      }
      for name in own.names {
        let count = parameters[name].elements.count { !$0.isFinite }
        guard count == 0 else {
          throw RunError(
            .notFinite("layers.\(index).\(CellParameters<Float>.plainName(name))", count: count),
            path: path)
        }
      }
      guard parameters.names == own.names else {
        throw RunError(
          .file("layer \(index): expected \(own.names), found \(parameters.names)"), path: path)
      }
      return parameters
    }
  }
}
