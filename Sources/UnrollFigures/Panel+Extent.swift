// The data along the axes of a panel, for automatic ranges.

extension Panel {
  /// The data along the horizontal axis.
  var xs: [Double] {
    switch content {
    // If the bars start near 0, the axis starts at 0.
    case .histogram(_, let edges):
      edges + ((edges.first ?? 1) > 0 && (edges.first ?? 1) < 0.2 * (edges.last ?? 0) ? [0] : [])
    case .lines(let lines): lines.filter(draws).flatMap(\.x)
    case .heatMap(let x, _, _, _): Self.edges(of: x)
    }
  }

  /// The data along the vertical axis.
  var ys: [Double] {
    switch content {
    case .histogram(let counts, _): [0] + counts.map { Double($0) }
    case .lines(let lines): lines.flatMap(\.y)
    case .heatMap(_, let y, _, _): Self.edges(of: y)
    }
  }

  /// Returns whether any point of a line can be drawn.
  func draws(_ line: Line) -> Bool {
    line.y.contains { $0.isFinite && (!y.isLogarithmic || $0 > 0) }
  }

  /// Returns the outer edges of pixels centred at these points.
  private static func edges(of points: [Double]) -> [Double] {
    guard points.count > 1, let first = points.first, let last = points.last else { return points }
    let half = (last - first) / Double(points.count - 1) / 2
    return [first - half, last + half]
  }
}
