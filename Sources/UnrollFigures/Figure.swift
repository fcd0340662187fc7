// A figure as data: panels in a grid, each with axes and marks. `Figure+Gnuplot.swift` renders it.

internal import UnrollContracts

/// A figure: a grid of panels with a common title.
public struct Figure: Sendable, Equatable {
  /// The base name of its files: letters, digits and hyphens.
  public let name: String
  /// The title above all panels.
  public var title: String
  /// The number of rows of the grid.
  public var rows: Int
  /// The number of columns of the grid.
  public var columns: Int
  /// The width and height of the SVG in pixels.
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

  /// Returns a variant for a narrow screen: the same panels in fewer columns.
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

  /// Returns whether all properties are equal.
  public static func == (left: Figure, right: Figure) -> Bool {
    left.name == right.name && left.title == right.title && left.rows == right.rows
      && left.columns == right.columns && left.panels == right.panels && left.size == right.size
  }
}

/// An axis: its label, scale and range.
public struct Axis: Sendable, Equatable {
  /// The label, including the unit if there is one.
  public var label: String
  /// Whether the axis is logarithmic, which omits numbers that are not positive.
  public var isLogarithmic: Bool
  /// The range; nil for automatic.
  public var range: ClosedRange<Double>?
  /// Whether only whole numbers are labelled, as for steps.
  public var isWhole = false

  /// Creates an axis.
  public init(_ label: String, isLogarithmic: Bool = false, range: ClosedRange<Double>? = nil) {
    self.label = label
    self.isLogarithmic = isLogarithmic
    self.range = range
  }
}

extension Axis {
  /// Returns an axis on which only whole numbers are labelled, such as steps or counts.
  public static func whole(_ label: String, range: ClosedRange<Double>? = nil) -> Axis {
    var axis = Axis(label, range: range)
    axis.isWhole = true
    return axis
  }

  /// Returns a logarithmic axis over whole decades that contains all positive numbers down to `floor`.
  ///
  /// - Parameters:
  ///   - label: The label.
  ///   - numbers: The data; numbers that are not positive are ignored.
  ///   - floor: The minimum of the lower end; above 0.
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

/// A panel of a figure.
public struct Panel: Sendable, Equatable {
  /// The data of a panel and its representation.
  public enum Content: Sendable, Equatable {
    /// Bars: counts between edges, of which there is one more.
    case histogram(counts: [Int], edges: [Double])
    /// Lines.
    case lines([Line])
    /// Colours on a grid, `values[y][x]`. With logarithmic colours, numbers that are not positive get the lowest
    /// colour.
    case heatMap(x: [Double], y: [Double], values: [[Double]], colors: Axis)
  }

  /// The title above the panel.
  public var title: String
  /// The horizontal axis.
  public var x: Axis
  /// The vertical axis.
  public var y: Axis
  /// The data.
  public var content: Content
  /// Horizontal lines with labels.
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
  /// The text in the key.
  public var title: String
  /// The x coordinates of the points.
  public var x: [Double]
  /// The y coordinates of the points.
  public var y: [Double]

  /// Creates a line.
  ///
  /// - Precondition: `x` and `y` have the same count.
  public init(_ title: String, x: [Double], y: [Double]) {
    require(x.count == y.count, "Line.init: expected \(x.count) heights, got \(y.count).")
    self.title = title
    self.x = x
    self.y = y
  }
}

/// A horizontal line across a panel.
public struct Level: Sendable, Equatable {
  /// The y coordinate.
  public var y: Double
  /// The label next to the line.
  public var label: String

  /// Creates a level.
  public init(_ y: Double, _ label: String) {
    self.y = y
    self.label = label
  }
}
