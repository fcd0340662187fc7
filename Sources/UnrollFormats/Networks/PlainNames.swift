internal import Unroll

extension CellParameters {
  /// A parameter's name as files have it: `inputWeights` is `input_weights`, as Python spells it.
  package static func plainName(_ name: String) -> String {
    name.reduce(into: "") { result, letter in
      result += letter.isUppercase ? "_" + letter.lowercased() : String(letter)
    }
  }
}
