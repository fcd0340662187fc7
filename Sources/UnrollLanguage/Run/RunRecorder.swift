// Writes the files of a training run: checkpoints, the best model, metrics. Only rank 0 writes.

internal import Foundation
internal import Unroll
internal import UnrollFormats

/// The files of a training run.
struct RunRecorder {
  private let folder: RunFolder
  /// Nil on ranks that do not use files.
  private let fingerprint: RunFingerprint?

  init(
    _ configuration: RunConfiguration, _ corpus: Corpus, in folder: RunFolder, rank: Int
  ) throws {
    self.folder = folder
    fingerprint = rank == 0 ? try RunFingerprint(configuration, corpus) : nil
  }

  /// Reads the newest undamaged checkpoint and removes the metrics written after it.
  ///
  /// - Returns: The defects of newer checkpoints and of the run's other files.
  /// - Throws: `RunError` if all are damaged, or they belong to another text or other settings.
  func resume(into state: inout TrainingState<Float>) throws -> [String] {
    guard let fingerprint else { return [] }
    if folder.checkpoints.isEmpty && folder.metrics.size > 0 {
      throw RunError(
        .noWholeCheckpoint(["there is none, though the run has metrics"]),
        path: folder.checkpoints.folder)
    }
    var problems = try folder.checkpoints.read(into: &state, of: fingerprint)
    problems += try cutRows(to: state.progress)
    if state.progress.bestLoss != nil {
      do { _ = try StoredModel(run: folder.path) } catch {
        problems.append("\(error); it is written again after the next best epoch")
      }
    }
    return problems
  }

  /// Reads the checkpoint of the start of the epoch.
  func goBack(_ state: inout TrainingState<Float>) throws {
    guard let fingerprint else { return }
    try folder.checkpoints.readEpochStart(into: &state, of: fingerprint)
    _ = try cutRows(to: state.progress)
  }

  private func cutRows(to progress: TrainingProgress) throws -> [String] {
    var problems: [String] = []
    for (file, size) in [
      (folder.metrics, progress.metricsBytes), (folder.events, progress.eventBytes),
    ] {
      if file.size < size {
        problems.append(
          "\(file.path): expected \(size) bytes, found \(file.size); the file was truncated")
      }
      try file.cut(to: size)
    }
    return problems
  }

  /// Writes a checkpoint.
  ///
  /// - Returns: Whether this rank writes checkpoints.
  func checkpoint(_ state: TrainingState<Float>) throws -> Bool {
    guard let fingerprint else { return false }
    // The earlier rows must be on disk, too.
    for file in [folder.metrics, folder.events] where file.size > 0 { try file.append([]) }
    try folder.checkpoints.write(state, of: fingerprint)
    return true
  }

  /// Appends a row to the metrics and the event file and stores their sizes in `progress`.
  ///
  /// - Parameters:
  ///   - values: Numbers by name.
  ///   - progress: The progress that the row describes.
  ///   - waits: Whether to wait until the row is on disk.
  /// - Throws: `RunError` with the system's reason.
  func record(
    _ values: KeyValuePairs<String, Double>, at progress: inout TrainingProgress, waits: Bool
  ) throws {
    guard fingerprint != nil else { return }
    let numbers = values.map { "\"\($0.key)\":\($0.value.isFinite ? "\($0.value)" : "null")" }
      .joined(separator: ",")
    let line = "{\"epoch\":\(progress.epoch),\"step\":\(progress.step),\(numbers)}\n"
    try folder.metrics.append(Array(line.utf8), waits: waits)
    progress.metricsBytes = folder.metrics.size
    let time = Date().timeIntervalSince1970
    if progress.eventBytes == 0 { try folder.events.append(EventFile.start(time: time)) }
    try folder.events.append(
      EventFile.scalars(values, step: progress.step, time: time), waits: waits)
    progress.eventBytes = folder.events.size
  }

  /// Writes the row of a validation and, if it is the best so far, the model.
  func record(
    _ metrics: EpochMetrics, at progress: inout TrainingProgress,
    keeping best: LanguageModel<Float>?
  ) throws {
    guard fingerprint != nil else { return }
    if let best {
      try folder.write(
        best,
        metadata: [
          "epoch": "\(metrics.epoch)", "step": "\(metrics.step)",
          "validation_loss": "\(metrics.validationLoss)",
        ])
    }
    try record(metrics.values, at: &progress, waits: true)
  }
}
