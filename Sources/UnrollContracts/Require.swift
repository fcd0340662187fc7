// How a broken contract ends the program. Swift's `precondition` drops its message in optimised
// builds, so that a caller would see an illegal instruction and nothing else. Every check of the
// package goes through this file instead.

/// Checks a condition that the caller must fulfil, in debug and in optimised builds.
///
/// - Parameters:
///   - condition: What must hold.
///   - message: The operation, what it expected and what it got; built only if the condition fails.
///   - file: The file of the check.
///   - line: The line of the check.
@inlinable
@inline(__always)
package func require(
  _ condition: Bool, _ message: @autoclosure () -> String, file: StaticString = #fileID,
  line: UInt = #line
) {
  if !condition { contractViolation(message(), file: file, line: line) }
}

/// Stops the program and prints why, in debug and in optimised builds.
///
/// Never inlined, so that each check costs one comparison and one call on a cold path.
///
/// - Parameters:
///   - message: The operation, what it expected and what it got.
///   - file: The file of the check.
///   - line: The line of the check.
@inline(never)
@usableFromInline
package func contractViolation(
  _ message: String, file: StaticString = #fileID, line: UInt = #line
) -> Never {
  fatalError(message, file: file, line: line)
}
