// Arrays that are divided among several files: all are read, or none.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Sharded files")
struct ShardedFileTests {
  private static let names = (1...2).map { "torch_shards-0000\($0)-of-00002.safetensors" }

  private func sentence(_ path: String) -> String {
    (#expect(throws: ArrayFileError.self) { try ArrayFile(contentsOf: path) })?.description ?? ""
  }

  private func copy(_ names: [String], to folder: String) throws {
    for name in names {
      try FileManager.default.copyItem(
        atPath: "\(goldenFolder)/files/\(name)", toPath: "\(folder)/\(name)")
    }
  }

  @Test("The index and each of the files give the same arrays")
  func whole() throws {
    let folder = "\(goldenFolder)/files/"
    let whole = try ArrayFile(contentsOf: folder + "torch_shards.safetensors.index.json")
    #expect(whole.arrays.count == 8)
    for name in Self.names {
      #expect(try ArrayFile(contentsOf: folder + name).arrays == whole.arrays)
    }
  }

  @Test("A file whose siblings are missing is refused, and they are named")
  func missing() throws {
    try withTemporaryFolder { folder in
      try copy([Self.names[0], "torch_shards.safetensors.index.json"], to: folder)
      let expected =
        "the arrays are divided among 2 files, of which one is missing: \(Self.names[1]); put all of them into one folder"
      #expect(sentence("\(folder)/\(Self.names[0])") == expected)
      #expect(sentence("\(folder)/torch_shards.safetensors.index.json") == expected)
    }
  }

  @Test("An index that is damaged, or names other folders, gets its sentence")
  func indices() throws {
    try withTemporaryFolder { folder in
      try copy(Self.names, to: folder)
      let path = "\(folder)/model.safetensors.index.json"
      func index(_ text: String) throws -> String {
        try AtomicFile.write(Array(text.utf8), to: path)
        return sentence(path)
      }
      let first = Self.names[0]
      for outside in ["../\(first)", "/etc/passwd", "a/\(first)", "", ".."] {
        #expect(
          try index("{\"weight_map\":{\"x\":\"\(outside)\"}}")
            == "expected files in the index's own folder, found '\(outside)'")
      }
      #expect(try index("{\"weight_map\":3}").hasPrefix("expected an index of arrays"))
      #expect(try index("{}").hasPrefix("expected an index of arrays"))
      #expect(try index("{\"weight_map\":{}}").hasSuffix("the index does not name a file"))
      #expect(
        try index("{\"weight_map\":{\"x\":\"\(first)\"}}").contains(
          "expected the array 'x', as \(path) says, found none"))
    }
  }

  @Test("An array that two files hold is refused")
  func twice() throws {
    try withTemporaryFolder { folder in
      let bytes = Safetensors(arrays: ["a": StoredArray([1])]).encoded()
      for number in 0..<2 {
        try AtomicFile.write(bytes, to: "\(folder)/m-\(number)-of-2.safetensors")
      }
      #expect(
        sentence("\(folder)/m-1-of-2.safetensors").hasSuffix(
          "the array 'a' is in another file, too"))
    }
  }

  @Test("Names that only look alike are single files")
  func single() throws {
    try withTemporaryFolder { folder in
      let bytes = Safetensors(arrays: ["a": StoredArray([1])]).encoded()
      for name in [
        "one-of-a-kind.safetensors", "m-3-of-2.safetensors", "m-00001-of-00001.safetensors",
      ] {
        let path = "\(folder)/\(name)"
        try AtomicFile.write(bytes, to: path)
        #expect(try ArrayFile(contentsOf: path).arrays.count == 1)
      }
    }
  }
}
