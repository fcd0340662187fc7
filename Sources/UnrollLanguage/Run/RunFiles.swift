// The files of a run, by their exact names. All other files in its folder belong to the user and are neither removed
// nor overwritten.

internal import Foundation
internal import UnrollFormats
internal import UnrollPlatform

/// Distinguishes the files of a run from others.
enum RunFiles {
  private static let texts = ["train", "valid", "test"]

  /// Returns whether a name is that of a run's file in a subfolder, given by its path relative to the run's folder.
  private static func isOwn(_ name: String, in folder: String) -> Bool {
    switch folder {
    case "":
      ["config.json", "vocabulary.json", "model.safetensors", CheckpointStore.record]
        .contains(name)
    case "checkpoints": name == CheckpointStore.epochStart || CheckpointStore.isCheckpoint(name)
    case "corpus": texts.contains { name == $0 + ".symbols" || name == $0 + ".symbols.json" }
    case "corpus/grammar": texts.contains { name == $0 + ".txt" }
    case "figures": ["curves.gp", "curves.svg", "curves.png", "curves.pdf"].contains(name)
    case "data": name == "curves.csv"
    default: false
    }
  }

  private static let folders = ["", "checkpoints", "corpus", "corpus/grammar", "figures", "data"]

  /// Returns whether a file was left unfinished by a killed process: a run's file name with the mark of such a process.
  private static func isUnfinished(_ name: String, in folder: String, of marks: [String]) -> Bool {
    marks.contains { mark in
      let ending = AtomicFile.unfinished("", mark: mark)
      return name.hasSuffix(ending) && isOwn(String(name.dropLast(ending.count)), in: folder)
    }
  }

  /// Returns the type of a file, without following links; nil if it does not exist.
  static func kind(_ path: String) -> mode_t? {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }

  private static func names(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  /// Removes unfinished files of killed processes; only regular files, and no folder behind a link.
  ///
  /// - Parameters:
  ///   - run: The run's folder.
  ///   - marks: The marks of those processes.
  static func removeUnfinished(in run: String, of marks: [String]) {
    for folder in folders {
      let path = folder.isEmpty ? run : "\(run)/\(folder)"
      guard folder.isEmpty || kind(path) == S_IFDIR else { continue }
      for name in names(path) where isUnfinished(name, in: folder, of: marks) {
        if kind("\(path)/\(name)") == S_IFREG { unlink("\(path)/\(name)") }
      }
    }
  }

  /// Finds a file that a run stopped before its start cannot have created.
  ///
  /// The lock file identifies the folder of a run: without it, all files belong to the user, whatever their names.
  ///
  /// - Parameter run: The folder, or a path that does not exist yet.
  /// - Returns: The path of the first such file relative to the folder; nil if there is none.
  static func foreign(in run: String) -> String? {
    var status = stat()
    guard stat(run, &status) == 0 else { return nil }
    guard status.st_mode & S_IFMT == S_IFDIR else { return "a file" }
    let lock = run + "/lock"
    let marks = kind(lock) == S_IFREG ? RunLock.marks(at: lock) : nil
    for name in names(run) {
      let path = "\(run)/\(name)"
      switch name {
      case "lock": guard marks != nil else { return name }
      case "vocabulary.json":
        guard marks != nil, kind(path) == S_IFREG, (try? Vocabulary(contentsOf: path)) != nil
        else { return name }
      case "corpus":
        guard kind(path) == S_IFDIR else { return name }
        if let found = foreign(inCorpus: path, of: marks) { return "corpus/\(found)" }
      default:
        guard isUnfinished(name, in: "", of: marks ?? []) else { return name }
      }
    }
    return nil
  }

  private static func foreign(inCorpus path: String, of marks: [String]?) -> String? {
    guard let marks else { return names(path).first }
    func isForeign(_ name: String, in folder: String) -> Bool {
      !isOwn(name, in: folder) && !isUnfinished(name, in: folder, of: marks)
    }
    for name in names(path) where isForeign(name, in: "corpus") {
      guard name == "grammar", kind("\(path)/grammar") == S_IFDIR else { return name }
      let found = names("\(path)/grammar").first { isForeign($0, in: "corpus/grammar") }
      if let found { return "grammar/\(found)" }
    }
    return nil
  }

  /// Returns whether a path is that of a file that a run writes into its `corpus` folder.
  static func isEncoded(_ path: String, in run: String) -> Bool {
    let file = URL(fileURLWithPath: path).resolvingSymlinksInPath()
    let folder = URL(fileURLWithPath: run + "/corpus").resolvingSymlinksInPath()
    return file.deletingLastPathComponent().path == folder.path
      && isOwn(file.lastPathComponent, in: "corpus")
  }
}
