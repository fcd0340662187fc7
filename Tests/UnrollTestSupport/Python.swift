// Runs Python programs that check Unroll's files.

import Foundation

/// Returns the path of a Python prepared by `./run test`: `UNROLL_PYTHON`, or with a suffix such as `_TORCH`; nil if
/// there is none.
public func preparedPython(_ suffix: String = "") -> String? {
  ProcessInfo.processInfo.environment["UNROLL_PYTHON" + suffix]
}

/// Runs a script of `Scripts/python`.
///
/// - Parameters:
///   - name: The script's file name.
///   - python: The Python.
///   - arguments: The script's arguments.
/// - Returns: The exit code and what the script printed.
/// - Throws: The system's error if the Python cannot be started.
public func runScript(
  _ name: String, _ python: String, _ arguments: [String]
) throws -> (status: Int32, output: Data) {
  let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  let process = Process()
  process.executableURL = URL(fileURLWithPath: python)
  process.arguments = [root.appendingPathComponent("Scripts/python/\(name)").path] + arguments
  let output = Pipe()
  process.standardOutput = output
  process.standardError = FileHandle.nullDevice
  try process.run()
  let data = output.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return (process.terminationStatus, data)
}
