// Terminates the program when a contract is broken. Swift's `precondition` drops its message in optimised
// builds, so a caller would see only an illegal instruction. All checks of the package use these functions instead.

/// Checks a condition that the caller must fulfil, in debug and in optimised builds.
///
/// - Parameters:
///   - condition: The required condition.
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

/// Stops the program with a message, in debug and in optimised builds.
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
