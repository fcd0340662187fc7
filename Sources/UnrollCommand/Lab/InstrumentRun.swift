// Runs an experiment on a random cell or on every layer of a trained network.

#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollLab
internal import UnrollLanguage

/// One experiment with its options and outputs.
struct InstrumentRun<Result: Encodable, Defaults: LabDefaults> {
  var title: String
  var cells: LabCellOptions
  var sizes: LabSizeOptions<Defaults>
  var out: OutputOptions
  var settings: LabSettings
  /// Measures a layer, or a random cell if the layer is nil.
  var measure: (LabSettings, LayerInNetwork?) throws -> Result
  /// Prints tables.
  var show: (Result) -> Void
  /// The report's sections for a result, a section name and the source of the weights.
  var section: (Result, String, String?) -> [LabReport.Section]
  /// Prints the results about a language model's context.
  var context: ((ContextResult, Vocabulary) -> Void)?

  /// The results of several layers.
  private struct Layered: Encodable {
    struct Layer: Encodable {
      var layer: String
      var result: Result
    }
    var layers: [Layer]
    var context: ContextResult?
  }

  func run() throws {
    try prepare(out, reading: cells.given)
    guard let network = try GivenNetwork(cells.given, sizes, settings) else {
      let result = try attempt { try measure(settings, nil) }
      return try tell(result, shown: { show(result) }, sections: section(result, anchor, nil))
    }
    if let reads = network.reads {
      if out.json { Terminal.note(reads) } else { print("\(reads)\n") }
    }
    let layers = try network.chosen(cells.given.layer)
    try checkSteps(of: layers)
    let results = try layers.enumerated().map { index, layer in
      defer { Terminal.progress("layer", index + 1, of: layers.count) }
      return Layered.Layer(
        layer: network.title(layer), result: try attempt { try measure(settings, layer) })
    }
    let sections = results.enumerated().flatMap { index, part in
      section(
        part.result, results.count == 1 ? anchor : "\(anchor)-\(index)",
        "\(network.path), \(part.layer)"
      ).map { section in
        var section = section
        section.command = TypedCommand.reproducing(
          CommandLine.arguments, layer: layers[index].index)
        return section
      }
    }
    if cells.given.layer != nil || (results.count == 1 && network.language == nil) {
      return try tell(
        results[0].result, shown: { show(results[0].result) }, sections: sections,
        introduction: network.reads ?? "")
    }
    let found = context == nil ? nil : network.language.map { $0.stored.context(of: $0.text) }
    try tell(
      Layered(layers: results, context: found),
      shown: {
        for part in results {
          print("\(network.path), \(part.layer)")
          show(part.result)
          print("")
        }
        if let found, let language = network.language {
          context?(found, language.stored.vocabulary)
        }
      }, sections: sections, introduction: network.reads ?? "")
  }

  /// Refuses steps given with --steps that the layers' sequences do not have.
  private func checkSteps(of layers: [LayerInNetwork]) throws {
    guard cells.steps != nil else { return }
    for layer in layers {
      var own = settings
      own.timeStepCount = layer.inputs.shape[0]
      try attempt { try own.validateSteps() }
    }
  }

  /// The name of the sections, of letters and hyphens.
  private var anchor: String { title.lowercased().replacing(" ", with: "-") }

  private func tell(
    _ result: any Encodable, shown: () -> Void, sections: [LabReport.Section],
    introduction: String = ""
  ) throws {
    if out.json { try Terminal.printJSON(result) } else { shown() }
    guard let folder = out.output else { return }
    try write(
      LabReport(title: title, introduction: introduction, sections: sections), results: result,
      to: folder)
  }
}

/// The command line for the report.
enum TypedCommand {
  /// The command that reproduces the results of one layer, without the options for output.
  static func reproducing(_ arguments: [String], layer: Int) -> String {
    var kept = ["unroll"]
    var skipsValue = false
    for argument in arguments.dropFirst() {
      if skipsValue {
        skipsValue = false
        continue
      }
      let name = argument.split(separator: "=", maxSplits: 1).first.map(String.init) ?? argument
      if ["--json", "--terminal"].contains(name) { continue }
      if ["--output", "--threads", "--layer"].contains(name) {
        skipsValue = name == argument
        continue
      }
      kept.append(quoted(argument))
    }
    return (kept + ["--layer", "\(layer)"]).joined(separator: " ")
  }

  /// An argument quoted for a shell.
  private static func quoted(_ argument: String) -> String {
    let plain = argument.unicodeScalars.allSatisfy {
      $0.properties.isAlphabetic || ("0"..."9").contains($0)
        || "-_./,:=+@%".unicodeScalars.contains($0)
    }
    guard !plain || argument.isEmpty else { return argument }
    return "'" + argument.replacingOccurrences(of: "'", with: "'\\''") + "'"
  }
}

extension LabReport.Table {
  /// Prints the table below its caption.
  func show() {
    var table = TextTable(header)
    for row in rows { table.add(row) }
    print("\(caption)\n\(table.text)\n")
  }
}

/// Prints results about a language model's context.
enum ContextWords {
  static func showPrefixes(_ result: ContextResult, _ vocabulary: Vocabulary) {
    print(
      "what a longer prefix is worth (mean of \(LabNumber.count(result.predictionCount, "prediction")), from the initial state)"
    )
    var table = TextTable(["\(vocabulary.unit.rawValue) read", "quality"])
    for prefix in result.prefixes {
      table.add(["\(prefix.length)", LanguageWords.quality(prefix.loss, vocabulary.unit)])
    }
    print(table.text)
    print(
      "effective context: \(vocabulary.unit.counted(result.effectiveLength)), whose loss is within 0.01 nats of that of \(result.prefixes.last?.length ?? 0)"
    )
  }

  static func showInfluences(_ result: ContextResult, _ vocabulary: Vocabulary) {
    print("which earlier \(vocabulary.unit.rawValue) the gradient of a prediction reaches")
    print(
      "(the norm of d log p / d vector; the mean of \(LabNumber.count(result.predictionCount, "prediction")))"
    )
    var table = TextTable([
      "places before", "mean", "in the last prediction", "\(vocabulary.unit.singular) there",
    ])
    for (index, mean) in result.influences.enumerated()
    where index < 16 || GradientPartsResult.isListed(index + 1, of: result.influences.count) {
      table.add([
        "\(index + 1)", scientific(mean, digits: 3),
        scientific(result.lastInfluences[index], digits: 3),
        vocabulary.symbols[Int(result.lastSymbols[index])].debugDescription,
      ])
    }
    print(table.text)
    print(
      "the last prediction is of \(vocabulary.symbols[Int(result.lastTarget)].debugDescription)")
  }
}
#endif
