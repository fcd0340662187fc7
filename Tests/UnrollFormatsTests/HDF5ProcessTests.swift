// The process that reads HDF5 files does not affect this one.

import Foundation
import Synchronization
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

/// The number of times that this process was about to be copied.
private let copies = Atomic<Int>(0)

@Suite("The process that reads HDF5")
struct HDF5ProcessTests {
  @Test("Reading copies nothing of this process, and leaves its signals as they are")
  func leavesAlone() throws {
    pthread_atfork({ copies.add(1, ordering: .relaxed) }, nil, nil)
    let elements = (0..<300_000).map { Float($0) }
    let array = StoredArray(Tensor(elements))
    let signals = [SIGPIPE, SIGCHLD, SIGTERM, SIGINT, SIGXCPU]
    func actions() -> [Int] {
      signals.map { number in
        var action = sigaction()
        sigaction(number, nil, &action)
        #if canImport(Darwin)
        return unsafeBitCast(action.__sigaction_u.__sa_handler, to: Int.self)
        #else
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
        #endif
      }
    }
    let before = actions()
    try withTemporaryFolder { folder in
      let path = folder + "/a.h5"
      try ArrayFile(for: path, arrays: ["a": array]).write(to: path)
      #expect(try ArrayFile(contentsOf: path).arrays["a"] == array)
      var bytes = try AtomicFile.read(path)
      bytes.removeLast(bytes.count / 2)
      #expect(throws: ArrayFileError.self) { try ArrayFile(bytes, name: path) }
    }
    #expect(copies.load(ordering: .relaxed) == 0)
    #expect(actions() == before)
  }
}
