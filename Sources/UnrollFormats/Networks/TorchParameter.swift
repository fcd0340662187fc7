// Parameters that PyTorch's utilities wrap: which of the file's arrays is the weight that the layer uses.

internal import Unroll

enum TorchParameter {
  /// Adds a parameter to a layer's plan.
  ///
  /// - Parameters:
  ///   - role: `weight_hh` and so on.
  ///   - forms: The file's names of the parameter's arrays.
  ///   - plan: The layer.
  /// - Throws: `ModelImportError` for wrappings that are not computed here.
  static func add(
    _ role: String, _ forms: [TorchArrayName.Form: String], to plan: inout LayerPlan
  ) throws(ModelImportError) {
    typealias Form = TorchArrayName.Form
    switch Set(forms.keys) {
    case [.plain]: plan.names[role] = forms[.plain]
    case [.raw]: plan.names[role] = forms[.raw]
    case [.raw, .plain]:
      // Dropout of weights is off when a trained model is used: the parameter counts, not its last copy.
      plan.names[role] = forms[.raw]
      if let copy = forms[.plain] {
        plan.unneeded[copy] = "not needed: what dropout last made of \(forms[.raw] ?? "")"
      }
    case [.magnitude, .direction]:
      derive(
        role, .weightNorm(magnitude: forms[.magnitude] ?? "", direction: forms[.direction] ?? ""),
        &plan)
    case [.parametrized0, .parametrized1]:
      derive(
        role,
        .weightNorm(
          magnitude: forms[.parametrized0] ?? "", direction: forms[.parametrized1] ?? ""), &plan)
    case [.original, .mask]:
      derive(
        role, .masked(weight: forms[.original] ?? "", mask: forms[.mask] ?? ""), &plan)
    default: throw refusal(role, forms, plan)
    }
  }

  private static func derive(_ role: String, _ array: DerivedArray, _ plan: inout LayerPlan) {
    plan.derived[role] = array
    plan.names[role] = array.principal
  }

  private static func refusal(
    _ role: String, _ forms: [TorchArrayName.Form: String], _ plan: LayerPlan
  ) -> ModelImportError {
    let word = "\(role)\(plan.after)"
    let names = forms.values.sortedNames()
    let first = names.first ?? plan.fileName(role)
    func error(_ what: String) -> ModelImportError {
      ModelImportError(.doesNotFit(what), name: first)
    }
    if forms.keys.contains(.singular)
      || names.contains(where: { $0.hasSuffix("._u") || $0.hasSuffix("._v") })
    {
      let function =
        forms.keys.contains(.singular)
        ? "torch.nn.utils.remove_spectral_norm"
        : "torch.nn.utils.parametrize.remove_parametrizations"
      return error(
        "\(word) is under spectral normalisation, which is not computed here; save the plain weight: \(function)(module, '\(word)')"
      )
    }
    if forms.keys.contains(.parametrized) || forms.keys.contains(.parametrizedPart) {
      return error(
        "\(word) has a parametrization other than weight normalisation, which is not computed here; save the plain weight: torch.nn.utils.parametrize.remove_parametrizations(module, '\(word)')"
      )
    }
    for (one, other) in [
      (TorchArrayName.Form.magnitude, "_v"), (.direction, "_g"), (.original, "_mask"),
      (.mask, "_orig"),
    ] where forms.count == 1 && forms.keys.contains(one) {
      return ModelImportError(.missing, name: plan.before + word + other)
    }
    if forms.count == 1,
      let parts = [TorchArrayName.Form.parametrized0: "original1", .parametrized1: "original0"]
        .first(where: { forms.keys.contains($0.key) })
    {
      return ModelImportError(
        .missing, name: "\(plan.before)parametrizations.\(word).\(parts.value)")
    }
    return error("expected one parameter \(word), found \(names.joined(separator: ", "))")
  }
}

/// Equinox' GRU cell: PyTorch's equations and order, one bias for the three gates and one inside the reset
/// gate's product.
struct EquinoxGRU: CellConvention {
  /// The layer of a module that has such arrays; nil if it has not.
  static func layer(
    _ group: TorchGroup, _ shapes: [String: [Int]]
  ) throws(ModelImportError) -> LayerPlan? {
    let place = TorchPlace(level: 0, isBackward: false, isCell: true)
    guard group.names.count == 1, let own = group.names[place],
      Set(own.keys) == ["weight_ih", "weight_hh"],
      let input = own["weight_ih"]?[.plain], let recurrent = own["weight_hh"]?[.plain],
      let shape = shapes[recurrent], shape.count == 2, shape[0] == 3 * shape[1],
      shapes[group.prefix + "bias"] == [shape[0]], shapes[group.prefix + "bias_n"] == [shape[1]]
    else { return nil }
    return LayerPlan(
      level: 0, isBackward: false, convention: EquinoxGRU(),
      names: [
        "weight_ih": input, "weight_hh": recurrent, "bias": group.prefix + "bias",
        "bias_n": group.prefix + "bias_n",
      ],
      effects: TorchNames.effects(try TorchClass(.gruResetAfter)).merging(
        ["bias": "b", "bias_n": "c of the candidate; zero for r and z"]) { $1 },
      before: group.prefix)
  }

  func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> Cell<Scalar> {
    let candidate = try array("bias_n", in: arrays, shape: [nil])
    var all = arrays
    all["bias_ih"] = try array("bias", in: arrays, shape: [3 * candidate.count])
    var second = Tensor<Scalar>(shape: [3 * candidate.count])
    second[(2 * candidate.count)...] = candidate
    all["bias_hh"] = second
    return try TorchModule(.gruResetAfter).cell(from: all)
  }

  /// The recurrent biases of r and z join the only bias.
  func arrays<Scalar: KernelScalar>(
    from parameters: CellParameters<Scalar>, role: ParameterRole
  ) -> [String: Tensor<Scalar>] {
    let (bias, candidate) = parameters.biasesOfOneAndCandidate
    return [
      "weight_ih": parameters.inputWeights.transposed,
      "weight_hh": parameters.recurrentWeights.transposed, "bias": bias, "bias_n": candidate,
    ]
  }
}
