// libFuzzer calls this with bytes that it made up; a trap, a hang or too much memory ends the run and
// leaves the bytes in a file. UNROLL_FUZZ_READER names the reader.

import Foundation
import Unroll
import UnrollFormats
import UnrollONNX

enum Reader: String, CaseIterable {
  case npy, npz, safetensors, torch, tensorflow, hdf5, onnx

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
    }
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
  try? reader.read(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}
