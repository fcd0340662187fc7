#if Command
internal import ArgumentParser
internal import Unroll

/// `--threads` of the experiments and of language models.
struct ThreadOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help:
      "Threads, 1 ... 256; the result is the same for any number. Default: UNROLL_THREADS, or the cores (of a rank its share)."
  )
  var threads: Int?

  /// Takes the number, if one was given, for the whole process: no command can forget it.
  func validate() throws {
    try Self.check(threads)
    if let threads { Threads.count = threads }
  }

  /// The numbers of threads that can be asked for.
  static let range = 1...256

  static func check(_ threads: Int?) throws {
    if let threads, !range.contains(threads) {
      throw ValidationError(
        "--threads: expected \(range.lowerBound) ... \(range.upperBound), found \(threads).")
    }
  }
}
#endif
