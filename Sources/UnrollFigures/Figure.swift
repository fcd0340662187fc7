// A figure as data: panels in a grid, each with axes and marks. How it is drawn is gnuplot's
// business and stands in `Figure+Gnuplot.swift`.

internal import UnrollContracts

/// A figure: a grid of panels under one title.
public struct Figure: Sendable, Equatable {
  /// The name of its files: letters, digits and hyphens.
  public let name: String
  /// What stands above all panels.
  public var title: String
  /// Rows of the grid.
  public var rows: Int
  /// Columns of the grid.
  public var columns: Int
  /// The panels, row by row.
  public var panels: [Panel]
  /// Width and height in pixels of the SVG.
  public var size: (width: Int, height: Int) {
    didSet {
      require(
        size.width > 0 && size.height > 0,
        "Figure.size: expected a width and a height above 0, got \(size.width) and \(size.height).")
    }
  }

  /// Creates a figure.
  ///
  /// - Precondition: The name has only letters, digits and hyphens; the panels fit the grid.
  public init(
    name: String, title: String, rows: Int = 1, columns: Int = 1, panels: [Panel],
    size: (width: Int, height: Int) = (900, 540)
  ) {
    require(
      !name.isEmpty && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") },
      "Figure.init: expected a name of letters, digits and hyphens, got '\(name)'.")
    require(
      panels.count <= rows * columns,
      "Figure.init: expected at most \(rows * columns) panels, got \(panels.count).")
    self.name = name
    self.title = title
    self.rows = rows
    self.columns = columns
    self.panels = panels
    self.size = size
  }

  /// The figure for a narrow screen, such as a phone's: the same panels, fewer side by side.
  ///
  /// - Parameter width: The width in pixels, above 0.
  /// - Returns: A figure whose name ends with `-narrow`.
  public func narrow(width: Int = 380) -> Figure {
    require(width > 0, "Figure.narrow: expected a width above 0, got \(width).")
    let areBars = panels.allSatisfy { if case .histogram = $0.content { true } else { false } }
    let columns = max(1, min(self.columns, areBars ? 2 : 1))
    let rows = max(1, (panels.count + columns - 1) / columns)
    return Figure(
      name: name + "-narrow", title: title, rows: rows, columns: columns, panels: panels,
      size: (width, 40 + rows * (areBars ? 210 : 370)))
  }

  /// Whether all parts are equal.
  public static func == (left: Figure, right: Figure) -> Bool {
    left.name == right.name && left.title == right.title && left.rows == right.rows
      && left.columns == right.columns && left.panels == right.panels && left.size == right.size
  }
}

/// An axis: its label, and how numbers are laid along it.
public struct Axis: Sendable, Equatable {
  /// The label; says the unit where there is one.
  public var label: String
  /// Whether the axis is logarithmic; numbers that are not positive are left out then.
  public var isLogarithmic: Bool
  /// The ends, if they are not left to gnuplot.
  public var range: ClosedRange<Double>?
  /// Whether only whole numbers mean something along it, such as those of steps.
  public var isWhole = false

  /// Creates an axis.
  public init(_ label: String, isLogarithmic: Bool = false, range: ClosedRange<Double>? = nil) {
    self.label = label
    self.isLogarithmic = isLogarithmic
    self.range = range
  }
}

extension Axis {
  /// An axis of whole numbers, such as steps or counts: no others are written along it.
  public static func whole(_ label: String, range: ClosedRange<Double>? = nil) -> Axis {
    var axis = Axis(label, range: range)
    axis.isWhole = true
    return axis
  }

  /// A logarithmic axis over whole decades that holds all positive numbers, down to `floor`.
  ///
  /// - Parameters:
  ///   - label: The label.
  ///   - numbers: What will be drawn; numbers that are not positive are left out.
  ///   - floor: Where the axis ends at the latest; above 0.
  /// - Returns: The axis with its range.
  public static func decades(
    _ label: String, holding numbers: [Double], floor: Double = 1e-16
  ) -> Axis {
    let positive = numbers.filter { $0 > 0 && $0.isFinite }
    let (least, most) = (max(floor, positive.min() ?? 1), max(floor, positive.max() ?? 1))
    var (low, high) = (1.0, 1.0)
    while low > least { low /= 10 }
    while low * 10 <= least { low *= 10 }
    while high < most * 1.05 { high *= 10 }
    while high / 10 >= most * 1.05 { high /= 10 }
    return Axis(label, isLogarithmic: true, range: low...max(high, low * 10))
  }
}

/// One panel.
public struct Panel: Sendable, Equatable {
  /// What is drawn.
  public enum Content: Sendable, Equatable {
    /// Bars: counts between edges (one more than counts).
    case histogram(counts: [Int], edges: [Double])
    /// Lines over one x.
    case lines([Line])
    /// Colours over a grid: `values[y][x]`; numbers that are not positive are drawn as the lowest
    /// colour if the colours are logarithmic.
    case heatMap(x: [Double], y: [Double], values: [[Double]], colors: Axis)
  }

  /// What stands above the panel.
  public var title: String
  /// The horizontal axis.
  public var x: Axis
  /// The vertical axis.
  public var y: Axis
  /// What is drawn.
  public var content: Content
  /// Horizontal lines that mark levels, with a word each.
  public var levels: [Level]

  /// Creates a panel.
  public init(title: String, x: Axis, y: Axis, content: Content, levels: [Level] = []) {
    self.title = title
    self.x = x
    self.y = y
    self.content = content
    self.levels = levels
  }
}

/// A line of a panel.
public struct Line: Sendable, Equatable {
  /// Its word in the key.
  public var title: String
  /// Where its points are.
  public var x: [Double]
  /// How high they are.
  public var y: [Double]

  /// Creates a line.
  ///
  /// - Precondition: There are as many x as y.
  public init(_ title: String, x: [Double], y: [Double]) {
    require(x.count == y.count, "Line.init: expected \(x.count) heights, got \(y.count).")
    self.title = title
    self.x = x
    self.y = y
  }
}

/// A horizontal line across a panel.
public struct Level: Sendable, Equatable {
  /// How high it is.
  public var y: Double
  /// The word beside it.
  public var label: String

  /// Creates a level.
  public init(_ y: Double, _ label: String) {
    self.y = y
    self.label = label
  }
}
