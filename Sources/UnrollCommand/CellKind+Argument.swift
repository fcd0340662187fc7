#if Command
public import ArgumentParser
public import Unroll

extension CellKind: ExpressibleByArgument {
  /// All kinds, for messages.
  static var choices: String {
    allCases.map { kind in
      kind.rawValue + (kind == .gruResetBefore ? " (reset gate before the product)" : "")
    }.joined(separator: ", ")
  }
}
#endif
