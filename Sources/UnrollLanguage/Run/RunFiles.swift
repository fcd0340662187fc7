// The files that a run makes, by their exact names. Everything else in its folder belongs to somebody else and is
// neither removed nor overwritten.

internal import Foundation
internal import UnrollFormats

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// Tells a run's files from others.
enum RunFiles {
  private static let texts = ["train", "valid", "test"]

  /// The names that a run's files have in a folder of it, given by its path from the run's folder.
  private static func isOwn(_ name: String, in folder: String) -> Bool {
    switch folder {
    case "": ["config.json", "vocabulary.json", "model.safetensors"].contains(name)
    case "checkpoints": name == CheckpointStore.epochStart || CheckpointStore.isCheckpoint(name)
    case "corpus": texts.contains { name == $0 + ".symbols" || name == $0 + ".symbols.json" }
    case "corpus/grammar": texts.contains { name == $0 + ".txt" }
    case "figures": ["curves.gp", "curves.svg", "curves.png", "curves.pdf"].contains(name)
    case "data": name == "curves.csv"
    default: false
    }
  }

  private static let folders = ["", "checkpoints", "corpus", "corpus/grammar", "figures", "data"]

  /// Whether a file is one that a run had not finished: an own name, `.part-`, and the number of a process.
  private static func isUnfinished(_ name: String, in folder: String) -> Bool {
    guard let range = name.range(of: ".part-", options: .backwards) else { return false }
    let number = name[range.upperBound...]
    return !number.isEmpty && number.utf8.count <= 10
      && number.utf8.allSatisfy { (0x30...0x39).contains($0) }
      && isOwn(String(name[..<range.lowerBound]), in: folder)
  }

  /// What a path is, links not followed; nil if nothing is there.
  private static func kind(_ path: String) -> mode_t? {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }

  private static func names(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  /// Removes what killed processes left half written; regular files alone, and in no folder behind a link.
  static func removeUnfinished(in run: String) {
    for folder in folders {
      let path = folder.isEmpty ? run : "\(run)/\(folder)"
      guard folder.isEmpty || kind(path) == S_IFDIR else { continue }
      for name in names(path) where isUnfinished(name, in: folder) {
        if kind("\(path)/\(name)") == S_IFREG { unlink("\(path)/\(name)") }
      }
    }
  }

  /// What a folder holds that a run which was stopped before it had begun cannot have left.
  ///
  /// - Parameter run: The folder, or a path where nothing is yet.
  /// - Returns: The first such file by its path in the folder; nil if there is none.
  static func foreign(in run: String) -> String? {
    var status = stat()
    guard stat(run, &status) == 0 else { return nil }
    guard status.st_mode & S_IFMT == S_IFDIR else { return "a file" }
    for name in names(run) where !isUnfinished(name, in: "") {
      let path = "\(run)/\(name)"
      switch name {
      case "lock":
        // Locks are empty.
        guard kind(path) == S_IFREG, lstat(path, &status) == 0, status.st_size == 0 else {
          return name
        }
      case "vocabulary.json":
        guard kind(path) == S_IFREG, (try? Vocabulary(contentsOf: path)) != nil else { return name }
      case "corpus":
        guard kind(path) == S_IFDIR else { return name }
        if let found = foreign(inCorpus: path) { return "corpus/\(found)" }
      default: return name
      }
    }
    return nil
  }

  private static func foreign(inCorpus path: String) -> String? {
    for name in names(path) where !isOwn(name, in: "corpus") && !isUnfinished(name, in: "corpus") {
      guard name == "grammar", kind("\(path)/grammar") == S_IFDIR else { return name }
      let folder = "corpus/grammar"
      if let found = names("\(path)/grammar").first(where: {
        !isOwn($0, in: folder) && !isUnfinished($0, in: folder)
      }) {
        return "grammar/\(found)"
      }
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
