#if Command
internal import Foundation
internal import Unroll
internal import UnrollLanguage
internal import UnrollMPI

/// The MPI launcher that started this process, according to the environment.
enum Launcher {
  private static let environment = ProcessInfo.processInfo.environment

  private static func number(_ names: [String]) -> Int? {
    names.lazy.compactMap { environment[$0].flatMap { Int($0) } }.first
  }

  /// The rank of this process; nil without a launcher.
  static var rank: Int? { number(["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"]) }

  /// The number of processes; nil without a launcher, or if it is not known.
  static var count: Int? {
    number(["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"]) ?? (rank == nil ? nil : number(["SLURM_NTASKS"]))
  }

  /// The number of processes on this machine; nil without a launcher, or if it is not known.
  static var localCount: Int? {
    rank == nil ? nil : number(["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"])
  }

  /// Whether this is the first process on its machine.
  static var isFirstHere: Bool {
    (number(["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"]) ?? 0) == 0
  }

  /// This process's share of the cores; nil if it is the only process on the machine.
  ///
  /// The cores of the launcher, which is the parent process, are divided equally; a process gets no more than it is
  /// bound to.
  static var coreShare: Int? {
    guard let ranks = localCount, ranks > 1 else { return nil }
    let mine = Threads.availableCores
    var all = Threads.boundCores(of: getppid()) ?? mine
    // A control group that leaves fewer cores than the affinity mask also limits the launcher.
    if let bound = Threads.boundCores(of: 0), mine < bound { all = min(all, mine) }
    return min(mine, max(1, all / ranks))
  }

  /// Calls `body` with the ranks of this job and finalizes MPI afterwards.
  ///
  /// - Throws: What `body` throws; only one of several ranks reports it.
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
    do { ranks = try MPIRanks { Interruption.isTerminating } } catch let error as RankError {
      throw DataError(description: CommandText.sentence(error.description))
    }
    do {
      let result = try body(ranks.count == 1 ? SingleRank() : ranks)
      ranks.end()
      return result
    } catch {
      if ranks.shouldReport(error) {
        RankOutput.say(
          "\(ranks.rank == 0 ? "" : "rank \(ranks.rank): ")\(CommandText.sentence("\(error)"))")
      }
      ranks.abort()
    }
  }
}

/// The output of ranks other than 0: nothing on the terminal, and a log next to the run's folder.
enum RankOutput {
  /// The original standard error.
  private nonisolated(unsafe) static var terminal: Int32 = STDERR_FILENO

  /// Discards this process's output unless it is rank 0.
  ///
  /// Must be called before anything is written.
  static func hush() {
    guard let rank = Launcher.rank, rank > 0, terminal == STDERR_FILENO else { return }
    terminal = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
    let nowhere = open("/dev/null", O_WRONLY)
    dup2(nowhere, STDOUT_FILENO)
    dup2(nowhere, STDERR_FILENO)
    close(nowhere)
  }

  /// Redirects the output to a file.
  static func log(to path: String) {
    guard let rank = Launcher.rank, rank > 0 else { return }
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    guard file >= 0 else { return }
    dup2(file, STDOUT_FILENO)
    dup2(file, STDERR_FILENO)
    close(file)
  }

  /// Writes to the terminal from any rank.
  static func say(_ text: String) {
    _ = "Error: \(text)\n".withCString { write(terminal, $0, strlen($0)) }
  }
}
#endif
