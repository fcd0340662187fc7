// Names in state dicts: which are a network, which are not, and which array decides.

import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Names in state dicts")
struct TorchNamesTests {
  /// Zeros of the shapes of PyTorch's modules.
  private func arrays(_ shapes: [String: [Int]]) throws -> ArrayFile {
    try ArrayFile(
      for: "x.npz", arrays: shapes.mapValues { StoredArray(Tensor<Float>(shape: $0)) })
  }

  private func lstm(
    _ prefix: String = "", input: Int = 4, hidden: Int = 3, suffix: String = "_l0"
  ) -> [String: [Int]] {
    [
      "\(prefix)weight_ih\(suffix)": [4 * hidden, input],
      "\(prefix)weight_hh\(suffix)": [4 * hidden, hidden],
      "\(prefix)bias_ih\(suffix)": [4 * hidden], "\(prefix)bias_hh\(suffix)": [4 * hidden],
    ]
  }

  private func read(
    _ shapes: [String: [Int]], prefix: String? = nil
  ) throws -> ImportedNetwork<Float> {
    try NetworkFile.network(
      in: arrays(shapes), assuming: NetworkAssumptions(prefix: prefix), as: Float.self
    ).imported
  }

  private func sentence(_ shapes: [String: [Int]], prefix: String? = nil) -> String {
    (#expect(throws: ModelImportError.self) { try read(shapes, prefix: prefix) })?.description ?? ""
  }

  @Test(
    "An array of a layer that would be left over is an error, whatever stands before it",
    arguments: [
      "bias", "bias_n", "bias_l0", "weight_ci", "weight_hh_l0_extra", "weight_xx", "peephole_i",
      "forget_gate", "zoneout_c", "gamma_f", "weight_ih", "layernorm_hh_l0.weight",
    ])
  func leftovers(name: String) {
    for prefix in ["", "encoder.rnn."] {
      let text = sentence(lstm(prefix).merging([prefix + name: [12]]) { $1 })
      #expect(text.contains("'\(prefix)\(name)'"), "\(text)")
    }
  }

  @Test(
    "Arrays of other modules are no part of a layer, and are listed",
    arguments: [
      "extra", "h0", "scale", "fc.weight", "norm.weight", "embedding.weight", "bias_again",
      "head_bias", "running_mean", "aggregate",
    ])
  func others(name: String) throws {
    #expect(try read(lstm().merging([name: [3]]) { $1 }).others == [name])
  }

  @Test("A normalization inside a layer is an error, one next to it in a checkpoint is not")
  func normalizations() throws {
    for name in ["layer_norm.weight", "ln.bias", "norm_ih.weight"] {
      #expect(sentence(lstm("enc.rnn.").merging(["enc.rnn." + name: [3]]) { $1 }).contains(name))
    }
    for prefix in ["", "model.", "state_dict.model."] {
      let name = prefix + "norm.weight"
      #expect(try read(lstm(prefix).merging([name: [3]]) { $1 }).others == [name])
    }
  }

  @Test(
    "Nothing may stand inside a cell that is not PyTorch's",
    arguments: [
      "ln.weight", "layernorm_i.weight", "weight_ci", "wci", "alpha", "U_z", "h0", "fc.weight",
    ])
  func cells(name: String) {
    let cell = ["cell.weight_ih": [9, 4], "cell.weight_hh": [9, 3]]
    let text = sentence(cell.merging(["cell." + name: [3]]) { $1 })
    #expect(
      text.hasPrefix("'cell.\(name)': stands beside the weights of a recurrent layer"), "\(text)")
  }

