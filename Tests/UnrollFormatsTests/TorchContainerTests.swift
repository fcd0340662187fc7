// PyTorch's old container, damaged in every way, and files that are no state dict of PyTorch's.

import Foundation
import Testing
import UnrollFormats
import UnrollTestSupport

@Suite("PyTorch containers")
struct TorchContainerTests {
  private static let old = "\(goldenFolder)/files/torch_old_container.pt"

  private func sentence(_ bytes: [UInt8], name: String = "x.pt") -> String {
    let error = #expect(throws: ArrayFileError.self) { try ArrayFile(bytes, name: name) }
    return error?.description ?? ""
  }

  @Test("The old container has the tensors, and the words and objects beside them")
  func old() throws {
    let file = try ArrayFile(contentsOf: Self.old)
    #expect(file.kind == .torch)
    #expect(file.metadata["epoch"] == "3")
    #expect(file.arrays["half"]?.elementType == .uint16)
    #expect(file.arrays.count == 17)
  }

  @Test("The old container, cut anywhere, gets a sentence")
  func cut() throws {
    let bytes = try AtomicFile.read(Self.old)
    for count in stride(from: 1, to: bytes.count, by: 7) {
      #expect(throws: ArrayFileError.self) { try TorchFile(Array(bytes.prefix(count))) }
    }
  }

