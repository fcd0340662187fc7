#if Command
public import ArgumentParser
public import Unroll

extension CellKind: ExpressibleByArgument {
  /// Every kind's word, for help.
  static var choices: String {
    allCases.map { kind in
      kind.rawValue + (kind == .gruResetBefore ? " (reset gate before the product)" : "")
    }.joined(separator: ", ")
  }
}
#endif
