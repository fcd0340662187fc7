// libFuzzer calls this with bytes that it made up; a trap, a hang or too much memory ends the run and
// leaves the bytes in a file. UNROLL_FUZZ_READER names the reader.

import Foundation
import Unroll
import UnrollFormats

@testable import UnrollWeb

enum Reader: String, CaseIterable {
  case npy, npz, safetensors, torch, tensorflow, hdf5, onnx, http

  /// Reads bytes, and throws for most.
  func read(_ bytes: [UInt8]) throws {
    switch self {
    case .npy: _ = try NPY.decode(bytes[...])
    case .npz:
      let archive = try NPZ(bytes)
      for name in archive.names.prefix(100) { _ = try archive.array(name) }
    case .safetensors: try networks(ArrayFile(bytes, name: "x.safetensors"))
    case .torch: try networks(ArrayFile(bytes, name: "x.pt"))
    case .tensorflow:
      // The first two bytes say how long the index is; the rest is the only shard.
      guard bytes.count > 2 else { return }
      let length = min(bytes.count - 2, Int(bytes[0]) | Int(bytes[1]) << 8)
      let (index, data) = (Array(bytes[2..<2 + length]), Array(bytes[(2 + length)...]))
      _ = try TensorFlowCheckpoint(index: index) { _, _ in data }
    case .hdf5: try networks(ArrayFile(bytes, name: "x.h5"))
    case .onnx:
      let model = try ONNXModel(bytes)
      _ = try? model.network(as: Float.self)
      _ = try model.run([String: ONNXValue<Float>]())
    case .http:
      // The first byte says where the rest is divided, and pieces must make no difference.
      guard let first = bytes.first else { return }
      let rest = bytes.dropFirst()
      let middle = rest.startIndex + min(rest.count, Int(first))
      let (whole, pieces) = (requests([rest]), requests([rest[..<middle], rest[middle...]]))
      precondition(whole == pieces, "expected \(whole), found \(pieces)")
    }
  }

  /// What requests in pieces come to, and the sentence that ends them.
  private func requests(_ pieces: [ArraySlice<UInt8>]) -> [String] {
    var (reader, found) = (HTTPRequestReader(), [String]())
    for piece in pieces {
      reader.append(piece)
      do {
        while let request = try reader.next() {
          let fields = request.fields.map { "\($0.name): \($0.value)" }
          found.append("\(request.method) \(request.path) \(request.query ?? "-") \(fields)")
        }
      } catch {
        return found + [error.sentence]
      }
    }
    return found
  }

  /// What a file of arrays is taken for.
  private func networks(_ file: ArrayFile) throws {
    _ = try NetworkFile.network(in: file, as: Float.self)
  }
}

private let reader: Reader = {
  let name = ProcessInfo.processInfo.environment["UNROLL_FUZZ_READER"] ?? ""
  guard let reader = Reader(rawValue: name) else {
    let names = Reader.allCases.map(\.rawValue).joined(separator: ", ")
    FileHandle.standardError.write(
      Data("UNROLL_FUZZ_READER: expected one of \(names), found '\(name)'\n".utf8))
    exit(64)
  }
  return reader
}()

/// One input of libFuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let before = residentPeakAfterReset()
  try? reader.read(Array(UnsafeBufferPointer(start: start, count: count)))
  if let before, let peak = residentPeak() {
    // What the documentation promises of every reader.
    precondition(
      peak - before <= (64 << 20) + 10 * count,
      "\(count) bytes were read in \((peak - before) >> 20) MB")
  }
  return 0
}

/// Makes the peak of this process's memory its present amount, and returns it; nil without procfs.
private func residentPeakAfterReset() -> Int? {
  let file = open("/proc/self/clear_refs", O_WRONLY)
  guard file >= 0 else { return nil }
  defer { close(file) }
  guard write(file, "5", 1) == 1 else { return nil }
  return residentPeak()
}

/// The peak of this process's memory since it was last reset, in bytes; nil without procfs.
private func residentPeak() -> Int? {
  let file = open("/proc/self/status", O_RDONLY)
  guard file >= 0 else { return nil }
  defer { close(file) }
  return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { text in
    let count = read(file, text.baseAddress, text.count)
    guard count > 0 else { return nil }
    let fields = String(decoding: text[..<count], as: UTF8.self).split(separator: "VmHWM:")
    guard fields.count == 2 else { return nil }
    return fields[1].split(separator: " ", maxSplits: 1).first
      .flatMap { Int($0.filter(\.isNumber)) }.map { $0 << 10 }
  }
}
