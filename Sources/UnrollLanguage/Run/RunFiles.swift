// The files that a run makes, by their exact names. Everything else in its folder belongs to somebody else and is
// neither removed nor overwritten.

internal import Foundation
internal import UnrollFormats
internal import UnrollPlatform

/// Tells a run's files from others.
enum RunFiles {
  private static let texts = ["train", "valid", "test"]

  /// The names that a run's files have in a folder of it, given by its path from the run's folder.
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

  /// Whether a file is one that a killed process had not finished: an own name with the mark of such a process.
  private static func isUnfinished(_ name: String, in folder: String, of marks: [String]) -> Bool {
    marks.contains { mark in
      let ending = AtomicFile.unfinished("", mark: mark)
      return name.hasSuffix(ending) && isOwn(String(name.dropLast(ending.count)), in: folder)
    }
  }

  /// What a path is, links not followed; nil if nothing is there.
  static func kind(_ path: String) -> mode_t? {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }

  private static func names(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  /// Removes what killed processes left half written; regular files alone, and in no folder behind a link.
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

  /// What a folder holds that a run which was stopped before it had begun cannot have left.
  ///
  /// Only its lock shows that a run was here: without one, files are somebody else's, whatever their names are.
  ///
  /// - Parameter run: The folder, or a path where nothing is yet.
  /// - Returns: The first such file by its path in the folder; nil if there is none.
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

  /// Whether a path is that of a file which a run writes into its `corpus` folder.
  static func isEncoded(_ path: String, in run: String) -> Bool {
    let file = URL(fileURLWithPath: path).resolvingSymlinksInPath()
    let folder = URL(fileURLWithPath: run + "/corpus").resolvingSymlinksInPath()
    return file.deletingLastPathComponent().path == folder.path
      && isOwn(file.lastPathComponent, in: "corpus")
  }
}
