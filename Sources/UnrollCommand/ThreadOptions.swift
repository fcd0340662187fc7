#if Command
internal import ArgumentParser
internal import Unroll

/// The option `--threads` of experiments and language models.
struct ThreadOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Number of threads, 1 ... 256; the result is the same for any number. (default: UNROLL_THREADS, or all cores; under MPI this rank's share)",
      valueName: "count")
  )
  var threads: Int?

  func validate() throws { try Self.check(threads) }

  /// Sets the number of threads of the process to the value that was given, if any.
  ///
  /// All option groups are searched, so that no command can forget it.
  static func apply(of command: any ParsableCommand) {
    if let threads = chosen(in: command) { Threads.count = threads }
  }

  private static func chosen(in value: Any) -> Int? {
    if let options = value as? Self { return options.threads }
    for child in Mirror(reflecting: value).children {
      if let threads = chosen(in: child.value) { return threads }
    }
    return nil
  }

  /// The valid numbers of threads.
  static let range = 1...256

  static func check(_ threads: Int?) throws {
    if let threads, !range.contains(threads) {
      throw ValidationError(
        "--threads: expected \(range.lowerBound) ... \(range.upperBound), found \(threads).")
    }
  }
}
#endif
