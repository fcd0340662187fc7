internal import ArgumentParser
internal import Unroll

/// `--threads`, for every command that computes.
struct ThreadOptions: ParsableArguments {
  @Option(help: "Threads; the result is the same for any number.") var threads: Int?

  func validate() throws {
    if let threads, !(1...256).contains(threads) {
      throw ValidationError("--threads: expected 1 ... 256, found \(threads).")
    }
  }

  /// Takes the number, if one was given, for the whole process.
  func apply() {
    if let threads { Threads.count = threads }
  }
}
