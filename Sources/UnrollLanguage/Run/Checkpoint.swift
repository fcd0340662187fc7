// A run at one moment, in one file: arrays of float32 by name, the rest as JSON in the metadata.
// Two are kept: the older one is removed only when a newer one is whole.

internal import Foundation
internal import Unroll
internal import UnrollFormats

/// The checkpoints of a run folder.
struct CheckpointStore {
  let folder: String
  static let epochStart = "epoch-start.safetensors"
  private static let levelKey = "kernels"
  private static let suffix = ".safetensors"

  init(run: String) { folder = run + "/checkpoints" }

  /// Names of the files that are there, the newest first; other files, such as a person's copies, do not
  /// count and stay.
  private func names() -> [String] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return all.filter(Self.isCheckpoint).sorted(by: >)
  }

  /// Whether a name is that of a checkpoint.
  static func isCheckpoint(_ name: String) -> Bool {
    let digits = name.dropLast(suffix.count)
    return name.hasSuffix(suffix) && digits.utf8.count >= 12
      && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
  }

  /// Whether there is none.
  var isEmpty: Bool { names().isEmpty }

  /// Writes a checkpoint, then removes all but the two newest.
  ///
  /// At the beginning of an epoch it is written once more, to go back to from divergence: then where
  /// a run goes back to does not depend on a clock.
  func write(_ state: TrainingState<Float>, of fingerprint: RunFingerprint) throws {
    do { try AtomicFile.makeFolder(folder) } catch {
      throw RunError(.file("\(error)"), path: folder)
    }
    let digits = String(state.progress.step)
    let name = String(repeating: "0", count: max(0, 12 - digits.count)) + digits + Self.suffix
    var arrays: [String: StoredArray] = [:]
    let parameters = state.model.parameterNames
    for (name, array) in state.model.arrays { arrays["model." + name] = array }
    for (index, memory) in state.memories.enumerated() {
      if !memory.first.isEmpty { arrays["first." + parameters[index]] = StoredArray(memory.first) }
      if !memory.second.isEmpty {
        arrays["second." + parameters[index]] = StoredArray(memory.second)
      }
    }
    for (index, average) in state.averages.enumerated() {
      arrays["average." + parameters[index]] = StoredArray(average)
    }
    for (index, layer) in state.states.enumerated() {
      arrays["state.\(index).hidden"] = StoredArray(layer.hidden)
      if !layer.cell.isEmpty { arrays["state.\(index).cell"] = StoredArray(layer.cell) }
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let progress = String(decoding: try encoder.encode(state.progress), as: UTF8.self)
    let file = Safetensors(
      arrays: arrays,
      metadata: fingerprint.metadata.merging([
        "progress": progress, Self.levelKey: KernelLevel.current.rawValue,
      ]) { $1 })
    if state.progress.position == 0 { try file.writeChecked(to: folder + "/" + Self.epochStart) }
    try file.writeChecked(to: folder + "/" + name)
    // Later ones are left only where the run has gone back.
    let others = names()
    for old in others.filter({ $0 > name }) + others.filter({ $0 <= name }).dropFirst(2) {
      try? FileManager.default.removeItem(atPath: "\(folder)/\(old)")
    }
  }

  /// Reads the newest checkpoint that is whole.
  ///
  /// - Parameters:
  ///   - state: The run's first state; replaced if there is any checkpoint.
  ///   - fingerprint: What the checkpoint must belong to.
  /// - Returns: What was found wrong with newer ones, which are removed; and if the kernels were others,
  ///   which round otherwise.
  /// - Throws: `RunError` if there are some and none is whole, or they are another run's.
  func read(
    into state: inout TrainingState<Float>, of fingerprint: RunFingerprint
  ) throws -> [String] {
    var problems: [String] = []
    let names = names()
    // A run that was stopped before its first checkpoint has not done anything.
    if names.isEmpty { return [] }
    for name in names {
      let path = folder + "/" + name
      do {
        let level = try read(path, into: &state, of: fingerprint)
        // A damaged one must not count as one of the two that are kept.
        for other in names.prefix(problems.count) {
          try? FileManager.default.removeItem(atPath: folder + "/" + other)
        }
        let current = KernelLevel.current.rawValue
        if let level, level != current {
          problems.append(
            "\(path): was written with the \(level) kernels and goes on with \(current); they round otherwise, so this run will not have the bits of one that never changed"
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

  /// Goes back to the beginning of the epoch.
  func readEpochStart(
    into state: inout TrainingState<Float>, of fingerprint: RunFingerprint
  ) throws {
    _ = try read(folder + "/" + Self.epochStart, into: &state, of: fingerprint)
  }

  /// Reads one checkpoint.
  ///
  /// - Returns: The kernels that it was written with, if it says so.
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
    func tensor(_ name: String, like other: Tensor<Float>) throws -> Tensor<Float> {
      guard let array = file.arrays[name], array.shape == other.shape else {
        throw RunError(
          .parameter(name, expected: other.shape, found: file.arrays[name]?.shape), path: path)
      }
      return array.tensor(of: Float.self)
    }
    var result = state
    try result.model.take(file.arrays, prefix: "model.", path: path)
    let names = state.model.parameterNames
    for (index, name) in names.enumerated() {
      let memory = state.memories[index]
      let (first, second) = (memory.first, memory.second)
      result.memories[index].restore(
        first: first.isEmpty ? nil : try tensor("first." + name, like: first),
        second: second.isEmpty ? nil : try tensor("second." + name, like: second),
        stepCount: progress.step)
    }
    let parameters = state.model.parameters
    result.averages =
      progress.averagedSteps > 0
      ? try names.indices.map { try tensor("average." + names[$0], like: parameters[$0]) } : []
    for (index, layer) in state.states.enumerated() {
      result.states[index].hidden = try tensor("state.\(index).hidden", like: layer.hidden)
      if !layer.cell.isEmpty {
        result.states[index].cell = try tensor("state.\(index).cell", like: layer.cell)
      }
    }
    result.progress = progress
    state = result
    return file.metadata[Self.levelKey]
  }
}
