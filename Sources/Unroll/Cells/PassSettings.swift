// The properties of a layer that determine a forward pass, other than parameter values and inputs. A trace stores
// them, so that a backward pass by a different layer is detected even if all arrays have the same shapes.

/// The cell's equations and options, the optional parameters present, its zoneout and the layer's direction.
struct PassSettings: Sendable {
  let cell: CellDefinition
  let options: CellOptions
  let parts: ParameterParts
  let zoneout: Zoneout
  let direction: Direction

  /// Returns whether a layer with these settings can run the backward pass of a trace with the other settings.
  ///
  /// Zoneout masks may differ: the backward pass uses those of the trace.
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

  /// Returns descriptions of the settings that differ, from this value and from the other.
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
