#if Command
internal import Foundation
internal import Unroll

/// One workload of a list in the format of Benchmarks/peers.
struct Workload {
  enum Mode: String, CaseIterable { case forward, train, step }
  /// The values of the field `cell`; `gru` runs both GRU variants, one after the other.
  static let cells = CellKind.allCases.filter { $0 != .gruResetAfter }

  /// All fields of the object, including unknown ones; results repeat them.
  let fields: [String: JSONScalar]
  let isLanguageModel: Bool
  let name: String
  let cell: CellKind
  let mode: Mode
  let time, batch, inputSize, hiddenSize, layers, threads: Int
  let isDouble: Bool
  /// Size of the vocabulary of a language model; 0 for layers.
  let vocabulary: Int
  let usesAdam: Bool
  let clip: Double
  let isTied: Bool

  /// The text that `--filter` searches.
  var title: String { "\(name) \(cell.rawValue) \(mode.rawValue) \(threads)t" }

  /// Floating-point operations: 2·T·B·G·H·(in + H) for each layer and 2·T·B·H·V for the softmax, times three in
  /// training.
  var flops: Double {
    var input = inputSize
    var sum = 0
    for _ in 0..<layers {
      sum += 2 * time * batch * cell.gateCount * hiddenSize * (input + hiddenSize)
      input = hiddenSize
    }
    if isLanguageModel { sum += 2 * time * batch * hiddenSize * vocabulary }
    return Double(sum) * (mode == .train ? 3 : 1)
  }

  /// Reads an object of the list.
  init(_ object: [String: Any], place: String) throws {
    func missing(_ field: String, _ expected: String) -> BenchError {
      let found = object[field].map { "\($0)" } ?? "nothing"
      return BenchError("\(place), field \(field): expected \(expected), found \(found).")
    }
    func integer(_ field: String, _ range: ClosedRange<Int>, default value: Int? = nil) throws
      -> Int
    {
      if object[field] == nil, let value { return value }
      guard let number = object[field] as? Int, range.contains(number) else {
        throw missing(field, "a whole number in \(range.lowerBound) ... \(range.upperBound)")
      }
      return number
    }
    func choice(_ field: String, _ all: [String], default value: String? = nil) throws -> String {
      if object[field] == nil, let value { return value }
      guard let text = object[field] as? String, all.contains(text) else {
        throw missing(field, "one of \(all.joined(separator: ", "))")
      }
      return text
    }
    let sizes = 1...1 << 20
    isLanguageModel = try choice("kind", ["layer", "lm"]) == "lm"
    guard let name = object["name"] as? String, !name.isEmpty else {
      throw missing("name", "a name")
    }
    self.name = name
    cell = CellKind(rawValue: try choice("cell", Self.cells.map(\.rawValue))) ?? .rnn
    mode = Mode(rawValue: try choice("mode", Mode.allCases.map(\.rawValue))) ?? .forward
    time = try integer("T", sizes)
    batch = try integer("B", sizes)
    hiddenSize = try integer("H", sizes)
    inputSize = try integer(isLanguageModel ? "E" : "I", sizes)
    layers = try integer("layers", 1...64, default: 1)
    threads = try integer("threads", 1...256, default: 1)
    isDouble = try choice("dtype", ["f32", "f64"], default: "f32") == "f64"
    vocabulary = isLanguageModel ? try integer("V", sizes) : 0
    usesAdam =
      isLanguageModel ? try choice("opt", ["sgd", "adam"], default: "sgd") == "adam" : false
    clip = (object["clip"] as? NSNumber)?.doubleValue ?? 0
    isTied = object["tied"] as? Bool ?? false
    fields = object.compactMapValues(JSONScalar.init)
    if mode == .step && time != 1 {
      throw missing("T", "1, since a run of the mode step is one step")
    }
    if isLanguageModel && mode != .train { throw missing("mode", "train for a language model") }
    if isTied && inputSize != hiddenSize {
      throw missing("tied", "false where E and H differ")
    }
    let numbers =
      Double(time) * Double(batch) * Double(max(hiddenSize * cell.gateCount, vocabulary))
    guard numbers < 2e9, Double(vocabulary) * Double(max(inputSize, hiddenSize)) < 1e9,
      Double(cell.gateCount * hiddenSize) * Double(inputSize + hiddenSize) < 1e9
    else {
      throw BenchError(
        "\(place): expected sizes that fit the memory, found about \(numbers) numbers.")
    }
  }

  /// Reads a list.
  static func list(file: String) throws -> [Workload] {
    guard let data = FileManager.default.contents(atPath: file) else {
      throw BenchError("\(file): expected a file that can be read.")
    }
    guard let objects = try? JSONSerialization.jsonObject(with: data) as? [[String: Any]] else {
      throw BenchError("\(file): expected a JSON list of objects, one for each workload.")
    }
    guard !objects.isEmpty else {
      throw BenchError("\(file): expected at least one workload, found an empty list.")
    }
    return try objects.enumerated().map {
      try Workload($1, place: "\(file), workload \($0 + 1)")
    }
  }

  /// The sizes of the benchmark tables: T, B, D, H.
  private static let sizes = [
    ("toy", 5, 4, 3, 2), ("course", 50, 100, 5, 8), ("small", 64, 16, 64, 64),
    ("mid", 50, 32, 256, 256), ("big", 35, 20, 650, 650), ("wide", 64, 128, 512, 512),
    ("huge", 32, 64, 1024, 1024),
  ]
  private static let steps = [
    (1, 8), (1, 32), (40, 40), (64, 64), (128, 128), (256, 256), (512, 512),
  ]

  /// The named workloads: layers forward and in training, and streaming steps.
  static func named(threads: Int) throws -> [Workload] {
    var objects: [[String: Any]] = []
    for (name, time, batch, input, hidden) in sizes {
      for cell in cells {
        for mode in [Mode.forward, .train] {
          objects.append([
            "kind": "layer", "name": name, "cell": cell.rawValue, "T": time, "B": batch,
            "I": input, "H": hidden, "layers": 1, "mode": mode.rawValue, "threads": threads,
            "dtype": "f32",
          ])
        }
      }
    }
    for (input, hidden) in steps {
      for cell in cells {
        objects.append([
          "kind": "layer", "name": "step_\(input)to\(hidden)", "cell": cell.rawValue, "T": 1,
          "B": 1, "I": input, "H": hidden, "layers": 1, "mode": "step", "threads": 1,
          "dtype": "f32",
        ])
      }
    }
    return try objects.map { try Workload($0, place: "named workload") }
  }
}

/// A list of workloads that cannot be used.
struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// A scalar JSON value, written in the form in which it was read.
enum JSONScalar: Encodable {
  case text(String)
  case flag(Bool)
  case integer(Int)
  case number(Double)

  /// Creates a value; nil if it is an array, an object or null.
  init?(_ value: Any) {
    if let text = value as? String {
      self = .text(text)
    } else if let number = value as? NSNumber {
      if isTruthValue(number) {
        self = .flag(number.boolValue)
      } else if let integer = value as? Int {
        self = .integer(integer)
      } else {
        self = .number(number.doubleValue)
      }
    } else {
      return nil
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .text(let value): try container.encode(value)
    case .flag(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    }
  }
}

/// Whether a number is a JSON true or false.
private func isTruthValue(_ number: NSNumber) -> Bool {
  String(cString: number.objCType) == "c" || String(cString: number.objCType) == "B"
}
#endif
