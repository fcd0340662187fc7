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

  static func check(_ threads: Int?) throws {
    if let threads, !(1...256).contains(threads) {
      throw ValidationError("--threads: expected 1 ... 256, found \(threads).")
    }
  }
}
#endif
