// The settings of a language model's text: their names, ranges, defaults and controls, once.

/// The table of the form in which a language model writes.
package enum WritingForm {
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
  /// The gates of the chosen layer are added when the model is known.
  static let color = FormSetting(
    "color", .word(["probability", "state"]), standard: "probability", label: "Colour by",
    control: .list(["probability", "a unit’s state"]), queryName: "gate")
  /// How many layers and units there are the model says.
  static let layer = FormSetting(
    "layer", .integer(0...1_000_000), standard: "0", label: "Layer", control: .field())
  static let unit = FormSetting(
    "unit", .integer(0...1_000_000), standard: "0", label: "Unit", control: .field())

  /// All of them, in the order of the form.
  package static let all = [
    prompt, temperature, topK, topP, seed, length, color, layer, unit,
  ]
  /// The fields of queries.
  package static let names = Set(all.map(\.queryName))
}
