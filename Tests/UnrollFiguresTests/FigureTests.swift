import Foundation
import Testing
import UnrollFigures
import UnrollTestSupport

@Suite("Figures")
struct FigureTests {
  static let figures = [
    Figure(
      name: "lines", title: "it's 100 % _under_ {braces}",
      panels: [
        Panel(
          title: "", x: Axis("t"), y: .decades("y", holding: [1e-3, 5]),
          content: .lines([
            Line("a b", x: [0, 1, 2], y: [1, 0, 0.5]), Line("c", x: [0, 1], y: [1e-3, 5]),
          ]), levels: [Level(0.1, "here")])
      ]),
    Figure(
      name: "bars", title: "bars", rows: 2, columns: 3,
      panels: (0..<6).map {
        Panel(
          title: "\($0)", x: Axis("x"), y: Axis("n", range: 0...4),
          content: .histogram(counts: [1, 4, 2], edges: [0, 1, 2, 3]))
      }),
    Figure(
      name: "nothing", title: "all zero, one point",
      panels: [
        Panel(
          title: "", x: Axis("t"), y: .decades("y", holding: []),
          content: .lines([Line("zero", x: [0, 1], y: [0, 0])]))
      ]),
    Figure(
      name: "point", title: "one point a line",
      panels: [
        Panel(
          title: "", x: Axis("step"), y: Axis("loss"),
          content: .lines([Line("train", x: [20], y: [4]), Line("valid", x: [20], y: [3])]))
      ]),
    Figure(
      name: "colours", title: "colours",
      panels: [
        Panel(
          title: "map", x: Axis("x"), y: Axis("y"),
          content: .heatMap(
            x: [0, 1], y: [0, 1, 2], values: [[1, 2], [0, 4], [5, 6]],
            colors: Axis("c", isLogarithmic: true, range: 0.1...10)))
      ]),
  ]

  @Test("The table has a name for every column and leaves out what a logarithm cannot show")
  func table() {
    let lines = Self.figures[0].csv.split(separator: "\n")
    #expect(lines[0] == "x_a_b,y_a_b,x_c,y_c")
    #expect(lines[2] == "1.0,nan,1.0,5.0")
    #expect(lines[3] == "2.0,0.5,,")
  }

  @Test("Texts are quoted: no character of a title reaches gnuplot as a command")
  func quoting() {
    let script = Self.figures[0].script
    #expect(script.contains("set label 1 'it''s 100 % \\_under\\_ \\{braces\\}'"))
    let hostile = Figure(
      name: "x", title: "a'\nset output 'b'\n!touch c",
      panels: []
    ).script
    #expect(!hostile.contains("\n!touch"))
    // Scalars that Swift merges with a neighbour into one character.
    for joined in ["\u{600}'", "'\u{301}", "\u{600}\n", "\r\n"] {
      let script = Figure(name: "x", title: "m\(joined); system(\"touch c\"); #", panels: []).script
      let line = script.split(separator: "\n").first { $0.contains("system(") } ?? ""
      // The command must be within a string: the number of quotation marks before it is odd.
      let before = line.components(separatedBy: "system(")[0]
      #expect(before.unicodeScalars.count { $0 == "'" } % 2 == 1, "\(line)")
    }
    #expect(!hostile.contains("\nset output 'b'"))
  }

  @Test("Decades hold all positive numbers")
  func decades() {
    #expect(Axis.decades("", holding: [0.02, 30, 0, -1]).range == 0.01...100)
    #expect(Axis.decades("", holding: []).range == 1...10)
  }

  @Test("One gnuplot draws every figure in every format", .needs(.gnuplot))
  func drawing() throws {
    try withFigureFiles(of: Self.figures) { root in
      let folder = root + "/figures"
      let gnuplot = try Gnuplot(folder: folder)
      for figure in Self.figures {
        for format in PictureFormat.allCases {
          try gnuplot.draw(figure, as: format)
          let bytes = try Data(
            contentsOf: URL(fileURLWithPath: "\(folder)/\(figure.name).\(format.rawValue)"))
          let start: [UInt8] =
            switch format {
            case .svg: Array("<?xml".utf8)
            case .png: [0x89] + Array("PNG".utf8)
            case .pdf: Array("%PDF".utf8)
            }
          #expect(bytes.starts(with: start) && bytes.count > 2000, "\(figure.name).\(format)")
        }
      }
    }
  }

