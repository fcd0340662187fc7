// Files that another program shortens while they are in use.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Files in memory")
struct FileMemoryTests {
  /// Takes a file of 5 large pages into memory, and gives it to `body` with its path.
  static func withFile(copiedSize: Int, _ body: (FileMemory, String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      try Data(repeating: 7, count: 20480).write(to: URL(fileURLWithPath: path))
      let file = try #require(FileHandle(forReadingAtPath: path))
      try body(
        FileMemory(descriptor: file.fileDescriptor, path: path, copiedSize: copiedSize), path)
    }
  }

  @Test("A small file is read: its bytes stay when it is shortened")
  func small() throws {
    try Self.withFile(copiedSize: FileMemory.copiedSize) { memory, path in
      truncate(path, 0)
      #expect(memory.bytes.count == 20480 && memory.bytes.allSatisfy { $0 == 7 })
    }
  }

  @Test("An array of a safetensors file stays when the file is shortened")
  func safetensors() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/a.safetensors"
      let values = Tensor<Float>(shape: [3000], repeating: 2)
      try AtomicFile.write(Safetensors(arrays: ["a": StoredArray(values)]).encoded(), to: path)
      let file = try Safetensors(mapping: path)
      truncate(path, 100)
      #expect(file.arrays["a"]?.tensor(of: Float.self) == values)
      #expect(throws: ArrayFileError.self) { try Safetensors(mapping: path) }
    }
  }

  // Swift 6.1 has no tests of processes that end.
  #if compiler(>=6.2)
  @Test("A mapped file that is shortened ends the program with its name, where it asks for that")
  func mapped() async throws {
    let result = try await #require(
      processExitsWith: .exitCode(1), observing: [\.standardErrorContent]
    ) {
      MappedFiles.reportShortened()
      // A mapping that is gone does not count.
      try FileMemoryTests.withFile(copiedSize: 0) { memory, _ in
        precondition(memory.bytes.last == 7)
      }
      try FileMemoryTests.withFile(copiedSize: 0) { memory, path in
        truncate(path, 4096)
        precondition(memory.bytes[4095] == 7)
        precondition(memory.bytes[20000] == 7)
      }
    }
    let text = String(decoding: result.standardErrorContent, as: UTF8.self)
    #expect(
      text.hasSuffix(
        "/file: another program shortened the file while it was in use; restore it and run the command again\n"
      ) && text.contains("Error: /"), "\(text)")
  }
  #endif
}
