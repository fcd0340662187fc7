// Safetensors: written and read back, and every malformation of a file.

import Foundation
import Testing
import Unroll
import UnrollFormats

@Suite("Safetensors")
struct SafetensorsTests {
  private func file(_ header: String, data: Int = 0) -> [UInt8] {
    var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
    bytes += Array(header.utf8)
    return bytes + [UInt8](repeating: 1, count: data)
  }

  @Test("Arrays of every type, odd names and words come back as they were")
  func roundTrip() throws {
    var arrays: [String: StoredArray] = [:]
    for (index, type) in ElementType.allCases.enumerated() {
      arrays["ä \"\(type.rawValue)\"\n"] = StoredArray(
        elementType: type, shape: [2, 0 + index % 3],
        bytes: [UInt8](repeating: UInt8(index), count: 2 * (index % 3) * type.byteCount))
    }
    arrays["scalar"] = StoredArray(
      elementType: .float64, shape: [], bytes: [0, 0, 0, 0, 0, 0, 8, 64])
    let file = Safetensors(arrays: arrays, metadata: ["a": "b\\", "": "ü"])
    #expect(try Safetensors(file.encoded()) == file)
    #expect(try Safetensors(Safetensors(arrays: [:]).encoded()).arrays.isEmpty)
    #expect(try Safetensors(self.file("{\"__metadata__\":null}")).metadata.isEmpty)
  }

  @Test("A mapped file has the same arrays, and opens without being read")
  func mapped() throws {
    let path = FileManager.default.temporaryDirectory.path + "/\(UUID().uuidString).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let arrays = [
      "a": StoredArray(Tensor<Float>([1, -2, 3])), "b": StoredArray([7, 8]),
      "c": StoredArray(elementType: .bfloat16, shape: [1], bytes: [0xC0, 0x3F]),
    ]
    let file = Safetensors(arrays: arrays, metadata: ["k": "v"])
    try AtomicFile.write(file.encoded(), to: path)
    let read = try Safetensors(mapping: path)
    #expect(read == file)
    #expect(read.arrays["a"]?.tensor(of: Double.self).elements == [1, -2, 3])
    #expect(try read.arrays["b"]?.integers() == [7, 8])
    #expect(read.arrays["c"]?.tensor(of: Float.self).elements == [1.5])
    // A sparse file of 64 GB, larger than the memory of the test machines.
    let count = 16 << 30
    let header =
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[\(count)],\"data_offsets\":[0,\(4 * count)]}}"
    try Data(self.file(header)).write(to: URL(fileURLWithPath: path))
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.truncate(atOffset: UInt64(8 + header.utf8.count + 4 * count))
    try handle.close()
    #expect(try Safetensors(mapping: path).arrays["x"]?.shape == [count])
    #expect(throws: ArrayFileError.self) { try Safetensors(mapping: path + "none") }
  }

  @Test("Arrays of a type that is not read are named, and the others are read")
  func otherTypes() throws {
    let header =
      "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[3],\"data_offsets\":[0,3]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[3,5]},\"c\":{\"dtype\":\"F4\",\"shape\":[2,2],\"data_offsets\":[5,7]}}"
    let read = try Safetensors(file(header, data: 7))
    #expect(read.arrays.mapValues(\.signature) == ["b": "uint8[2]"])
    #expect(read.skipped.mapValues(\.signature) == ["a": "F8_E4M3[3]", "c": "F4[2,2]"])
    #expect(try ArrayFile(file(header, data: 7), name: "x.safetensors").skipped == read.skipped)
  }

  @Test("A malformed file gets its sentence")
  func malformed() {
    let cases: [([UInt8], String)] = [
      ([1, 2, 3], "byte 0: expected 8 bytes, found 3; the file is truncated"),
      (
        [UInt8](repeating: 255, count: 8),
        "expected a safetensors header of at most 100 MB, found something else"
      ),
      (Array(file("{}").prefix(9)), "byte 8: expected 10 bytes, found 9; the file is truncated"),
      (file("[1]"), "the header is malformed: expected a JSON object"),
      (file("{\"a\":3}"), "array 'a': the header is malformed: expected dtype, shape"),
      (file("{\"__metadata__\":{\"a\":1}}"), "expected words in '__metadata__'"),
      (
        file("{\"a\":{\"dtype\":\"Q4\",\"shape\":[1],\"data_offsets\":[0,8]}}", data: 4),
        "array 'a': expected 8 bytes, found 4; the file is truncated"
      ),
      (
        file("{\"a\":{\"dtype\":\"Q4\",\"shape\":[-1],\"data_offsets\":[0,4]}}", data: 4),
        "impossible shape [-1]"
      ),
      (
        file("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", data: 4),
        "impossible shape [-1]"
      ),
      (
        file(
          "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}",
          data: 4), "impossible shape"
      ),
      (
        file(
          "{\"Wh\":{\"dtype\":\"F32\",\"shape\":[0,4611686018427387904],\"data_offsets\":[0,0]}}"),
        "impossible shape [0, 4611686018427387904]"
      ),
      (
        file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", data: 4),
        "expected offsets 8 bytes apart, found [0, 4]"
      ),
      (
        file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", data: 4),
        "expected offsets 4 bytes apart"
      ),
      (
        file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", data: 4),
        "expected offsets"
      ),
      (
        file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", data: 4),
        "array 'a': expected 8 bytes, found 4; the file is truncated"
      ),
      (
        file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", data: 8),
        "expected data at 0, found 4"
      ),
      (
        file(
          "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
          data: 4), "expected data at 4, found 0"
      ),
      (
        file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", data: 5),
        "the file is truncated"
      ),
    ]
    for (bytes, sentence) in cases {
      let error = #expect(throws: ArrayFileError.self) { try Safetensors(bytes) }
      #expect(error?.description.contains(sentence) ?? false, "\(error?.description ?? "none")")
    }
  }
}