  @Test(
    "A script that is not there ends with gnuplot's word, not with a hang",
    .needs(.gnuplot))
  func missingScript() throws {
    try withTemporaryFolder { folder in
      let gnuplot = try Gnuplot(folder: folder)
      let error = #expect(throws: GnuplotError.self) {
        try gnuplot.draw(Self.figures[0], as: .svg)
      }
      #expect(error?.description.contains("lines.gp") == true)
    }
  }

  @Test("A text histogram has a line for each bin, the largest as long as it may be")
  func text() {
    let text = TextHistogram.draw(
      title: "t", counts: [0, 8, 3], edges: [0, 0.5, 1, 1.5], width: 8)
    #expect(text == "t\n  0.0 │\n  0.5 │████████ 8\n  1.0 │███ 3")
  }

  @Test("A gnuplot that warns at every figure goes on", .tags(.slow), .needs(.gnuplot))
  func warnings() throws {
    // Figures with a single height print "empty y range"; after 1,300 of them an unread pipe would be full.
    let figure = Figure(
      name: "flat", title: "",
      panels: [
        Panel(
          title: "", x: Axis("x"), y: Axis("y"), content: .lines([Line("", x: [0, 1], y: [1, 1])]))
      ])
    try withFigureFiles(of: [figure]) { folder in
      let gnuplot = try Gnuplot(folder: folder + "/figures")
      for _ in 0..<1500 { try gnuplot.draw(figure, as: .svg) }
    }
  }

  @Test(
    "A gnuplot that hangs is killed when its time is over, or when nobody wants the figure any more",
    .needs(.gnuplot))
  func hung() throws {
    let figure = Self.figures[0]
    try withFigureFiles(of: [figure]) { folder in
      for shouldContinue in [true, false] {
        let gnuplot = try Gnuplot(folder: folder + "/figures")
        try gnuplot.draw(figure, as: .svg)
        kill(gnuplot.identifier, SIGSTOP)
        let start = ContinuousClock.now
        let error = #expect(throws: GnuplotError.self) {
          try gnuplot.draw(
            figure, as: .svg, timeLimit: .seconds(shouldContinue ? 1 : 60),
            shouldContinue: { shouldContinue })
        }
        #expect(
          error?.description
            == (shouldContinue
              ? "figure 'lines': gnuplot did not answer within 1 s"
              : "figure 'lines': the drawing was stopped"))
        #expect(ContinuousClock.now - start < .seconds(3))
        // The process has exited and was reaped.
        #expect(kill(gnuplot.identifier, 0) == -1 && errno == ESRCH)
      }
    }
  }

  @Test(
    "A gnuplot that was killed is an error, and no signal to this process",
    .needs(.gnuplot))
  func killed() throws {
    let figure = Self.figures[0]
    try withFigureFiles(of: [figure]) { folder in
      // The library must work even if the program does not ignore SIGPIPE.
      let old = signal(SIGPIPE, SIG_DFL)
      defer { signal(SIGPIPE, old) }
      let gnuplot = try Gnuplot(folder: folder + "/figures")
      kill(gnuplot.identifier, SIGKILL)
      for _ in 0..<2 {
        let error = #expect(throws: GnuplotError.self) { try gnuplot.draw(figure, as: .svg) }
        #expect(error?.description.contains("gnuplot ended") == true)
      }
    }
  }

  @Test("A gnuplot holds none of this process's descriptors", .needs(.gnuplot))
  func descriptors() throws {
    try withTemporaryFolder { folder in
      var ends: [Int32] = [0, 0]
      #expect(pipe(&ends) == 0)
      let gnuplot = try Gnuplot(folder: folder)
      close(ends[1])
      // The closed pipe is detected while gnuplot runs.
      var byte: UInt8 = 0
      #expect(read(ends[0], &byte, 1) == 0)
      close(ends[0])
      #expect(kill(gnuplot.identifier, 0) == 0)
    }
  }

  @Test("A panel's axes are where the figure says", .needs(.gnuplot))
  func plotAreas() throws {
    var figure = Figure(
      name: "areas", title: "areas", rows: 2, columns: 2,
      panels: (0..<4).map { index in
        Panel(
          title: "\(index)", x: Axis("x", range: -0.5...2.5), y: Axis("y", range: 0...4),
          content: .heatMap(
            x: [0, 1, 2], y: [1, 3], values: [[1, 2, 3], [4, 5, 6]], colors: Axis("c")))
      }, size: (1000, 600))
    // A level at a quarter of the height is a line from the left end of the axis to the right one.
    for index in figure.panels.indices { figure.panels[index].levels = [Level(1, "")] }
    try withFigureFiles(of: [figure]) { folder in
      try Gnuplot(folder: folder + "/figures").draw(figure, as: .svg)
      let svg = try String(contentsOfFile: folder + "/figures/areas.svg", encoding: .utf8)
      let level = try Regex(
        "stroke='rgb\\( *0, 162, 255\\)'[^>]*d='M([0-9.]+),([0-9.]+) L([0-9.]+),([0-9.]+)")
      let lines = svg.matches(of: level).map { match in
        (1...4).compactMap { match.output[$0].substring.flatMap { Double($0) } }
      }
      #expect(lines.count == 4)
      for (index, line) in lines.enumerated() {
        let area = figure.plotArea(ofPanel: index)
        let height = area.y.upperBound - area.y.lowerBound
        #expect(abs(line[0] - 1000 * area.x.lowerBound) < 1.5)
        #expect(abs(line[2] - 1000 * area.x.upperBound) < 1.5)
        #expect(abs(line[1] - 600 * (1 - area.y.lowerBound - height / 4)) < 1.5)
      }
    }
  }
}

/// Calls `body` with a folder that contains the files gnuplot reads for some figures.
func withFigureFiles(of figures: [Figure], _ body: (String) throws -> Void) throws {
  try withTemporaryFolder { folder in
    for part in ["figures", "data"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
    }
    for figure in figures {
      for (name, text) in [
        ("figures/\(figure.name).gp", figure.script), ("data/\(figure.name).csv", figure.csv),
      ] {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
      }
    }
    try body(folder)
  }
}
