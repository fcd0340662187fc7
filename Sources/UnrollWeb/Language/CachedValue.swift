// A cache of one value that is expensive to compute and requested by several threads.

internal import Synchronization

/// The latest value and the stamp that it was computed for.
package final class CachedValue<Stamp: Equatable & Sendable, Value: Sendable>: Sendable {
  private let kept = Mutex<(stamp: Stamp, value: Value)?>(nil)
  /// Locked by the thread that computes a value.
  private let making = Mutex(())

  package init() {}

  /// Returns the value for a stamp; computes it if the cached value has another stamp.
  ///
  /// One thread computes the value while others that request it wait for the result; if it fails, the next one tries. A
  /// cached value is returned without waiting.
  ///
  /// - Throws: The error of `make`.
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
