// The table of the settings of text generation: names, ranges, defaults and controls.

/// The settings of text generation.
package enum GenerationForm {
  static let prompt = FormSetting(
    "prompt", .text(maximumBytes: 2000), standard: "", label: "Prompt", control: .area)
  static let temperature = FormSetting(
    "temperature", .number(0...10), standard: "1", label: "Temperature", control: .field(by: 0.1))
  static let topK = FormSetting(
    "top-k", .integer(1...1_000_000), standard: "", label: "Top-k", control: .field(empty: "all"))
  static let topP = FormSetting(
    "top-p", .number(1e-6...1), standard: "1", label: "Top-p", control: .field())
  static let seed = FormSetting(
    "text-seed", .integer(0...4_294_967_295), standard: "0", label: "Seed of the text",
    control: .field(), queryName: "seed")
  static let length = FormSetting(
    "length", .integer(1...2000), standard: "200", label: "Symbols", control: .field())
  /// The gates of the selected layer are added when the model is known.
  static let color = FormSetting(
    "color", .word(["probability", "state"]), standard: "probability", label: "Colour by",
    control: .list(["probability", "a unit’s state"]), queryName: "gate")
  /// The model determines the number of layers and units.
  static let layer = FormSetting(
    "layer", .integer(0...1_000_000), standard: "0", label: "Layer", control: .field())
  static let unit = FormSetting(
    "unit", .integer(0...1_000_000), standard: "0", label: "Unit", control: .field())

  /// All settings, in the order of the form.
  package static let all = [
    prompt, temperature, topK, topP, seed, length, color, layer, unit,
  ]
  /// The names of the query fields.
  package static let names = Set(all.map(\.queryName))
}
