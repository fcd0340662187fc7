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
      let info = try command.unroll("info")
      #expect(info.output.contains("MPI "))
    }
  }
}
