// Checkpoints: float32 arrays by name, the rest as JSON in the metadata. Two are kept; the older one is removed only
// when a newer one is complete.

internal import Foundation
internal import Unroll
internal import UnrollFormats

/// The checkpoints of a run folder.
///
/// The run records the files that it has written. Other files, such as copies made by a user, are never read, removed
/// or overwritten.
struct CheckpointStore {
  let folder: String
  private let recordPath: String
  static let epochStart = "epoch-start.safetensors"
  /// The name of the record in the run's folder.
  static let record = "checkpoints.json"
  private static let levelKey = "kernels"
  private static let suffix = ".safetensors"

  init(run: String) {
    folder = run + "/checkpoints"
    recordPath = "\(run)/\(Self.record)"
  }

  /// Returns the existing checkpoints of the record, latest first; nil without a record.
  private func recorded() -> [String]? {
    guard let bytes = try? AtomicFile.read(recordPath, limit: 1 << 20),
      let names = try? JSONDecoder().decode([String].self, from: Data(bytes))
    else { return nil }
    return names.reversed().filter { Self.isCheckpoint($0) && exists($0) }
  }

  /// Returns the checkpoints to read, newest first.
  ///
  /// Runs of an earlier version have no record; their checkpoints are identified by name.
  private func names() -> [String] {
    if let recorded = recorded() { return recorded }
    let all = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return all.filter(Self.isCheckpoint).sorted(by: >)
  }

  private func exists(_ name: String) -> Bool { RunFiles.kind("\(folder)/\(name)") != nil }

  /// Writes the record.
  ///
  /// - Parameter names: The checkpoints, latest first.
  /// - Throws: `RunError` with the system's reason.
  private func keep(_ names: [String]) throws {
    do {
      try AtomicFile.write(Array(JSONEncoder().encode(Array(names.reversed()))), to: recordPath)
    } catch { throw RunError(.file("\(error)"), path: recordPath) }
  }

  /// Returns whether a name is that of a checkpoint: the step with at least 12 digits, and a number after a hyphen if
  /// another file already had the name.
  static func isCheckpoint(_ name: String) -> Bool {
    name.wholeMatch(of: /[0-9]{12,}(-[0-9]+)?\.safetensors/) != nil
  }

  /// Returns the step in the name of a checkpoint.
  private static func step(_ name: String) -> Int { Int(name.prefix { $0.isNumber }) ?? 0 }

  /// Returns the name for a step's checkpoint: the recorded one, or one that does not exist yet.
  private func name(ofStep step: Int, _ recorded: [String]) -> String {
    let digits = String(step)
    let padded = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    var name = padded + Self.suffix
    var number = 2
    while !recorded.contains(name) && exists(name) {
      name = "\(padded)-\(number)\(Self.suffix)"
      number += 1
    }
    return name
  }

  /// Whether there are no checkpoints.
  var isEmpty: Bool { names().isEmpty }

  /// Writes a checkpoint, then removes all but the two newest.
  ///
  /// At the start of an epoch a second copy is written, for returning to it after divergence. The step to return to
  /// thus does not depend on a clock.
  func write(_ state: TrainingState<Float>, of fingerprint: RunFingerprint) throws {
    do { try AtomicFile.makeFolder(folder) } catch {
      throw RunError(.file("\(error)"), path: folder)
    }
    var (arrays, copy) = ([String: StoredArray](), state)
    copy.forEachArray { arrays[$0] = StoredArray($1) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let progress = String(decoding: try encoder.encode(state.progress), as: UTF8.self)
    let file = Safetensors(
      arrays: arrays,
      metadata: fingerprint.metadata.merging([
        "progress": progress, Self.levelKey: InstructionSet.current.rawValue,
      ]) { $1 })
    if state.progress.position == 0 { try file.writeChecked(to: folder + "/" + Self.epochStart) }
    let (step, recorded) = (state.progress.step, recorded() ?? [])
    let name = name(ofStep: step, recorded)
    // Recorded first, so that a process killed in between leaves no unrecorded file.
    let others = recorded.filter { $0 != name }
    try keep([name] + others)
    try file.writeChecked(to: folder + "/" + name)
    // Later checkpoints exist only if the run has returned to an earlier step.
    let kept = others.filter { Self.step($0) <= step }.prefix(1)
    let removed = others.filter { !kept.contains($0) }
    guard !removed.isEmpty else { return }
    for old in removed { try? FileManager.default.removeItem(atPath: "\(folder)/\(old)") }
    try keep([name] + kept)
  }

  /// Reads the newest undamaged checkpoint.
  ///
  /// - Parameters:
  ///   - state: The run's initial state; replaced if there is a checkpoint.
  ///   - fingerprint: The fingerprint that the checkpoint must have.
  /// - Returns: The defects of newer checkpoints, which are removed, and a note if the kernels differ, because their
  ///   rounding differs.
  /// - Throws: `RunError` if all are damaged, or they belong to another run.
  func read(
    into state: inout TrainingState<Float>, of fingerprint: RunFingerprint
  ) throws -> [String] {
    var problems: [String] = []
    let names = names()
    // The run was stopped before its first checkpoint.
    if names.isEmpty { return [] }
    for name in names {
      let path = folder + "/" + name
      do {
        let level = try read(path, into: &state, of: fingerprint)
        // A damaged checkpoint must not count as one of the two that are kept.
        if !problems.isEmpty, recorded() != nil {
          for other in names.prefix(problems.count) {
            try? FileManager.default.removeItem(atPath: folder + "/" + other)
          }
          try keep(Array(names.dropFirst(problems.count)))
        }
        let current = InstructionSet.current.rawValue
        if let level, level != current {
          problems.append(
            "\(path): was written with the \(level) kernels and continues with \(current), whose rounding differs: the results are not bit-identical to those of an uninterrupted run"
          )
        }
        return problems
      } catch let error as RunError {
        if case .otherRun = error.problem { throw error }
        problems.append(error.description)
      }
    }
    throw RunError(.noWholeCheckpoint(problems), path: folder)
  }

  /// Restores the state at the start of the epoch.
  func readEpochStart(
    into state: inout TrainingState<Float>, of fingerprint: RunFingerprint
  ) throws {
    _ = try read(folder + "/" + Self.epochStart, into: &state, of: fingerprint)
  }

  /// Reads one checkpoint.
  ///
  /// - Returns: The kernels that wrote it, if recorded.
  private func read(
    _ path: String, into state: inout TrainingState<Float>, of fingerprint: RunFingerprint
  ) throws -> String? {
    let file = try Safetensors(checked: path)
    if let what = fingerprint.difference(from: file.metadata) {
      throw RunError(.otherRun(what), path: path)
    }
    guard let words = file.metadata["progress"],
      let progress = try? JSONDecoder().decode(TrainingProgress.self, from: Data(words.utf8))
    else { throw RunError(.file("expected a run's progress in the metadata"), path: path) }
    guard progress.step >= 0 else {
      throw RunError(.file("expected a step of at least 0, found \(progress.step)"), path: path)
    }
    var result = state
    result.progress = progress
    try result.forEachArray { name, array in try array.load(name, of: file.arrays, path: path) }
    state = result
    return file.metadata[Self.levelKey]
  }
}
