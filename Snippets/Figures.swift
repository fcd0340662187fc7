// A figure as a value: its script and table in files, and an image drawn by gnuplot.

import Foundation
import UnrollFigures

let steps = (0...30).map { Double($0) }
let figure = Figure(
  name: "decay", title: "A gradient that vanishes",
  panels: [
    Panel(
      title: "backward in time", x: .whole("step t"),
      y: Axis("norm of the gradient", isLogarithmic: true),
      content: .lines([Line("0.7^t", x: steps, y: steps.map { pow(0.7, $0) })]))
  ])

let folder = FileManager.default.temporaryDirectory
  .appendingPathComponent("unroll-\(UUID().uuidString)")
let files = FileManager.default
for name in ["figures", "data"] {
  try files.createDirectory(
    at: folder.appendingPathComponent(name), withIntermediateDirectories: true)
}
let figures = folder.appendingPathComponent("figures")
try Data(figure.script.utf8).write(to: figures.appendingPathComponent("decay.gp"))
try Data(figure.csv.utf8).write(to: folder.appendingPathComponent("data/decay.csv"))
if Gnuplot.path() != nil {
  try Gnuplot(folder: figures.path).draw(figure, as: .svg)
  print("wrote \(figures.path)/decay.svg")
}
