// The section of state tracking.

internal import Unroll
internal import UnrollFigures
internal import UnrollFormats

extension TrackingTask {
  /// The task in words.
  var question: String {
    switch self {
    case .parity: "whether the number of ones so far is odd"
    case .moduloThree: "the sum of the numbers so far modulo 3"
    }
  }
}

extension StateTrackingResult {
  /// Losses, and the accuracy against the step.
  ///
  /// - Parameter name: The section's anchor.
  /// - Returns: The section, with one figure and one table.
  public func section(name: String = "track") -> LabReport.Section {
    LabReport.Section(
      id: name, title: "Which cells track a state: \(settings.task.rawValue)",
      interpretation: """
        At every step the network says \(settings.task.question). No input may be forgotten and none outweighs another, so \
        the state has to be a state machine. The cells are trained on sequences of \(settings.trainingLength) steps and tested \
        on sequences of \(settings.testLength). Guessing gives \(LabNumber.percent(1 / Double(settings.task.modulus))). \
        \(statement)
        """,
      settings: options, command: LabSettings.command("track", options),
      figures: [
        (
          figure: Figure(
            name: "\(name)-accuracy",
            title: "\(settings.task.rawValue): training and longer sequences",
            columns: 2, panels: [lossPanel, accuracyPanel], size: (1000, 440)),
          alternative:
            "The loss in training, and the share of right answers at every step of the test."
        )
      ],
      tables: [table],
      arrays: ["accuracy": StoredArray(Tensor(rows: cells.map(\.accuracy)))])
  }

  private var options: [(name: String, value: String)] {
    [
      ("task", settings.task.rawValue),
      ("cell", settings.cells.map(\.rawValue).joined(separator: ",")),
      ("hidden", "\(settings.hiddenSize)"), ("time", "\(settings.trainingLength)"),
      ("test-time", "\(settings.testLength)"), ("batch", "\(settings.batchSize)"),
      ("max-steps", "\(settings.stepLimit)"), ("learning-rate", "\(settings.learningRate)"),
      ("seed", "\(settings.seed)"),
    ]
  }

  private var lossPanel: Panel {
    Panel(
      title: "training", x: .whole("training step"),
      y: .decades("cross-entropy (nats)", holding: cells.flatMap(\.losses), floor: 1e-4),
      content: .lines(
        cells.map { cell in
          Line(
            cell.cell.title,
            x: cell.losses.indices.map {
              Double(min(($0 + 1) * Self.lossInterval, cell.stepCount))
            }, y: cell.losses)
        }))
  }

  private var accuracyPanel: Panel {
    Panel(
      title: "test: trained to step \(settings.trainingLength)", x: .whole("step t"),
      y: Axis("share of right answers", range: 0...1.02),
      content: .lines(
        cells.map { cell in
          Line(
            cell.cell.title, x: cell.accuracy.indices.map { Double($0 + 1) }, y: cell.accuracy)
        }),
      levels: [Level(1 / Double(settings.task.modulus), "guessing")])
  }

  /// The result in one to three sentences.
  public var statement: String {
    func named(_ group: [TrackedCell]) -> String { LabNumber.list(group.map(\.cell.title)) }
    let whole = cells.filter { $0.hasLearned && $0.reach == settings.testLength }
    let short = cells.filter { $0.hasLearned && $0.reach < settings.testLength }
    let none = cells.filter { !$0.hasLearned }
    var sentences: [String] = []
    if !whole.isEmpty {
      sentences.append(
        "\(named(whole)): at least 99 % right at every one of the \(settings.testLength) steps.")
    }
    if !short.isEmpty {
      sentences.append(
        "\(named(short)): without an error at the training length, but not at every later step.")
    }
    if !none.isEmpty {
      sentences.append(
        "\(named(none)): not learned within \(LabNumber.count(settings.stepLimit, "training step")), so the test says little of the cell."
      )
    }
    return sentences.joined(separator: " ")
  }

  /// One row for each cell.
  public var table: LabReport.Table {
    LabReport.Table(
      caption:
        "Trained on \(LabNumber.count(settings.trainingLength, "step")), tested on \(settings.testLength)",
      header: [
        "cell", "parameters", "training steps", "last loss", "99 % right up to step",
        "right at the end",
      ],
      rows: cells.map { cell in
        [
          cell.cell.title, "\(cell.parameterCount)",
          cell.hasLearned ? "\(cell.stepCount)" : "\(cell.stepCount), not learned",
          LabNumber.short(cell.losses.last), "\(cell.reach)",
          LabNumber.percent(cell.accuracy.last ?? .nan),
        ]
      })
  }
}
