// The random numbers of a notebook experiment, in the order of the original program.

package import Unroll
internal import UnrollFormats
internal import UnrollLab

/// The draws of a long-term dependency case, by tag.
///
/// The index may list the draws in order (`draws`). Draws that are not used here are made and discarded, so that
/// programs with additional draws are supported. Without a list, the notebook's order is used.
package struct NotebookDraws {
  /// The first draw, `[B, T, D]`, from 0 to 1.
  package let inputs: Tensor<Double>
  private var values: [String: Tensor<Double>] = [:]
  /// The tag of the last first state of a pair, which remains in the notebook's variable.
  private(set) var lastFirst = ""
  private var order: [String] = []

  private static let inputTag = "input_data"

  /// Draws the numbers.
  ///
  /// - Throws: `VerificationError` if the list is too long or lacks a required draw.
  init(_ golden: GoldenCase, _ settings: LabSettings) throws {
    let (hidden, input, batch) = (settings.hiddenSize, settings.inputSize, settings.batchSize)
    var list: [(tag: String, shape: [Int])] = []
    if let rows = golden.fields["draws"]?.array {
      for row in rows {
        guard let tag = row["tag"]?.string, let shape = row["shape"]?.integers else {
          throw VerificationError("draws: expected a tag and a shape in every row")
        }
        list.append((tag, shape))
      }
    } else {
      list = [("wt_h", [hidden, hidden]), ("wt_x", [input, hidden]), ("bias", [hidden])]
      for cell in ["rnn", "gru"] {
        for step in settings.steps {
          list += [1, 2].map { ("init_rand\($0) \(cell) \(step)", [batch, hidden]) }
        }
      }
      list += [
        ("grad wt_h", [hidden, hidden]), ("grad wt_x", [input, hidden]), ("grad bias", [hidden]),
      ]
    }
    let first = [batch, settings.timeStepCount, input]
    if !list.contains(where: { $0.tag == Self.inputTag }) {
      list.insert((Self.inputTag, first), at: 0)
    }
    try Self.check(list)
    var random = NumPyRandom(seed: settings.generatorSeed)
    for (tag, shape) in list {
      values[tag] = random.rand(shape)
      if tag != Self.inputTag { order.append(tag) }
      if tag.hasPrefix("init_rand1") { lastFirst = tag }
    }
    inputs = values[Self.inputTag] ?? Tensor(shape: first)
    guard inputs.shape == first else {
      throw VerificationError(
        "draws: expected \(Self.inputTag) of shape \(first), found \(inputs.shape)")
    }
  }

  private static func check(_ list: [(tag: String, shape: [Int])]) throws {
    var (total, tags) = (0, Set<String>())
    for (tag, shape) in list {
      guard tags.insert(tag).inserted else {
        throw VerificationError("draws: expected each tag once, found '\(tag)' again")
      }
      var count = 1
      for size in shape {
        guard (0...RandomCaseLimit.count).contains(size) else {
          throw VerificationError("draws: '\(tag)': expected sizes, found \(shape)")
        }
        count = min(RandomCaseLimit.count + 1, count * size)
      }
      total += count
      guard total <= RandomCaseLimit.count else {
        throw VerificationError("draws: expected at most \(RandomCaseLimit.count) numbers")
      }
    }
  }

  /// Returns the draw with a tag and shape.
  ///
  /// - Throws: `VerificationError` if there is none.
  package func tensor(_ tag: String, _ shape: [Int]) throws -> Tensor<Double> {
    guard let tensor = values[tag] else {
      throw VerificationError("draws: expected one of '\(tag)'")
    }
    guard tensor.shape == shape else {
      throw VerificationError("draws: '\(tag)': expected shape \(shape), found \(tensor.shape)")
    }
    return tensor
  }

  /// Compares the draws in the archive, in order: `draw.00`, `draw.01`.
  func compare(_ archive: NPZ, _ comparison: inout Comparison) throws {
    for (index, tag) in order.enumerated() {
      let name = "draw.\(index < 10 ? "0" : "")\(index)"
      guard archive.contains(name), let tensor = values[tag] else { continue }
      comparison.compareExactly(
        tensor.elements, try archive.tensor(name, Double.self).elements, as: "draws", array: name)
    }
  }
}
