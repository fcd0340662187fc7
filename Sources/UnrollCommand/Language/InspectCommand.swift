internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollLanguage

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show what a run's folder or a safetensors file holds.")

  @Argument(help: "A run's folder, or a .safetensors file.") var path: String

  func run() throws {
    try LanguageErrors.told {
      if path.hasSuffix(".safetensors") {
        print(Self.arrays(try Safetensors(checked: path)))
        return
      }
      let stored = try StoredModel(run: path)
      let (model, c) = (stored.model, stored.configuration)
      var table = TextTable(["what", "value"])
      table.add(["preset", c.preset])
      table.add(["corpus", c.corpus ?? "the embedded grammar"])
      table.add(["symbols", "\(stored.vocabulary.count) \(c.unit.rawValue)"])
      table.add([
        "network",
        "\(c.model.layers) × \(c.model.isNormalized ? "layer-normalised " : "")\(c.model.cell.rawValue) of \(c.model.layerSizes.map { "\($0.output)" }.joined(separator: ", ")), embedding \(c.model.embeddingSize)\(c.model.isTied ? ", tied" : "")",
      ])
      table.add(["parameters", "\(model.parameterCount)"])
      for (key, value) in stored.metadata.sorted(by: { $0.key < $1.key }) {
        table.add([key, value])
      }
      print(table.text + "\n")
      print(Self.arrays(Safetensors(arrays: model.arrays)))
    }
  }

  private static func arrays(_ file: Safetensors) -> String {
    var table = TextTable(["array", "type and shape", "smallest", "largest", "not finite"])
    for (name, array) in file.arrays.sorted(by: { $0.key < $1.key }) {
      let numbers = array.tensor(of: Double.self).elements
      let finite = numbers.filter(\.isFinite)
      table.add([
        name, array.signature, finite.min().map { String(format: "%.4g", $0) } ?? "–",
        finite.max().map { String(format: "%.4g", $0) } ?? "–", "\(numbers.count - finite.count)",
      ])
    }
    return table.text
  }
}
