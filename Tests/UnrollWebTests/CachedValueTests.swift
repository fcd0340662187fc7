// Values that are computed once for all threads.

import Foundation
import Synchronization
import Testing
import UnrollWeb

@Suite("A value that many threads ask for")
struct KeptValueTests {
  private struct Failure: Error {}

  @Test("It is made once, however many ask at once, and again when its origin has changed")
  func once() {
    let kept = CachedValue<Int, Int>()
    let made = Mutex(0)
    for stamp in 1...3 {
      let values = Mutex<[Int]>([])
      DispatchQueue.concurrentPerform(iterations: 16) { _ in
        let value = try? kept.value(at: stamp) {
          // Long enough for every other thread to request the value.
          usleep(50_000)
          return made.withLock {
            $0 += 1
            return 10 * stamp + $0
          }
        }
        values.withLock { $0.append(value ?? 0) }
      }
      #expect(values.withLock { $0 } == [Int](repeating: 11 * stamp, count: 16))
      #expect(made.withLock { $0 } == stamp)
    }
  }

  @Test("A value that could not be made is made for the next one that asks")
  func failure() throws {
    let kept = CachedValue<Int, Int>()
    #expect(throws: Failure.self) { try kept.value(at: 1) { throw Failure() } }
    #expect(try kept.value(at: 1) { 5 } == 5)
    // The old value remains available if computing the new one fails.
    #expect(throws: Failure.self) { try kept.value(at: 2) { throw Failure() } }
    #expect(try kept.value(at: 1) { 6 } == 5)
  }
}
