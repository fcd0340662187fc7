// A value that takes long to make and is asked for by many threads.

internal import Synchronization

/// The last value, and what it was made from.
package final class KeptValue<Stamp: Equatable & Sendable, Value: Sendable>: Sendable {
  private let kept = Mutex<(stamp: Stamp, value: Value)?>(nil)
  /// Held by the thread that makes a value.
  private let making = Mutex(())

  package init() {}

  /// The value of a stamp, which is made if the last one is of another.
  ///
  /// One thread makes it. Those that ask meanwhile wait, and take the same one; if it could not be made, the next one
  /// tries. Nobody waits for a value that is there.
  ///
  /// - Throws: What `make` throws.
  package func value(at stamp: Stamp, _ make: () throws -> Value) throws -> Value {
    if let value = present(stamp) { return value }
    return try making.withLock { _ in
      if let value = present(stamp) { return value }
      let value = try make()
      kept.withLock { $0 = (stamp, value) }
      return value
    }
  }

  private func present(_ stamp: Stamp) -> Value? {
    kept.withLock { $0.flatMap { $0.stamp == stamp ? $0.value : nil } }
  }
}