  @Test("A storage of another size than its tensors expect, or of none, is refused")
  func sizes() throws {
    let magic: [UInt8] = [
      0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
    ]
    let (protocols, sizes): ([UInt8], [UInt8]) = (
      [0x80, 2, 0x4D, 0xE9, 3, 0x2E], [0x80, 2, 0x7D, 0x2E]
    )
    func word(_ text: String) -> [UInt8] { [0x8C, UInt8(text.utf8.count)] + Array(text.utf8) }
    // One tensor of two numbers, which are the last two of a memory of three.
    let storage =
      [0x28] + word("storage") + Array("ctorch\nFloatStorage\n".utf8) + word("7") + word("cpu")
      + [0x4B, 3] + [0x28] + word("8") + [0x4B, 1, 0x4B, 2, 0x74, 0x74, 0x51]
    let tensor =
      Array("ctorch._utils\n_rebuild_tensor_v2\n".utf8) + [0x28] + storage
      + [0x4B, 0, 0x4B, 2, 0x85, 0x4B, 1, 0x85, 0x89, 0x7D, 0x74, 0x52]
    let object: [UInt8] = [0x80, 2] + tensor + [0x2E]
    func keys(_ keys: [String]) -> [UInt8] {
      [0x80, 2, 0x5D, 0x28] + keys.flatMap(word) + [0x65, 0x2E]
    }
    func count(_ value: Int) -> [UInt8] {
      var bytes: [UInt8] = []
      bytes.append(littleEndian: Int64(value))
      return bytes
    }
    let data: [UInt8] = [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40]
    let head = magic + protocols + sizes + object
    let read = try TorchFile(head + keys(["7"]) + count(3) + data)
    #expect(read.arrays["tensor"]?.tensor(of: Float.self).elements == [2, 3])
    #expect(
      sentence(head + keys(["7"]) + count(2) + data).contains("a storage of 2 numbers, expected 3"))
    #expect(sentence(head + keys(["7"]) + count(.max) + data).contains("expected 3"))
    #expect(
      sentence(head + keys(["7"]) + count(3) + data.dropLast()).contains(
        "expected 12 bytes, found 11"))
    #expect(sentence(head + keys(["9"]) + count(3) + data).contains("a storage that no tensor has"))
    #expect(sentence(head + keys([])).contains("not in the file, which holds nothing"))
    #expect(sentence(magic + [0x80, 2, 0x4B, 1, 0x2E]).contains("expected protocol 1001"))
  }

  @Test("Pickles and archives that are no state dict say what they are, and what to do")
  func others() throws {
    // pickle.dumps({"a": 1}), protocols 2 and 4.
    for pickle: [UInt8] in [
      [0x80, 2, 0x7D, 0x71, 0, 0x58, 1, 0, 0, 0, 0x61, 0x71, 1, 0x4B, 1, 0x73, 0x2E],
      [
        0x80, 4, 0x95, 9, 0, 0, 0, 0, 0, 0, 0, 0x7D, 0x94, 0x8C, 1, 0x61, 0x94, 0x4B, 1, 0x73, 0x2E,
      ],
    ] {
      #expect(
        sentence(pickle, name: "x.pkl").hasPrefix(
          "a plain Python pickle, not a file of torch.save; load it in Python and save its arrays with numpy.savez"
        ))
    }
    let script = ZipArchive.encode([
      "m/data.pkl": [0x80, 2, 0x4E, 0x2E], "m/constants.pkl": [0x2E],
    ])
    #expect(sentence(script).hasPrefix("a TorchScript program (torch.jit.save)"))
    let exported = ZipArchive.encode(["m/archive_format": [1], "m/data/weights/0": [1]])
    #expect(sentence(exported).hasPrefix("a program of torch.export (.pt2)"))
    #expect(
      sentence(ZipArchive.encode(["a.txt": [1]]))
        == "a zip archive without arrays of NumPy or PyTorch; it holds a.txt")
    #expect(sentence([0x1F, 0x8B, 8, 0]).contains("gzip"))
    #expect(
      sentence([UInt8](repeating: 65, count: 257) + Array("ustar".utf8)).contains("tar archive"))
    // A module of a class of its own: the attributes tell.
    let module: [UInt8] =
      [0x80, 2] + Array("c__main__\nNet\n".utf8) + [0x29, 0x81, 0x7D, 0x28]
      + [0x8C, 11] + Array("_parameters".utf8) + [0x7D, 0x8C, 8] + Array("_modules".utf8)
      + [0x7D, 0x75, 0x62, 0x2E]
    #expect(
      sentence(ZipArchive.encode(["m/data.pkl": module]))
        == "a whole pickled module (__main__.Net), which only its own program can load; save its state dict: torch.save(model.state_dict(), path)"
    )
    let object: [UInt8] = [0x80, 2] + Array("cargparse\nNamespace\n".utf8) + [0x29, 0x81, 0x2E]
    #expect(
      sentence(ZipArchive.encode(["m/data.pkl": object])).hasPrefix(
        "a pickled object (argparse.Namespace)"))
  }

  @Test("Values that torch.save writes next to the weights are listed with their type and shape")
  func objects() throws {
    let file = try ArrayFile(contentsOf: "\(goldenFolder)/files/torch_objects.pt")
    #expect(file.skipped.mapValues(\.signature) == Self.skipped)
    #expect(file.metadata == ["default.word": "kept"])
    #expect(file.arrays["unsigned"]?.signature == "uint16[2]")
  }

  /// The values of torch_objects.pt that are not read.
  private static let skipped = [
    "dtype": "torch.float32", "device": "torch.device 'cpu'", "set": "set",
    "counter": "collections.Counter", "bytes": "2 bytes", "large": "integer of 13 bytes",
    "float8": "float8_e4m3fn[2]", "complex": "complex64[2,3]", "sparse": "sparse tensor[3,3]",
    "quantized": "quantized tensor[2,2]", "options": "argparse.Namespace",
    "numpy": "NumPy number", "array": "NumPy array", "losses": "9 × NumPy number",
    "path": "pathlib.PurePosixPath", "date": "datetime.date", "decimal": "decimal.Decimal",
    "criterion":
      "torch.nn.modules.loss.CrossEntropyLoss, a whole module, whose weights are in none of the arrays here",
    "pairs.(a key that is no word)": "entries",
  ]
  static let skippedNames = skipped.sorted { $0.key < $1.key }.map {
    "\($0.key) (\($0.value), not read)"
  }
}
