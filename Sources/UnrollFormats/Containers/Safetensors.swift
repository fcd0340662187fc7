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
  /// Strings about them by name.
  public var metadata: [String: String]
  /// Arrays of types that are not read, such as `F8_E4M3`; they are not written.
  public private(set) var skipped: [String: SkippedValue] = [:]

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

  /// A value of the header: an array's entry, the metadata, or neither.
  private enum Field: Decodable {
    case entry(Entry)
    case words([String: String])
    case other

    init(from decoder: any Decoder) throws {
      // MLX writes null if it has no metadata.
      if (try? decoder.singleValueContainer().decodeNil()) == true {
        self = .words([:])
      } else if let entry = try? Entry(from: decoder) {
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
    let order = arrays.inKeyOrder.sorted(byNumber: { -$0.value.elementType.byteCount })
    var fields: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.inKeyOrder.map { "\(json($0.key)):\(json($0.value))" }
      fields.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var end = 0
    for (name, array) in order {
      let start = end
      end += array.byteCount
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
    let start = try Self.dataStart(bytes.prefix(8), fileSize: bytes.count)
    let header = try Header(bytes[8..<start], dataSize: bytes.count - start)
    (metadata, skipped) = (header.metadata, header.skipped)
    arrays = header.spans.mapValues { span in
      let first = start + span.offset
      return StoredArray(
        elementType: span.type, shape: span.shape, bytes: Array(bytes[first..<first + span.size]))
    }
  }

  /// Maps a file: its header is read, an array when it is looked at.
  ///
  /// - Parameter path: The file. A file of more than 32 MB must not be shortened as long as an array of it is there;
  ///   ``MappedFiles/reportShortened()`` says what a program does then.
  /// - Throws: `ArrayFileError` if it is no such file, whole and without gaps, or cannot be mapped.
  public init(mapping path: String) throws(ArrayFileError) {
    let file = try MappedFile(path)
    let start = try Self.dataStart(Array(file.bytes.prefix(8))[...], fileSize: file.bytes.count)
    let header = try Header(
      Array(file.bytes[8..<start])[...], dataSize: file.bytes.count - start)
    (metadata, skipped) = (header.metadata, header.skipped)
    arrays = header.spans.mapValues {
      StoredArray(elementType: $0.type, shape: $0.shape, in: file, offset: start + $0.offset)
    }
  }

  /// The offset of the data, from the first 8 bytes.
  private static func dataStart(
    _ first: ArraySlice<UInt8>, fileSize: Int
  ) throws(ArrayFileError) -> Int {
    guard first.count == 8 else {
      throw ArrayFileError(.truncated(expectedBytes: 8, actualBytes: fileSize), byteOffset: 0)
    }
    let length = first.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(headerLimit) else {
      throw ArrayFileError(.foreign(expected: "a safetensors header of at most 100 MB"))
    }
    let start = 8 + Int(length)
    guard fileSize >= start else {
      throw ArrayFileError(.truncated(expectedBytes: start, actualBytes: fileSize), byteOffset: 8)
    }
    return start
  }

  /// A checked header: the arrays lie one after the other and fill the data.
  private struct Header {
    struct Span {
      var type: ElementType
      var shape: [Int]
      var offset: Int
      var size: Int
    }

    var spans: [String: Span] = [:]
    var metadata: [String: String] = [:]
    var skipped: [String: SkippedValue] = [:]

    init(_ header: ArraySlice<UInt8>, dataSize: Int) throws(ArrayFileError) {
      guard let fields = try? JSONDecoder().decode([String: Field].self, from: Data(header)) else {
        throw ArrayFileError(.malformedHeader("expected a JSON object"), byteOffset: 8)
      }
      for (name, field) in fields {
        switch (name, field) {
        case ("__metadata__", .words(let words)): metadata = words
        case ("__metadata__", _):
          throw ArrayFileError(.malformedHeader("expected words in '__metadata__'"), byteOffset: 8)
        case (_, .entry(let entry)):
          spans[name] = try span(name, entry, dataSize)
          if Safetensors.type(entry.dtype) == nil {
            skipped[name] = SkippedValue(kind: entry.dtype, shape: entry.shape)
          }
        default:
          throw ArrayFileError(
            .malformedHeader("expected dtype, shape and data_offsets"), arrayName: name)
        }
      }
      var end = 0
      let order = spans.sorted(byNumber: { $0.value.size }).sorted(byNumber: { $0.value.offset })
      for (name, span) in order {
        guard span.offset == end else {
          throw ArrayFileError(
            .malformedHeader("expected data at \(end), found \(span.offset)"), arrayName: name)
        }
        end += span.size
      }
      guard end == dataSize else {
        let start = 8 + header.count
        throw ArrayFileError(
          .truncated(expectedBytes: start + end, actualBytes: start + dataSize),
          byteOffset: start)
      }
      for name in skipped.keys { spans[name] = nil }
    }

    private func span(
      _ name: String, _ entry: Entry, _ dataSize: Int
    ) throws(ArrayFileError) -> Span {
      // The offsets of an array of an unknown type are not checked against its shape: its numbers are not read.
      let type = Safetensors.type(entry.dtype)
      guard let count = (type ?? .uint8).byteCount(of: entry.shape), entry.dtype.utf8.count <= 40
      else {
        throw ArrayFileError(.malformedHeader("impossible shape \(entry.shape)"), arrayName: name)
      }
      let offsets = entry.data_offsets
      let size =
        type == nil && offsets.count == 2
        ? offsets[1].subtractingReportingOverflow(offsets[0]).0
        : count
      guard entry.data_offsets.count == 2, entry.data_offsets[0] >= 0,
        entry.data_offsets[1] >= entry.data_offsets[0],
        entry.data_offsets[1] - entry.data_offsets[0] == size
      else {
        throw ArrayFileError(
          .malformedHeader("expected offsets \(size) bytes apart, found \(entry.data_offsets)"),
          arrayName: name)
      }
      guard entry.data_offsets[1] <= dataSize else {
        throw ArrayFileError(
          .truncated(expectedBytes: entry.data_offsets[1], actualBytes: dataSize), arrayName: name)
      }
      return Span(
        type: type ?? .uint8, shape: entry.shape, offset: entry.data_offsets[0], size: size)
    }
  }

  private static let types: KeyValuePairs<ElementType, String> = [
    .float64: "F64", .float32: "F32", .float16: "F16", .bfloat16: "BF16", .int64: "I64",
    .int32: "I32",
    .int16: "I16", .int8: "I8", .uint64: "U64", .uint32: "U32", .uint16: "U16", .uint8: "U8",
    .bool: "BOOL",
  ]

  private static func type(_ name: String) -> ElementType? {
    types.first { $0.value == name }?.key
  }

  private static func name(of type: ElementType) -> String {
    types.first { $0.key == type }?.value ?? ""
  }

  /// A JSON string.
  private func json(_ text: String) -> String {
    let data = (try? JSONEncoder().encode(text)) ?? Data("\"\"".utf8)
    return String(decoding: data, as: UTF8.self)
  }
}
