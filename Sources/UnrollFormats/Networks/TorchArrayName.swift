// A name of PyTorch's, taken apart: what stands before it, the role, the level and direction, and what wraps
// the parameter.
//
//   encoder.rnn.weight_hh_l1_reverse                    plain
//   rnns.0.module.weight_hh_l0_raw                      under weight dropout (AWD-LSTM): the parameter
//   rnn.weight_hh_l0_g, rnn.weight_hh_l0_v              under weight normalization, up to PyTorch 2.0
//   rnn.parametrizations.weight_hh_l0.original0, …1     under weight normalization, since
//   rnn.weight_hh_l0_orig, …_mask; …_orig, …_u, …_v     pruned; under spectral normalization

/// The place of an array in a recurrent module.
struct TorchPlace: Hashable {
  var level: Int
  var isBackward: Bool
  /// Whether it is a cell's, whose names have no level.
  var isCell: Bool

  /// The part of the name after the role.
  var suffix: String {
    isCell ? "" : TorchModule.suffix(layer: level, isReverse: isBackward)
  }
}

/// A name taken apart.
struct TorchArrayName {
  static let roles = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"]

  /// The reparametrization around the parameter, by the end of its name.
  enum Form: String, CaseIterable {
    case plain = ""
    case raw = "_raw"
    case magnitude = "_g"
    case direction = "_v"
    case singular = "_u"
    case original = "_orig"
    case mask = "_mask"
    /// The arrays of `parametrizations`.
    case parametrized0 = "original0"
    case parametrized1 = "original1"
    case parametrized = "original"
    case parametrizedPart = "part"
  }

  var prefix: String
  var role: String
  var place: TorchPlace
  var form: Form

  /// Takes a name apart; nil if it is none of a recurrent module's.
  init?(_ name: String) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    if let index = parts.lastIndex(of: "parametrizations"), index + 2 < parts.count,
      let (role, place) = Self.parse(parts[index + 1])
    {
      let last = parts.dropFirst(index + 2).joined(separator: ".")
      (self.role, self.place) = (role, place)
      form =
        switch last {
        case "original0": .parametrized0
        case "original1": .parametrized1
        case "original": .parametrized
        default: .parametrizedPart
        }
      prefix = parts[..<index].map { $0 + "." }.joined()
      return
    }
    guard let last = parts.last else { return nil }
    prefix = String(name.dropLast(last.count))
    if let (role, place) = Self.parse(last) {
      (self.role, self.place, form) = (role, place, .plain)
      return
    }
    for form in [Form.raw, .magnitude, .direction, .singular, .original, .mask]
    where last.hasSuffix(form.rawValue) {
      if let (role, place) = Self.parse(last.dropLast(form.rawValue.count)) {
        (self.role, self.place, self.form) = (role, place, form)
        return
      }
    }
    return nil
  }

  private static func parse(_ word: Substring) -> (role: String, place: TorchPlace)? {
    guard let role = roles.first(where: { word.hasPrefix($0) }) else { return nil }
    var suffix = word.dropFirst(role.count)
    if suffix.isEmpty { return (role, TorchPlace(level: 0, isBackward: false, isCell: true)) }
    let isBackward = suffix.hasSuffix("_reverse")
    if isBackward { suffix = suffix.dropLast("_reverse".count) }
    guard suffix.hasPrefix("_l"), case let digits = suffix.dropFirst(2),
      (1...4).contains(digits.count),
      digits.allSatisfy({ ("0"..."9").contains($0) }), let level = Int(digits)
    else { return nil }
    return (role, TorchPlace(level: level, isBackward: isBackward, isCell: false))
  }
}

/// The arrays of one recurrent module.
struct TorchGroup {
  var prefix: String
  /// The file's names by place, role and form.
  var names: [TorchPlace: [String: [TorchArrayName.Form: String]]] = [:]

  /// All names.
  var fileNames: [String] { names.values.flatMap { $0.values.flatMap(\.values) } }

  /// The modules whose arrays are there.
  static func all(_ names: some Sequence<String>) -> [TorchGroup] {
    let parsed = names.compactMap { name in TorchArrayName(name).map { (name, $0) } }
    // fastai keeps the parameter next to the module that it wraps: `0.weight_hh_l0_raw`, `0.module.bias_ih_l0`.
    let owners = Set(parsed.filter { $0.1.form == .raw }.map(\.1.prefix))
    var groups: [String: TorchGroup] = [:]
    for (name, parts) in parsed {
      var prefix = parts.prefix
      if prefix.hasSuffix("module."), owners.contains(String(prefix.dropLast("module.".count))) {
        prefix = String(prefix.dropLast("module.".count))
      }
      groups[prefix, default: TorchGroup(prefix: prefix)]
        .names[parts.place, default: [:]][parts.role, default: [:]][parts.form] = name
    }
    return groups.values.sorted(byName: { $0.prefix })
  }
}
