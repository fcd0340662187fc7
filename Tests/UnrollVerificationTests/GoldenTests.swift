// Verifies every golden case: other programs' outputs, states and gradients, and random numbers.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport
import UnrollVerification

@Suite("Other programs' numbers")
struct GoldenTests {
  /// The number of cases in each folder of the set, by the prefix of the folders' names.
  static let counts: [String: [String: Int]] = [
    "numpy_rng": ["numpy_rng": 23], "tf1": ["tf1": 150],
    "tf2": ["tf2": 93, "tf2t64": 4, "tf2v1": 1], "torch": ["torch": 94, "torchrecurrent": 18],
    "onnx": ["onnx": 71],
  ]

  /// The folder and the name of each case in the index.
  private static func index() throws -> [(name: String, folder: String)] {
    let data = try Data(contentsOf: URL(fileURLWithPath: goldenFolder + "/index.json"))
    let index = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    return try #require(index["cases"] as? [[String: Any]]).map { entry in
      let file = try #require(entry["file"] as? String)
      return (try #require(entry["name"] as? String), String(file.prefix { $0 != "/" }))
    }
  }

  @Test(
    "Every case lies within its bound, and each folder has all its cases", .tags(.slow),
    arguments: counts)
  func cases(source: String, counts: [String: Int]) throws {
    let folders = Dictionary(
      uniqueKeysWithValues: try Self.index().filter { $0.folder.hasPrefix(source) })
    var passed: [String: Int] = [:]
    for verdict in Verification.run(try GoldenSet(folder: goldenFolder), filter: source) {
      #expect(
        verdict.verdict == .passed,
        "\(verdict.name): \(verdict.reason ?? "") \(verdict.checks.filter { !$0.passes })")
      if verdict.verdict == .passed { passed[folders[verdict.name] ?? "", default: 0] += 1 }
    }
    #expect(passed == counts)
  }

  @Test("The set has 454 cases, each in one of the folders that are verified")
  func total() throws {
    let folders = Dictionary(grouping: try Self.index(), by: \.folder).mapValues(\.count)
    #expect(folders.values.reduce(0, +) == 454)
    #expect(folders == Self.counts.values.reduce(into: [:]) { $0.merge($1) { $0 + $1 } })
  }

  /// Verifies one case in a temporary folder, after `change` has modified it.
  func verdict(
    of name: String, changing change: (inout [String: Any], String) throws -> Void
  ) throws -> CaseVerdict {
    try withTemporaryFolder { folder in
      let data = try Data(contentsOf: URL(fileURLWithPath: goldenFolder + "/index.json"))
      var index = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
      let cases = try #require(index["cases"] as? [[String: Any]])
      var entry = try #require(cases.first { $0["name"] as? String == name })
      let file = try #require(entry["file"] as? String)
      let target = "\(folder)/\(file)"
      try FileManager.default.createDirectory(
        atPath: (target as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: "\(goldenFolder)/\(file)", toPath: target)
      try change(&entry, target)
      index["cases"] = [entry]
      try JSONSerialization.data(withJSONObject: index)
        .write(to: URL(fileURLWithPath: folder + "/index.json"))
      return try #require(Verification.run(try GoldenSet(folder: folder)).first)
    }
  }

  let gru = "GRUCell_T5_B4_I3_H2_f64"

  @Test("A case that is left alone passes, whatever its name")
  func renamed() throws {
    let verdict = try verdict(of: gru) { entry, _ in entry["name"] = "anything" }
    #expect(verdict.verdict == .passed)
  }

  @Test("Random operations and draws that nothing here needs are passed over")
  func moreDraws() throws {
    let verdict = try verdict(of: "notebook_toy") { entry, _ in
      let operations = try #require(entry["random_ops"] as? [[String: Any]])
      let other: [String: Any] = ["node": "noise/RandomUniform", "seed": 3, "seed2": 4]
      entry["random_ops"] = [other] + operations.reversed()
    }
    #expect(verdict.verdict == .passed, "\(verdict.reason ?? "")")
    // Draws after the last required one.
    let dependency = try self.verdict(of: "notebook_exp_scale1") { entry, _ in
      let draws = try #require(entry["draws"] as? [[String: Any]])
      entry["draws"] = draws + [["tag": "one more", "shape": [2, 3]]]
    }
    #expect(dependency.verdict == .passed, "\(dependency.reason ?? "")")
    for (draws, word) in [
      ([["tag": "wt_h", "shape": [8, 8]], ["tag": "wt_h", "shape": [8, 8]]], "each tag once"),
      ([["tag": "wt_h", "shape": [8, 7]]], "'wt_h': expected shape [8, 8], found [8, 7]"),
      ([["tag": "wt_h", "shape": [100_000, 100_000]]], "expected at most"),
      ([["tag": "wt_h", "shape": [-1]]], "expected sizes"),
    ] as [([[String: Any]], String)] {
      let wrong = try self.verdict(of: "notebook_exp_scale1") { entry, _ in entry["draws"] = draws }
      #expect(wrong.verdict == .error)
      #expect(wrong.reason?.contains(word) == true, "\(wrong.reason ?? "")")
    }
  }

  @Test("A wrong cell fails by its numbers: PyTorch's GRU is not Keras' reset-before GRU")
  func wrongVariant() throws {
    let verdict = try verdict(of: "keras_GRU_before_T5_B4_I3_H2_f64") { entry, _ in
      entry["params"] = ["reset_after": false, "recurrent_activation": "hard_sigmoid"]
    }
    #expect(verdict.verdict == .failed)
    #expect(verdict.checks.contains { $0.quantity == "outputs" && !$0.passes })
  }

  @Test("Another function or shift fails by its numbers: hard sigmoid and σ, β = ½ and 1")
  func wrongOptions() throws {
    for (name, params) in [
      ("MGU_hard_T7_B3_I4_H5_f64", ["gate_nonlinearity": "sigmoid"]),
      ("MGU_relu_T7_B3_I4_H5_f64", [:]), ("JANET_beta0.5_T7_B3_I4_H5_f64", ["beta": 1]),
    ] as [(String, [String: Any])] {
      let verdict = try verdict(of: "torchrecurrent_\(name)") { entry, _ in
        entry["params"] = params
      }
      #expect(verdict.verdict == .failed, "\(name): \(verdict.reason ?? "")")
      #expect(verdict.checks.contains { $0.quantity == "outputs" && !$0.passes }, "\(name)")
    }
  }

  @Test("A wrong gradient step fails in that gradient alone")
  func wrongStep() throws {
    let verdict = try verdict(of: gru) { entry, _ in entry["grad_step"] = 0 }
    #expect(verdict.verdict == .failed)
    #expect(verdict.checks.filter { !$0.passes }.allSatisfy { $0.quantity.hasPrefix("gs.") })
  }

  @Test("A setting that the cell does not have, or of another type, is refused, not ignored")
  func unknownSetting() throws {
    for (params, word) in [
      (["layer_norm": true], "layer_norm = true"), (["use_peepholes": true], "use_peepholes"),
      (["activation": 3], "activation = 3"),
    ] as [([String: Any], String)] {
      let verdict = try verdict(of: gru) { entry, _ in entry["params"] = params }
      #expect(verdict.verdict == .error)
      #expect(verdict.reason?.contains("'\(gru)': \(word)") == true)
    }
    for field in ["dtype", "layout", "params", "sizes"] {
      let verdict = try verdict(of: gru) { entry, _ in
        entry[field] = field == "sizes" ? ["T": 4] as Any : "other"
      }
      #expect(verdict.verdict == .error, "\(field)")
    }
  }

  @Test("A float64 gradient that vanishes must be right, not only small")
  func vanishing() throws {
    let name = "notebook_exp_scale0.5"
    let verdict = try verdict(of: name) { entry, file in
      entry["sha256"] = nil
      let archive = try NPZ(try AtomicFile.read(file))
      var arrays = Dictionary(
        uniqueKeysWithValues: try archive.names.map { ($0, try archive.array($0)) })
      let gradient = try #require(arrays["grad.rnn.zero.f64"])
      arrays["grad.rnn.zero.f64"] = StoredArray(gradient.tensor(of: Double.self) * 1.0001)
      try AtomicFile.write(NPZ.encode(arrays), to: file)
    }
    #expect(verdict.checks.filter { !$0.passes }.map(\.quantity) == ["gradients f64"])
  }

  @Test("A damaged, truncated or missing file is an error with a sentence")
  func damagedFiles() throws {
    let damaged = try verdict(of: gru) { _, file in
      var data = try Data(contentsOf: URL(fileURLWithPath: file))
      data[data.count / 2] ^= 1
      try data.write(to: URL(fileURLWithPath: file))
    }
    #expect(damaged.verdict == .error)
    #expect(damaged.reason?.contains("the file is damaged or of another set") == true)
    let truncated = try verdict(of: gru) { entry, file in
      entry["sha256"] = nil
      let data = try Data(contentsOf: URL(fileURLWithPath: file))
      try data.prefix(data.count / 2).write(to: URL(fileURLWithPath: file))
    }
    #expect(truncated.reason?.contains("the file is truncated") == true)
    let missing = try verdict(of: gru) { _, file in
      try FileManager.default.removeItem(atPath: file)
    }
    #expect(missing.reason?.hasSuffix("No such file or directory") == true)
  }

  static let wrongArrays: [(change: String, sentence: String)] = [
    ("x", "x: expected shape [B, T, 3], found [4, 5, 2]"),
    ("h0", "h0: expected shape [4, 2], found [4, 3]"),
    ("loss_w", "loss_w: expected shape [4, 5, 2], found [4, 5, 3]"),
    ("w.gates.kernel", "'gates.kernel': expected shape [5, 4], found [5, 3]"),
    ("seq_len", "seq_len: expected 4 lengths in 0 ... 5"),
    ("junk", "1 of 29 arrays not understood, the first is 'junk'"),
  ]

  @Test(
    "Arrays of another shape than the network asks for are an error, not a trap",
    arguments: wrongArrays)
  func wrongShapes(change: String, sentence: String) throws {
    let verdict = try verdict(of: gru) { entry, file in
      entry["sha256"] = nil
      let archive = try NPZ(try AtomicFile.read(file))
      var arrays = Dictionary(
        uniqueKeysWithValues: try archive.names.map { ($0, try archive.array($0)) })
      switch change {
      case "seq_len": arrays["seq_len"] = StoredArray([1, 2, 9, 4])
      case "junk": arrays["junk"] = StoredArray([1])
      default:
        var shape = try #require(arrays[change]).shape
        shape[shape.count - 1] += change == "x" || change == "w.gates.kernel" ? -1 : 1
        arrays[change] = StoredArray(Tensor<Double>(shape: shape))
      }
      try AtomicFile.write(NPZ.encode(arrays), to: file)
    }
    #expect(verdict.verdict == .error)
    #expect(verdict.reason == sentence)
  }

  nonisolated(unsafe) static let wrongCalls: [(call: [String: Any], word: String)] = [
    (["f": "rand", "a": [-1], "array": "00"], "expected sizes in 0"),
    (["f": "rand", "a": [100_000, 100_000], "array": "00"], "expected at most"),
    (["f": "randint", "a": [5, 5, 3], "array": "00"], "expected low < high"),
    (["f": "randint", "a": [0, 300, 3], "kw": ["dtype": "uint8"], "array": "00"], "expected low"),
    (["f": "binomial", "a": [10, 1.5, 3], "array": "00"], "expected a probability"),
    (["f": "choice", "a": [3, 5], "kw": ["replace": false], "array": "00"], "enough to choose"),
    (["f": "beta", "a": [3], "array": "00"], "unknown function 'beta'"),
    (["f": "rand"], "expected 'f' and 'array'"),
  ]

  @Test("Calls that no generator could answer are an error, not a trap")
  func wrongCalls() throws {
    for (call, word) in Self.wrongCalls {
      let verdict = try verdict(of: "notebook_toy_seed15009") { entry, _ in entry["calls"] = [call]
      }
      #expect(verdict.verdict == .error)
      #expect(verdict.reason?.contains(word) == true, "\(verdict.reason ?? "")")
    }
  }

  @Test("A path that leaves the set is refused")
  func escapingPath() throws {
    let verdict = try verdict(of: gru) { entry, _ in entry["file"] = "../index.json" }
    #expect(verdict.reason == "../index.json: expected a path inside the set")
  }

  @Test("A folder that is no golden set is refused with a sentence")
  func foreignFolder() throws {
    try withTemporaryFolder { folder in
      let empty = #expect(throws: VerificationError.self) { try GoldenSet(folder: folder) }
      #expect(
        empty?.description == "\(folder)/index.json: cannot be read: No such file or directory")
      for (text, word) in [
        ("{\"cases\": [", "not whole JSON"), ("[1]", "found other JSON"),
        ("{\"cases\": [{}]}", "case 0"),
      ] {
        try text.write(toFile: folder + "/index.json", atomically: true, encoding: .utf8)
        let error = #expect(throws: VerificationError.self) { try GoldenSet(folder: folder) }
        #expect(error?.description.contains(word) == true)
      }
    }
  }
}
