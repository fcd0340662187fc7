// HDF5 files that h5py writes and that were then damaged, or that lie (Scripts/python/hostile_hdf5.py).

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("HDF5", .needs(.python))
struct HDF5Tests {
  /// The files of the script.
  private func withFiles(_ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let python = try #require(preparedPython())
      #expect(try runScript("hostile_hdf5.py", python, [folder]).status == 0)
      try body(folder)
    }
  }

  @Test("Every dataset of numbers is read, packed or not, of any width and byte order")
  func whole() throws {
    try withFiles { folder in
      let file = try ArrayFile(contentsOf: "\(folder)/whole.h5")
      #expect(
        file.arrays.keys.sorted() == [
          "again", "big_endian", "empty", "group/half", "innocent", "large", "packed", "scalar",
          "small",
        ])
      let numbers = (0..<12).map { Double($0) }
      for name in ["again", "big_endian", "group/half"] {
        #expect(file.arrays[name]?.shape == [3, 4])
        #expect(file.arrays[name]?.tensor(of: Double.self).elements == numbers)
      }
      #expect(
        file.arrays["packed"]?.tensor(of: Double.self).elements
          == (0..<600_000).map { Double($0) })
      #expect(file.arrays["packed"]?.shape == [1000, 600])
      #expect(try file.arrays["small"]?.integers() == [-2, -1, 0, 1, 2])
      #expect(file.arrays["large"]?.bytes == [1, 0, 0, 0, 0, 0, 0, 0x80])
      #expect(file.arrays["scalar"]?.tensor(of: Float.self).elements == [2.5])
      #expect(file.arrays["empty"]?.shape == [0, 3])
      let words = try ArrayFile(contentsOf: "\(folder)/attribute.h5").metadata
      #expect(words == ["model_config": "of variable length"])
    }
  }

  static let malformed = [
    ("cut", "expected a whole HDF5 file, found something else"),
    ("signature", "expected a whole HDF5 file, found something else"),
    ("heap_of_zeros", "the header is malformed: libhdf5 comes to no end with it"),
    ("deep", "the header is malformed: libhdf5 comes to no end with it"),
    ("external", "array 'a': expected a numeric element type, found 'a dataset in another file'"),
    ("virtual", "array 'a': expected a numeric element type, found 'a dataset in another file'"),
    ("bomb", "array 'a': the header is malformed: a shape of far more than the file can hold"),
    ("many_bombs", "the header is malformed: a shape of far more than the file can hold"),
    ("huge", "array 'a': the header is malformed: an impossible shape"),
    ("huge_chunk", "array 'a': the header is malformed: the dataset cannot be described"),
    ("packed", "array 'a': the header is malformed: the numbers cannot be read"),
  ]

  @Test("Each malformation has its sentence")
  func malformations() throws {
    try withFiles { folder in
      for (name, sentence) in Self.malformed {
        let error = #expect(throws: ArrayFileError.self) {
          try ArrayFile(contentsOf: "\(folder)/\(name).h5")
        }
        #expect(error?.description.hasSuffix(sentence) ?? false, "\(error?.description ?? name)")
      }
      // The attribute is lost, the array is not.
      let file = try ArrayFile(contentsOf: "\(folder)/heap_of_2_63.h5")
      #expect(file.arrays.count == 1)
    }
  }

  @Test("A file cut anywhere, or with any byte changed, is refused or read, and nothing more")
  func damage() throws {
    let array = StoredArray(Tensor<Float>([1, 2, 3]))
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.h5"
      try ArrayFile(for: path, arrays: ["a": array, "b/c": array]).write(to: path)
      let bytes = try AtomicFile.read(path)
      for count in stride(from: 0, to: bytes.count, by: 7) {
        #expect(throws: ArrayFileError.self) {
          try ArrayFile(Array(bytes.prefix(count)), name: path)
        }
      }
      var (refused, changed) = (0, 0)
      for place in stride(from: 8, to: bytes.count, by: 3) {
        var damaged = bytes
        damaged[place] ^= 0x81
        do {
          let arrays = try ArrayFile(damaged, name: path).arrays
          #expect(arrays.count <= 2)
          if arrays["a"] != array || arrays["b/c"] != array { changed += 1 }
        } catch is ArrayFileError {
          refused += 1
        }
      }
      // Some bytes are the numbers and names, some the structure, most are neither.
      #expect(refused > 10 && changed > 5)
    }
  }

  @Test("Threads may read and write at once")
  func threads() async throws {
    let array = StoredArray(Tensor<Float>([1, 2, 3]))
    try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
      for index in 0..<16 {
        group.addTask {
          let path = NSTemporaryDirectory() + "unroll-\(UUID().uuidString).h5"
          defer { try? FileManager.default.removeItem(atPath: path) }
          try ArrayFile(for: path, arrays: ["a\(index)": array]).write(to: path)
          return try ArrayFile(contentsOf: path).arrays["a\(index)"]?.bytes
        }
      }
      for try await bytes in group { #expect(bytes == array.bytes) }
    }
  }
}
