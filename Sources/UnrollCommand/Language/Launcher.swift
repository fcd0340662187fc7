#if Command
internal import Foundation
internal import Unroll
internal import UnrollLanguage
internal import UnrollMPI

/// Whether this process is one of several that an MPI launcher has started, as its environment says.
enum Launcher {
  private static let environment = ProcessInfo.processInfo.environment

  private static func number(_ names: [String]) -> Int? {
    names.lazy.compactMap { environment[$0].flatMap { Int($0) } }.first
  }

  /// This process's number; nil without a launcher.
  static var rank: Int? { number(["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"]) }

  /// How many processes there are; nil without a launcher, or if it does not say.
  static var count: Int? {
    number(["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"]) ?? (rank == nil ? nil : number(["SLURM_NTASKS"]))
  }

  /// How many of them this machine has; nil without a launcher, or if it does not say.
  static var localCount: Int? {
    rank == nil ? nil : number(["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"])
  }

  /// Whether this is the first of its machine's processes.
  static var isFirstHere: Bool {
    (number(["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"]) ?? 0) == 0
  }

  /// The cores that are this process's among those of its machine; nil where it is alone.
  ///
  /// Of what the launcher may use, which is the parent, each process has as many; no more than it is bound to.
  static var coreShare: Int? {
    guard let ranks = localCount, ranks > 1 else { return nil }
    let mine = Threads.availableCores
    var all = Threads.boundCores(of: getppid()) ?? mine
    // Where a control group leaves less than this process is bound to, the launcher has no more, either.
    if let bound = Threads.boundCores(of: 0), mine < bound { all = min(all, mine) }
    return min(mine, max(1, all / ranks))
  }

  /// Gives `body` the ranks of this job, and parts with them at its end.
  ///
  /// - Throws: What `body` throws; of several ranks only one says so.
  static func ranks<Result>(_ body: (any Ranks) throws -> Result) throws -> Result {
    guard rank != nil else { return try body(SingleRank()) }
    if let problem = MPIRanks.problem {
      if count == 1 { return try body(SingleRank()) }
      throw DataError(
        description:
          "an MPI launcher started \(count.map { "\($0) processes" } ?? "this process"), each of which would do all the work: \(problem), or start unroll without the launcher"
      )
    }
    let ranks: MPIRanks
    do { ranks = try MPIRanks { Interruption.killIsNear } } catch let error as RankError {
      throw DataError(description: CommandText.sentence(error.description))
    }
    do {
      let result = try body(ranks.count == 1 ? SingleRank() : ranks)
      ranks.end()
      return result
    } catch {
      if ranks.speaks(of: error) {
        RankOutput.say(
          "\(ranks.rank == 0 ? "" : "rank \(ranks.rank): ")\(CommandText.sentence("\(error)"))")
      }
      ranks.abandon()
    }
  }
}

/// What ranks other than 0 write: nothing on the terminal, and a log beside the run's folder.
enum RankOutput {
  /// Standard error as it was.
  private nonisolated(unsafe) static var terminal: Int32 = STDERR_FILENO

  /// Turns this process's output off, unless it is rank 0; before anything is written.
  static func hush() {
    guard let rank = Launcher.rank, rank > 0, terminal == STDERR_FILENO else { return }
    terminal = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
    let nowhere = open("/dev/null", O_WRONLY)
    dup2(nowhere, STDOUT_FILENO)
    dup2(nowhere, STDERR_FILENO)
    close(nowhere)
  }

  /// Turns it into a file's.
  static func log(to path: String) {
    guard let rank = Launcher.rank, rank > 0 else { return }
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    guard file >= 0 else { return }
    dup2(file, STDOUT_FILENO)
    dup2(file, STDERR_FILENO)
    close(file)
  }

  /// Says something on the terminal, whichever rank this is.
  static func say(_ text: String) {
    _ = "Error: \(text)\n".withCString { write(terminal, $0, strlen($0)) }
  }
}
#endif
