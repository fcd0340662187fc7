// What a forward pass depends on besides parameters and inputs. A trace keeps it, so that no other layer takes
// it for its own: two kinds of cells have arrays of the same shapes.

/// What made a trace: a cell's equations and options, which parameters it has, its zoneout and the layer's direction.
struct PassSettings: Sendable {
  let cell: CellDefinition
  let options: CellOptions
  let parts: ParameterParts
  let zoneout: Zoneout
  let direction: Direction

  /// Whether a backward pass of a layer with these settings is one through a trace with those.
  ///
  /// The masks of zoneout may differ: the trace has its own, and the backward pass makes those again.
  func isSame(as other: PassSettings) -> Bool {
    cell.isSame(as: other.cell) && options.isSame(as: other.options) && parts == other.parts
      && direction == other.direction && zoneout.hidden == other.zoneout.hidden
      && zoneout.cell == other.zoneout.cell
  }

  private var fields: [(name: String, value: String)] {
    [("cell", cell.title)] + options.fields + [
      ("recurrentBias", parts.contains(.recurrentBias) ? "present" : "absent"),
      ("peepholes", parts.contains(.peepholes) ? "present" : "absent"),
      ("projection", parts.contains(.projection) ? "present" : "absent"),
      ("isNormalized", "\(parts.contains(.gains))"),
      ("zoneout.hidden", "\(zoneout.hidden)"), ("zoneout.cell", "\(zoneout.cell)"),
      ("direction", direction.rawValue),
    ]
  }

  /// The settings that differ, as this one has them and as the other has them.
  func differences(from other: PassSettings) -> (own: String, others: String) {
    if cell.title == other.cell.title, !cell.isSame(as: other.cell) {
      return ("the cell \(cell.title)", "another cell of that name")
    }
    let (own, others) = (fields, other.fields)
    let values = Dictionary(uniqueKeysWithValues: others.map { ($0.name, $0.value) })
    let differing = own.filter { values[$0.name] != $0.value }
    func list(_ value: (String, String) -> String) -> String {
      differing.map { "\($0.name) \(value($0.name, $0.value))" }.joined(separator: ", ")
    }
    return (list { $1 }, list { name, _ in values[name] ?? "none" })
  }
}
