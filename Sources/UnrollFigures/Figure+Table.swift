// The data of a figure as a table, for gnuplot and for other programs.

extension Figure {
  /// The data as comma-separated values: a header row, then data rows; missing cells are empty.
  public var csv: String {
    var names: [String] = []
    var columns: [[Double]] = []
    for (index, panel) in panels.enumerated() {
      for (name, numbers) in panel.columns {
        names.append(panels.count > 1 ? "\(name)_\(index + 1)" : name)
        columns.append(numbers)
      }
    }
    let rowCount = columns.map(\.count).max() ?? 0
    let rows = (0..<rowCount).map { row in
      columns.map { $0.count > row ? "\($0[row])" : "" }.joined(separator: ",")
    }
    return ([names.joined(separator: ",")] + rows).joined(separator: "\n") + "\n"
  }
}

extension Panel {
  /// The data as named columns.
  var columns: [(String, [Double])] {
    switch content {
    case .histogram(let counts, let edges):
      return [
        ("low", Array(edges.dropLast())), ("high", Array(edges.dropFirst())),
        ("count", counts.map { Double($0) }),
      ]
    case .lines(let lines):
      return lines.enumerated().flatMap { number, line in
        let name = lines.count > 1 ? "_\(Self.identifier(line.title, number))" : ""
        return [("x\(name)", line.x), ("y\(name)", drawable(line.y, y))]
      }
    case .heatMap(let xs, let ys, let values, let colors):
      // gnuplot's image needs an even grid. For a logarithmic axis, the caller passes exponents as
      // coordinates.
      var columns: ([Double], [Double], [Double]) = ([], [], [])
      let floor = colors.range?.lowerBound ?? .leastNormalMagnitude
      for (row, y) in ys.enumerated() {
        for (column, x) in xs.enumerated() {
          columns.0.append(x)
          columns.1.append(y)
          let value = values[row][column]
          columns.2.append(colors.isLogarithmic ? max(value, floor) : value)
        }
      }
      return [("x", columns.0), ("y", columns.1), ("value", columns.2)]
    }
  }

  /// Replaces numbers that are not positive with missing values if the axis is logarithmic.
  private func drawable(_ numbers: [Double], _ axis: Axis) -> [Double] {
    axis.isLogarithmic ? numbers.map { $0 > 0 ? $0 : .nan } : numbers
  }

  private static func identifier(_ title: String, _ number: Int) -> String {
    let letters = title.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
    let name = String(letters).split(separator: "_").joined(separator: "_")
    return name.isEmpty ? "\(number + 1)" : name
  }
}