  @Test("A cell of PyTorch stays one beside other modules")
  func plainCell() throws {
    let cell = lstm("cell.", suffix: "")
    #expect(try read(cell.merging(["cell.fc.weight": [2, 3]]) { $1 }).others == ["cell.fc.weight"])
    #expect(
      sentence(cell.merging(["cell.ln_ih.weight": [12]]) { $1 }).contains("cell.ln_ih.weight"))
    #expect(try read(["weight_ih": [9, 4], "weight_hh": [9, 3]]).network.outputSize == 3)
  }

  @Test("One bias is refused, for the order of its gates is not known")
  func oneBias() {
    for gates in [1, 3, 4] {
      let text = sentence(
        ["weight_ih": [3 * gates, 4], "weight_hh": [3 * gates, 3], "bias": [3 * gates]])
      #expect(text.hasPrefix("'bias': expected bias_ih and bias_hh, found one bias"))
    }
    // Of other sizes, bias_n is not Equinox'.
    let odd: [String: [Int]] = [
      "weight_ih": [9, 4], "weight_hh": [9, 3], "bias": [9], "bias_n": [9],
    ]
    #expect(sentence(odd).hasPrefix("'bias'"))
  }

  @Test("A missing array is named with its level and direction")
  func missing() {
    func without(_ names: String..., levels: Int = 1, both: Bool = false) -> String {
      var shapes: [String: [Int]] = [:]
      for level in 0..<levels {
        let input = level == 0 ? 4 : both ? 6 : 3
        for end in both ? ["", "_reverse"] : [""] {
          shapes.merge(lstm("r.", input: input, suffix: "_l\(level)\(end)")) { $1 }
        }
      }
      for name in names {
        for role in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
        where (role + "|").hasPrefix(name) || name.hasPrefix("_") {
          shapes["r." + role + name.drop { $0 != "_" }] = nil
        }
        shapes["r." + name] = nil
      }
      return sentence(shapes)
    }
    func expected(_ name: String) -> String { "'r.\(name)': expected such an array, found none" }
    for name in ["bias_hh_l0", "bias_ih_l0", "weight_hh_l0", "weight_ih_l0"] {
      #expect(without(name) == expected(name))
    }
    #expect(
      without("weight_ih_l1_reverse", levels: 2, both: true) == expected("weight_ih_l1_reverse"))
    #expect(without("_l1", levels: 3) == expected("weight_ih_l1"))
    #expect(without("_l1_reverse", levels: 2, both: true) == expected("weight_ih_l1_reverse"))
    #expect(without("_l0", both: true) == expected("weight_ih_l0"))
    #expect(without("bias_ih_l1", "bias_hh_l1", levels: 2) == expected("bias_ih_l1"))
  }

  @Test("Layers of one module have one size, and are layers or a cell")
  func uniform() {
    var shapes = lstm().merging(lstm(input: 3, hidden: 2, suffix: "_l1")) { $1 }
    #expect(sentence(shapes) == "'weight_hh_l1': expected shape [12, 3], found [8, 2]")
    shapes = lstm().merging(lstm(suffix: "")) { $1 }
    #expect(sentence(shapes).contains("expected the arrays of a cell or of a layer, found both"))
  }

  @Test("Wrapped parameters that are not computed are refused by the name of what wraps them")
  func wrapped() {
    func wrapped(_ names: [String: [Int]]) -> String {
      var shapes = lstm()
      shapes["weight_hh_l0"] = nil
      return sentence(shapes.merging(names) { $1 })
    }
    let spectral = wrapped([
      "weight_hh_l0_orig": [12, 3], "weight_hh_l0_u": [12], "weight_hh_l0_v": [3],
    ])
    #expect(spectral.contains("under spectral normalisation"))
    #expect(spectral.hasSuffix("torch.nn.utils.remove_spectral_norm(module, 'weight_hh_l0')"))
    let place = "parametrizations.weight_hh_l0."
    #expect(
      wrapped([place + "original": [12, 3], place + "0._u": [12], place + "0._v": [3]]).contains(
        "under spectral normalisation"))
    #expect(
      wrapped([place + "original": [12, 3], place + "0.base": [12, 3]]).contains(
        "a parametrization other than weight normalisation"))
    #expect(
      wrapped(["weight_hh_l0_v": [12, 3]]) == "'weight_hh_l0_g': expected such an array, found none"
    )
    #expect(
      wrapped([place + "original1": [12, 3]])
        == "'\(place)original0': expected such an array, found none")
    #expect(
      wrapped([place + "original0": [3, 1], place + "original1": [12, 3]])
        == "'\(place)original0': expected shape [12, 1], found [3, 1]")
    #expect(
      sentence(lstm().merging(["weight_hh_l0_g": [12, 1], "weight_hh_l0_v": [12, 3]]) { $1 })
        .contains("expected one parameter weight_hh_l0, found"))
  }

  @Test("Modules in a row are one network if they can be nothing else, or if their prefix says so")
  func stacks() throws {
    func modules(_ names: [String], _ sizes: [Int]) -> [String: [Int]] {
      zip(names, zip(sizes, sizes.dropFirst())).reduce(into: [:]) { shapes, module in
        shapes.merge(lstm(module.0, input: module.1.0, hidden: module.1.1)) { $1 }
      }
    }
    let list = modules(["rnns.0.", "rnns.1.", "rnns.2."], [4, 6, 6, 2])
    for prefix in [nil, "rnns.", "rnns"] {
      let imported = try read(list, prefix: prefix)
      #expect(imported.network.levels.map { $0[0].outputSize } == [6, 6, 2])
      #expect(imported.assumptions.first?.contains("are one network") == true)
    }
    #expect(try read(list, prefix: "rnns.0").network.levels.count == 1)
    #expect(try read(modules(["lstm1.", "lstm2."], [4, 3, 5])).prefix == "lstm")
    // All could read the same input: stacked or side by side?
    let equal = modules(["rnns.0.", "rnns.1."], [4, 4, 4])
    #expect(
      sentence(equal)
        == "holds several networks, 'rnns.0.', 'rnns.1.'; choose one by its prefix, or all that begin with 'rnns.' as layers of one, each above the one before"
    )
    #expect(try read(equal, prefix: "rnns.").network.levels.count == 2)
    // Modules whose sizes do not fit are not a stack.
    let branches = modules(["a1."], [4, 6]).merging(modules(["a2."], [4, 6])) { $1 }
    #expect(sentence(branches) == "holds several networks, 'a1.', 'a2.'; choose one by its prefix")
    #expect(
      sentence(branches, prefix: "a")
        == "'a2.': expected input size 6, which 'a1.' puts out, found 4")
    // A gap, filled by something else.
    let gap = modules(["0.", "2."], [4, 6, 5])
    #expect(sentence(gap) == "holds several networks, '0.', '2.'; choose one by its prefix")
    #expect(
      sentence(modules(["m.0.", "m.2."], [4, 6, 5]), prefix: "m.").hasPrefix(
        "'m.': expected layers numbered without a gap from 0 or 1, found 0, 2"))
    #expect(
      sentence(modules(["encoder.", "decoder."], [4, 6, 5]))
        == "holds several networks, 'decoder.', 'encoder.'; choose one by its prefix")
  }

  @Test("A normalization among the layers is named, and layers are joined only on request")
  func suspects() throws {
    for name in ["norms.0.weight", "rnns.0.bn.weight", "bn1.weight"] {
      var shapes = lstm("rnns.0.", hidden: 6).merging(lstm("rnns.1.", input: 6)) { $1 }
      shapes[name] = [6]
      #expect(sentence(shapes).hasPrefix("holds several networks, 'rnns.0.', 'rnns.1.'"))
      let imported = try read(shapes, prefix: "rnns")
      #expect(imported.network.levels.count == 2)
      #expect(imported.omissions.first?.hasPrefix("\(name): stands among the layers") == true)
    }
  }

  @Test("A prefix may lack its separator, stand for more than the whole, or be misspelt")
  func prefixes() throws {
    let two = lstm("encoder.rnn.").merging(lstm("decoder.rnn.", hidden: 5)) { $1 }
    for prefix in ["decoder.rnn.", "decoder.rnn", "decoder", "decoder."] {
      #expect(try read(two, prefix: prefix).network.outputSize == 5)
    }
    #expect(
      sentence(two, prefix: "decodr.rnn")
        == "no network has the prefix 'decodr.rnn'; did you mean 'decoder.rnn.'?")
    #expect(
      sentence(two, prefix: "zzz")
        == "no network has the prefix 'zzz'; the file has 'decoder.rnn.', 'encoder.rnn.'")
    // The prefix of the module that weight dropout wraps means the parameter next to it.
    var dropped = lstm("a.module.")
    dropped["a.weight_hh_l0_raw"] = [12, 3]
    // Two plain modules of such names are two networks.
    let plain = lstm("a.").merging(lstm("a.module.", hidden: 2)) { $1 }
    #expect(try read(plain, prefix: "a.module").network.outputSize == 2)
    #expect(try read(plain, prefix: "a").network.outputSize == 3)
    for prefix in ["a.module.", "a.", "a", nil] {
      let imported = try read(dropped, prefix: prefix)
      #expect(imported.mappings.count == 5)
      #expect(
        imported.mappings.contains {
          $0.hasPrefix("a.module.weight_hh_l0 ") && $0.contains("what dropout last made of")
        })
    }
  }

  @Test("A weight of a type that is not read is named with its type, and is not missing")
  func types() throws {
    for name in ["weight_hh_l0", "bias_hh_l0", "weight_ih_l0"] {
      var file = try arrays(lstm())
      file.skipped[name] = SkippedValue(kind: "complex64", shape: file.arrays[name]?.shape)
      file.arrays[name] = nil
      let error = #expect(throws: ModelImportError.self) {
        try NetworkFile.network(in: file, as: Float.self)
      }
      #expect(error?.description.hasPrefix("'\(name)': expected numbers") == true)
      #expect(error?.description.contains("found complex64[12") == true)
    }
    // A shape that no memory could hold is not computed with.
    var huge = try arrays(lstm())
    huge.arrays["weight_hh_l0"] = nil
    huge.skipped["weight_hh_l0"] = SkippedValue(kind: "complex64", shape: [.max, .max])
    #expect(throws: ModelImportError.self) { try NetworkFile.network(in: huge, as: Float.self) }
    // Without both biases the layer would be another.
    var file = try arrays(lstm())
    for name in ["bias_ih_l0", "bias_hh_l0"] {
      file.skipped[name] = SkippedValue(kind: "NumPy array")
      file.arrays[name] = nil
    }
    let error = #expect(throws: ModelImportError.self) {
      try NetworkFile.network(in: file, as: Float.self)
    }
    #expect(error?.description.contains("found NumPy array") == true)
  }

  @Test("A bias that is a number, a text or a list is an error: no layer is read without it")
  func listedBiases() throws {
    let names = ["bias_ih_l0", "bias_hh_l0"]
    var plain = lstm("r.")
    for name in names { plain["r." + name] = nil }
    for name in names {
      var file = try arrays(plain)
      file.metadata["r.\(name)"] = "0.5"
      let error = #expect(throws: ModelImportError.self) {
        try NetworkFile.network(in: file, as: Float.self)
      }
      #expect(error?.description.hasPrefix("'r.bias_") == true, "\(error?.description ?? "")")
    }
    for part in [".0", ".data", ".2.1"] {
      #expect(
        sentence(
          plain.merging(["r.bias_ih_l0\(part)": [12], "r.bias_hh_l0\(part)": [12]]) { $1 }
        ).hasPrefix("'r.bias_"))
    }
    // Settings next to the weights are not biases.
    var file = try arrays(lstm("r."))
    file.metadata = ["weight_decay": "0.1", "r.bias": "True", "bias_initializer": "zeros"]
    #expect(try NetworkFile.network(in: file, as: Float.self).imported.network.outputSize == 3)
  }

  @Test("Only the network's own arrays decide its precision")
  func precision() throws {
    func file(_ wide: Set<String>) throws -> ArrayFile {
      var file = try arrays(lstm("r.").merging(["best_loss": [], "mean": [4]]) { $1 })
      for name in wide {
        let shape = try #require(file.arrays[name]?.shape)
        file.arrays[name] = StoredArray(Tensor<Double>(shape: shape))
      }
      return file
    }
    #expect(try !NetworkFile.isDouble(file([])))
    #expect(try !NetworkFile.isDouble(file(["best_loss", "mean"])))
    #expect(try NetworkFile.isDouble(file(["r.weight_hh_l0"])))
  }
}
