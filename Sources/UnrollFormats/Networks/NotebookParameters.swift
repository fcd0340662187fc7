// The notebook's helper: parameters by gate, input and recurrent part apart, by its names.
//
//   RNN   wt_h, wt_x, bias
//   GRU   wtu_h, wtu_x, biasu (update), wtr_h, wtr_x, biasr (reset), wtc_h, wtc_x, biasc (candidate)
//
// For the LSTM, which the notebook does not have, the same pattern with i, f, c and o.

public import Unroll
internal import UnrollContracts

extension CellParameters {
  /// The parameters by the notebook's names; `wt…_h` is U of a gate, `wt…_x` its W.
  ///
  /// Setting changes the parameters that are named and leaves the others.
  ///
  /// - Precondition: Names and shapes are the cell's.
  public var notebook: [String: Tensor<Scalar>] {
    get {
      var result: [String: Tensor<Scalar>] = [:]
      for gate in gates {
        let (letter, part) = (letter(of: gate), self[gate])
        result["wt\(letter)_h"] = part.recurrentWeights
        result["wt\(letter)_x"] = part.inputWeights
        result["bias\(letter)"] = part.bias
      }
      return result
    }
    set {
      var known = Set<String>()
      for gate in gates {
        let letter = letter(of: gate)
        var part = self[gate]
        if let tensor = newValue["wt\(letter)_h"] { part.recurrentWeights = tensor }
        if let tensor = newValue["wt\(letter)_x"] { part.inputWeights = tensor }
        if let tensor = newValue["bias\(letter)"] { part.bias = tensor }
        self[gate] = part
        known.formUnion(["wt\(letter)_h", "wt\(letter)_x", "bias\(letter)"])
      }
      let unknown = newValue.keys.filter { !known.contains($0) }.sortedNames()
      require(
        unknown.isEmpty,
        "CellParameters.notebook: expected names of \(known.sortedNames()), got \(unknown).")
    }
  }

  private func letter(of gate: Gate) -> String {
    guard gates.count > 1 else { return "" }
    return switch gate {
    case .update: "u"
    case .reset: "r"
    case .candidate: "c"
    case .input: "i"
    case .forget: "f"
    case .output: "o"
    default: gate.rawValue
    }
  }
}
