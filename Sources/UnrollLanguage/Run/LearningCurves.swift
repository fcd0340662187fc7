// Plots the learning curves of a run from its metrics file.

internal import Foundation
public import UnrollFigures
internal import UnrollFormats

/// Figures of the training of a run.
public enum LearningCurves {
  /// The maximum number of points of a line; beyond it, neighbouring points are averaged.
  private static let maximumPoints = 2000

  private struct Row: Decodable {
    var epoch: Int
    var step: Int
    var loss: Double?
    var train_loss: Double?
    var validation_loss: Double?
    var learning_rate: Double?
  }

  /// Returns the figure of a run and its number of validations.
  ///
  /// The training loss is taken from the rows for steps. For epochs without such rows, as in runs of earlier versions,
  /// it is the mean of the epoch.
  ///
  /// - Returns: nil if there are no metrics yet.
  public static func figure(run path: String) -> (figure: Figure, epochs: Int)? {
    guard let bytes = try? AtomicFile.read(path + "/metrics.jsonl", limit: 1 << 30) else {
      return nil
    }
    let rows = bytes.split(separator: 0x0A).compactMap {
      try? JSONDecoder().decode(Row.self, from: Data($0))
    }
    guard !rows.isEmpty else { return nil }
    let logged = Set(rows.filter { $0.loss != nil }.map(\.epoch))
    // Losses are per symbol; name the unit.
    let unit = (try? RunConfiguration(contentsOf: path + "/config.json"))?.unit
    func line(_ title: String, _ value: (Row) -> Double?) -> Line {
      let points = rows.compactMap { row in value(row).map { (x: Double(row.step), y: $0) } }
      let size = max(1, (points.count + maximumPoints - 1) / maximumPoints)
      let groups = stride(from: 0, to: points.count, by: size).map {
        points[$0..<min(points.count, $0 + size)]
      }
      return Line(
        title, x: groups.map { $0[$0.endIndex - 1].x },
        y: groups.map { $0.reduce(0) { $0 + $1.y } / Double($0.count) })
    }
    let figure = Figure(
      name: "curves", title: "Learning curves", rows: 1, columns: 2,
      panels: [
        Panel(
          title: "Loss (train: during training)", x: .whole("step"),
          y: Axis("nats per \(unit?.singular ?? "symbol")"),
          content: .lines([
            line("train") { $0.loss ?? (logged.contains($0.epoch) ? nil : $0.train_loss) },
            line("validation") { $0.validation_loss },
          ])),
        Panel(
          title: "Learning rate", x: .whole("step"), y: Axis("rate", isLogarithmic: true),
          content: .lines([line("learning rate") { $0.learning_rate }])),
      ])
    return (figure, rows.count { $0.validation_loss != nil })
  }

  /// Draws `figures/curves.svg`, `.png` and `.pdf`, with script and `data/curves.csv`, into the run's
  /// folder.
  ///
  /// - Returns: The reason why there is no figure; nil on success.
  public static func draw(run path: String) -> String? {
    guard let (figure, _) = figure(run: path) else {
      return "there are no metrics yet: metrics.jsonl is empty"
    }
    do {
      for folder in ["/figures", "/data"] { try AtomicFile.makeFolder(path + folder) }
      try AtomicFile.write(Array(figure.script.utf8), to: path + "/figures/curves.gp")
      try AtomicFile.write(Array(figure.csv.utf8), to: path + "/data/curves.csv")
      let gnuplot = try Gnuplot(folder: path + "/figures")
      for format in PictureFormat.allCases { try gnuplot.draw(figure, as: format) }
      return nil
    } catch {
      return "\(error)"
    }
  }
}
