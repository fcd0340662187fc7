// Hugging Face's safetensors: a header in JSON, then the arrays' bytes, little-endian, row-major.
//
//   8 bytes   n, the header's length, little-endian
//   n bytes   {"__metadata__": {…}, "name": {"dtype", "shape", "data_offsets": [start, end]}, …}
//   the rest  the arrays, each at its offsets, without gaps
//
// Source: https://github.com/huggingface/safetensors (format).

internal import Foundation
internal import Unroll

/// The contents of a safetensors file.
public struct Safetensors: Sendable, Equatable {
  /// The arrays by name.
  public var arrays: [String: StoredArray]
  /// Words about them.
  public var metadata: [String: String]

  /// The most that a header may take: 100 MB, the limit of the format.
  public static let headerLimit = 100_000_000

  /// Creates contents.
  public init(arrays: [String: StoredArray], metadata: [String: String] = [:]) {
    self.arrays = arrays
    self.metadata = metadata
  }

  private struct Entry: Decodable {
    var dtype: String
    var shape: [Int]
    var data_offsets: [Int]
  }

  /// A value of the header: an array's entry, words about all, or what neither is.
  private enum Field: Decodable {
    case entry(Entry)
    case words([String: String])
    case other

    init(from decoder: any Decoder) throws {
      if let entry = try? Entry(from: decoder) {
        self = .entry(entry)
      } else if let words = try? [String: String](from: decoder) {
        self = .words(words)
      } else {
        self = .other
      }
    }
  }

  /// The bytes of the file: arrays by descending alignment, then by name.
  public func encoded() -> [UInt8] {
    let order = arrays.sorted {
      ($1.value.elementType.byteCount, $0.key) < ($0.value.elementType.byteCount, $1.key)
    }
    var fields: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(json($0.key)):\(json($0.value))" }
      fields.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var end = 0
    for (name, array) in order {
      let start = end
      end += array.bytes.count
      let shape = array.shape.map(String.init).joined(separator: ",")
      fields.append(
        "\(json(name)):{\"dtype\":\"\(Self.name(of: array.elementType))\",\"shape\":[\(shape)],\"data_offsets\":[\(start),\(end)]}"
      )
    }
    var header = Array("{\(fields.joined(separator: ","))}".utf8)
    // The data begin at a multiple of 8, as the format asks.
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(8 + header.count + end)
    bytes.append(littleEndian: UInt64(header.count))
    bytes += header
    for (_, array) in order { bytes += array.bytes }
    return bytes
  }

  /// Reads a file's bytes.
  ///
  /// - Throws: `ArrayFileError` if they are not such a file, whole and without gaps.
  public init(_ bytes: [UInt8]) throws(ArrayFileError) {
    guard bytes.count >= 8 else {
      throw ArrayFileError(.truncated(expectedBytes: 8, actualBytes: bytes.count), byteOffset: 0)
    }
    let length = bytes[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(Self.headerLimit) else {
      throw ArrayFileError(.foreign(expected: "a safetensors header of at most 100 MB"))
    }
    let start = 8 + Int(length)
    guard bytes.count >= start else {
      throw ArrayFileError(
        .truncated(expectedBytes: start, actualBytes: bytes.count), byteOffset: 8)
    }
    let header = Data(bytes[8..<start])
    guard let fields = try? JSONDecoder().decode([String: Field].self, from: header) else {
      throw ArrayFileError(.malformedHeader("expected a JSON object"), byteOffset: 8)
    }
    metadata = [:]
    arrays = [:]
    var spans: [(Int, Int, String)] = []
    for (name, field) in fields {
      switch (name, field) {
      case ("__metadata__", .words(let words)): metadata = words
      case ("__metadata__", _):
        throw ArrayFileError(.malformedHeader("expected words in '__metadata__'"), byteOffset: 8)
      case (_, .entry(let entry)):
        arrays[name] = try Self.array(name, entry, bytes[start...])
        spans.append((entry.data_offsets[0], entry.data_offsets[1], name))
      default:
        throw ArrayFileError(
          .malformedHeader("expected dtype, shape and data_offsets"), arrayName: name)
      }
    }
    var end = 0
    for (first, last, name) in spans.sorted(by: { ($0.0, $0.1) < ($1.0, $1.1) }) {
      guard first == end else {
        throw ArrayFileError(
          .malformedHeader("expected data at \(end), found \(first)"), arrayName: name)
      }
      end = last
    }
    guard start + end == bytes.count else {
      throw ArrayFileError(
        .truncated(expectedBytes: start + end, actualBytes: bytes.count), byteOffset: start)
    }
  }

  private static func array(
    _ name: String, _ entry: Entry, _ data: ArraySlice<UInt8>
  ) throws(ArrayFileError) -> StoredArray {
    guard let type = types.first(where: { $0.value == entry.dtype })?.key else {
      throw ArrayFileError(.unsupportedElementType(entry.dtype), arrayName: name)
    }
    var size = type.byteCount
    for axis in entry.shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: axis)
      guard axis >= 0, !overflow else {
        throw ArrayFileError(.malformedHeader("impossible shape \(entry.shape)"), arrayName: name)
      }
      size = product
    }
    guard entry.data_offsets.count == 2, entry.data_offsets[0] >= 0,
      entry.data_offsets[1] >= entry.data_offsets[0],
      entry.data_offsets[1] - entry.data_offsets[0] == size
    else {
      throw ArrayFileError(
        .malformedHeader("expected offsets \(size) bytes apart, found \(entry.data_offsets)"),
        arrayName: name)
    }
    guard entry.data_offsets[1] <= data.count else {
      throw ArrayFileError(
        .truncated(expectedBytes: entry.data_offsets[1], actualBytes: data.count), arrayName: name)
    }
    let first = data.startIndex + entry.data_offsets[0]
    return StoredArray(
      elementType: type, shape: entry.shape, bytes: Array(data[first..<first + size]))
  }

  private static let types: KeyValuePairs<ElementType, String> = [
    .float64: "F64", .float32: "F32", .float16: "F16", .bfloat16: "BF16", .int64: "I64",
    .int32: "I32",
    .int16: "I16", .int8: "I8", .uint64: "U64", .uint32: "U32", .uint16: "U16", .uint8: "U8",
    .bool: "BOOL",
  ]

  private static func name(of type: ElementType) -> String {
    types.first { $0.key == type }?.value ?? ""
  }

  /// A JSON string.
  private func json(_ text: String) -> String {
    let data = (try? JSONEncoder().encode(text)) ?? Data("\"\"".utf8)
    return String(decoding: data, as: UTF8.self)
  }
}
