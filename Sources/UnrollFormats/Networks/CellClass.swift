// The cells of another program: each format has one table, from which it reads everything that depends on the
// kind of a cell.

package import Unroll

/// A class of another program that computes what a kind of our cells does: a row of the program's table.
package protocol CellClass: Sendable, Hashable {
  /// The program's name, as messages have it.
  static var program: String { get }
  /// The table: every class. Of several classes for one kind, the first is written.
  static var all: [Self] { get }

  /// Our kind.
  var kind: CellKind { get }
  /// The class in the program.
  var name: String { get }
}

extension CellClass {
  /// The class that computes a kind of cells.
  ///
  /// - Throws: `ModelImportError` for a kind that the program does not have.
  package init(_ kind: CellKind) throws(ModelImportError) {
    guard let row = Self.all.first(where: { $0.kind == kind }) else {
      throw kind.refusal(by: Self.program)
    }
    self = row
  }

  /// The class of a name; nil if the program has none of that name.
  ///
  /// - Parameters:
  ///   - name: The class in the program.
  ///   - resetsAfterProduct: Where a GRU resets, if the program has both under one name.
  package init?(named name: String, resetsAfterProduct: Bool = true) {
    let rows = Self.all.filter { $0.name == name }
    let variant = rows.first { $0.kind == (resetsAfterProduct ? .gruResetAfter : .gruResetBefore) }
    guard let row = variant ?? rows.first else { return nil }
    self = row
  }
}

extension Cell {
  /// The kind, for a program or a file that knows the kinds alone.
  ///
  /// - Throws: `ModelImportError` for a user's own cell.
  package func kind(for program: String) throws(ModelImportError) -> CellKind {
    guard let kind else {
      throw ModelImportError(.inexpressible(field: "cell", value: title), name: program)
    }
    return kind
  }
}

extension CellKind {
  /// The error of a program that has no such cell.
  package func refusal(by program: String) -> ModelImportError {
    let (field, value) =
      switch self {
      case .gruResetBefore: ("reset gate", "before the product")
      case .gruResetAfter: ("reset gate", "after the product")
      default: ("cell", rawValue)
      }
    return ModelImportError(.inexpressible(field: field, value: value), name: program)
  }
}
