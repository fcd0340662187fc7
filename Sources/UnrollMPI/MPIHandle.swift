// The functions of the loaded MPI library, and this process's part of the job.

internal import CMPI
internal import UnrollLanguage
internal import UnrollLibraries

/// An initialised MPI library.
final class MPIHandle: @unchecked Sendable {
  // Sendable: used by one thread at a time; see MPIRanks.swift.

  /// The library's functions.
  let calls: unroll_mpi_functions
  /// The job, an argument of every call.
  let job: UnsafeMutablePointer<unroll_mpi_job>

  private static let loaded = Result { () throws(SystemLibraryError) -> unroll_mpi_functions in
    let library = try SystemLibrary(.mpi)
    let calls = unroll_mpi_functions_at(try library.symbol("unroll_mpi_table"))
    guard calls.pointee.interface == UNROLL_MPI_INTERFACE else {
      throw library.refused(
        "is of another version of Unroll (interface \(calls.pointee.interface), expected \(UNROLL_MPI_INTERFACE))"
      )
    }
    return calls.pointee
  }

  /// Initialises MPI; collective.
  ///
  /// - Throws: `RankError` if MPI is not available or fails to start.
  init() throws {
    do { calls = try Self.loaded.get() } catch { throw RankError(.different(error.description)) }
    var job: UnsafeMutablePointer<unroll_mpi_job>?
    let error = calls.start(&job)
    guard error == 0, let job else {
      throw RankError(
        .different(
          error == -1
            ? "this MPI cannot be called from several threads; use one built with MPI_THREAD_SERIALIZED"
            : "MPI could not begin (error \(error)); was it started by the mpirun of the MPI that unroll info names?"
        ))
    }
    self.job = job
  }

  /// The rank of this process.
  var rank: Int { Int(job.pointee.rank) }

  /// The reason why MPI is not available; nil if it is.
  static var problem: String? {
    guard case .failure(let error) = loaded else { return nil }
    return error.description
  }

  /// The implementation's name and version, or the reason why it is not available.
  static var library: String {
    guard let calls = try? loaded.get() else { return "not found: \(problem ?? "")" }
    var text = [CChar](repeating: 0, count: 200)
    calls.version(&text, 200)
    let all = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return all.prefix { $0 != "\n" && $0 != "," }.split { $0 == " " || $0 == "\t" }.joined(
      separator: " ")
  }
}
