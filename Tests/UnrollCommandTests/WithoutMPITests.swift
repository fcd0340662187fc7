// What a build without MPI says to a launcher that starts it many times.

import Foundation
import Testing
import UnrollTestSupport

@Suite("A build without MPI")
struct WithoutMPITests {
  @Test("It says so when a launcher starts it several times, once, and trains nothing")
  func launcher() throws {
    let command = CommandTests()
    try withTemporaryFolder { folder in
      for (variables, isFirst) in [
        (["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"], true),
        (["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2"], false),
        (["PMI_SIZE": "2", "PMI_RANK": "0"], true),
        (["PMIX_RANK": "0", "SLURM_NTASKS": "3"], true),
      ] {
        let result = try command.run(
          ["train", "--output", folder + "/run", "--max-steps", "2"], environment: variables)
        #expect(result.status != 0)
        #expect(result.errors.contains("was built without MPI") == isFirst)
        #expect(isFirst || result.errors.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: folder + "/run"))
      }
      // Processes of one machine share its cores.
      if ProcessInfo.processInfo.environment["UNROLL_THREADS"] == nil {
        var many = ["OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_LOCAL_SIZE": "1000"]
        func threads() throws -> Substring? {
          try command.unroll("info", environment: many).output.split(separator: "\n")
            .first { $0.hasPrefix("threads") }?.split(separator: " ").dropFirst().first
        }
        #expect(try threads() == "1")
        many["UNROLL_THREADS"] = "3"
        #expect(try threads() == "3")
      }
      let info = try command.unroll("info")
      #expect(info.output.contains("MPI "))
    }
  }
}
