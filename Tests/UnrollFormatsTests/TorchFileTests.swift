// PyTorch's files as a hostile hand would write them: each gets its sentence, none is run. Objects that are
// not tensors are skipped and listed.

import Foundation
import Testing
import UnrollFormats

@Suite("Malformed PyTorch files")
struct TorchFileTests {
  /// Pieces of a pickle.
  private enum Piece {
    static let dictionary: [UInt8] = [0x7D]
    static let stop: [UInt8] = [0x2E]
    static func text(_ text: String) -> [UInt8] {
      [0x8C, UInt8(text.utf8.count)] + Array(text.utf8)
    }
    static func name(_ module: String, _ name: String) -> [UInt8] {
      Array("c\(module)\n\(name)\n".utf8)
    }
    static func number(_ value: UInt8) -> [UInt8] { [0x4B, value] }
    static func tuple(_ parts: [[UInt8]]) -> [UInt8] { [0x28] + parts.joined() + [0x74] }
    static let call: [UInt8] = [0x52]
    static func storage(_ count: UInt8, key: String = "0") -> [UInt8] {
      tuple([text("storage"), name("torch", "FloatStorage"), text(key), text("cpu"), number(count)])
        + [0x51]
    }
    static func tensor(
      _ storage: [UInt8], offset: UInt8 = 0, shape: [[UInt8]], strides: [[UInt8]]
    ) -> [UInt8] {
      name("torch._utils", "_rebuild_tensor_v2")
        + tuple([storage, number(offset), tuple(shape), tuple(strides), [0x89], dictionary]) + call
    }
  }

  private func file(_ pickle: [UInt8], _ storages: [String: [UInt8]] = [:]) -> [UInt8] {
    var members = ["model/data.pkl": [0x80, 2] + pickle]
    for (key, bytes) in storages { members["model/data/\(key)"] = bytes }
    return ZipArchive.encode(members)
  }

  private func numbers(_ count: Int) -> [UInt8] { [UInt8](repeating: 1, count: 4 * count) }

  @Test("A file assembled from these pieces is read")
  func valid() throws {
    let two = Piece.number(2)
    let pickle = Piece.tensor(
      Piece.storage(4), shape: [two, two], strides: [Piece.number(1), two])
    let bytes = (0..<4).flatMap { [0, 0, UInt8($0), 0x40] as [UInt8] }
    let read = try TorchFile(file(pickle + Piece.stop, ["0": bytes]))
    #expect(read.arrays["tensor"]?.shape == [2, 2])
    // Column-major in the file, row-major here.
    #expect(
      read.arrays["tensor"]?.bytes.enumerated().filter { $0.offset % 4 == 2 }.map(\.element)
        == [0, 2, 1, 3])
  }

  @Test("Numbers of a big-endian machine are turned round")
  func bigEndian() throws {
    let two = Piece.number(2)
    let pickle = Piece.tensor(Piece.storage(2), shape: [two], strides: [Piece.number(1)])
    let bytes: [UInt8] = [0x3F, 0x80, 0, 0, 0x40, 0, 0, 0]
    var members = ["model/data.pkl": [0x80, 2] + pickle + Piece.stop, "model/data/0": bytes]
    members["model/byteorder"] = Array("big".utf8)
    let read = try TorchFile(ZipArchive.encode(members))
    #expect(read.arrays["tensor"]?.tensor(of: Float.self).elements == [1, 2])
  }

  @Test("Two tensors of one name are refused")
  func sameName() {
    func entry(_ key: String, _ value: [UInt8]) -> [UInt8] { Piece.text(key) + value + [0x73] }
    let tensor = Piece.tensor(
      Piece.storage(1), shape: [Piece.number(1)], strides: [Piece.number(1)])
    let inner = Piece.dictionary + entry("b", tensor)
    expect(
      file(
        Piece.dictionary + entry("a", inner) + entry("a.b", tensor) + Piece.stop, ["0": numbers(1)]),
      "array 'a.b': the header is malformed: two tensors have this name")
  }

  @Test("A tensor without numbers is read, wherever it says that it begins")
  func empty() throws {
    let (zero, four) = (Piece.number(0), Piece.number(4))
    let far: [UInt8] = [0x8A, 8] + [UInt8](repeating: 0, count: 7) + [0x40]
    let pickle =
      Piece.name("torch._utils", "_rebuild_tensor_v2")
      + Piece.tuple([
        Piece.storage(4), far, Piece.tuple([zero, four]), Piece.tuple([four, four]), [0x89],
        Piece.dictionary,
      ]) + Piece.call
    let read = try TorchFile(file(pickle + Piece.stop, ["0": numbers(4)]))
    #expect(read.arrays["tensor"]?.shape == [0, 4])
  }

  @Test("A pickle that asks for a function of the system is refused by the function's name")
  func refused() {
    let cases: [([UInt8], String)] = [
      (
        Piece.name("os", "system") + Piece.tuple([Piece.text("id")]) + Piece.call,
        "array 'data.pkl': byte 2: asks for 'os.system', which no tensor needs; save the tensors alone: torch.save(model.state_dict(), path)"
      ),
      (Piece.text("os") + Piece.text("system") + [0x93], "asks for 'os.system'"),
      (Piece.text("posix") + Piece.text("system") + [0x93], "asks for 'posix.system'"),
      ([0x28, 0x69] + Array("os\nsystem\n".utf8), "asks for 'os.system'"),
      (Piece.name("builtins", "eval"), "asks for 'builtins.eval'"),
      (Piece.name("__builtin__", "__import__"), "asks for '__builtin__.__import__'"),
      (Piece.name("subprocess", "Popen"), "asks for 'subprocess.Popen'"),
      (Piece.name("importlib", "import_module"), "asks for 'importlib.import_module'"),
      ([0x99], "asks for the instruction 0x99"),
      (Piece.number(1) + Piece.dictionary + [0x62], "asks for an object with a state"),
      (
        Piece.name("torch", "Size") + Piece.tuple([]) + Piece.call,
        "asks for 'torch.Size' with 0 arguments"
      ),
    ]
    for (pickle, sentence) in cases { expect(file(pickle + Piece.stop), sentence) }
  }

  @Test("Objects of other classes are named, and nothing of them runs")
  func skipped() throws {
    func entry(_ key: String, _ value: [UInt8]) -> [UInt8] {
      Piece.text(key) + value + [0x73]
    }
    let negated =
      Piece.name("torch._utils", "_rebuild_tensor_v2")
      + Piece.tuple([
        Piece.storage(1), Piece.number(0), Piece.tuple([Piece.number(1)]),
        Piece.tuple([Piece.number(1)]), [0x89], Piece.dictionary,
        Piece.dictionary + Piece.text("neg") + [0x88, 0x73],
      ]) + Piece.call
    // The contents of a subclass of a dictionary are read.
    let subclass =
      Piece.name("__main__", "Words") + [0x29, 0x81] + Piece.text("a") + Piece.number(7) + [0x73]
    let values: [(String, [UInt8], String)] = [
      ("class", Piece.name("torch.nn.modules.rnn", "GRU"), "torch.nn.modules.rnn.GRU"),
      ("call", Piece.name("__main__", "f") + [0x29, 0x52], "__main__.f"),
      (
        "new", Piece.name("argparse", "Namespace") + [0x29, 0x81] + Piece.dictionary + [0x62],
        "argparse.Namespace"
      ),
      ("more", Piece.name("a", "B") + [0x29] + Piece.dictionary + [0x92], "a.B"),
      ("object", [0x28] + Piece.name("a", "C") + [0x6F], "a.C"),
      ("set", [0x8F, 0x28] + Piece.number(1) + [0x90], "set"),
      ("frozen", [0x28] + Piece.number(1) + [0x91], "frozenset"),
      ("bytes", [0x43, 2, 1, 2], "2 bytes"),
      ("large", [0x8A, 9] + [UInt8](repeating: 1, count: 9), "integer of 9 bytes"),
      ("number", [0x8B, 9, 0, 0, 0] + [UInt8](repeating: 1, count: 9), "integer of 9 bytes"),
      ("negated", negated, "a negated or conjugated view[1]"),
    ]
    var pickle = Piece.dictionary
    for (key, value, _) in values { pickle += entry(key, value) }
    pickle += entry("words", subclass)
    // Python 2 wrote strings as byte strings, and ordered dictionaries as a list of pairs.
    let pairs: [UInt8] = [0x5D, 0x28, 0x5D, 0x28, 0x55, 1, 0x70] + Piece.number(7) + [0x65, 0x65]
    pickle += entry(
      "old", Piece.name("collections", "OrderedDict") + pairs + [0x85] + Piece.call)
    pickle += Piece.tuple([]) + Piece.number(1) + [0x73]
    let read = try TorchFile(file(pickle + Piece.stop, ["0": numbers(1)]))
    for (key, _, sentence) in values { #expect(read.skipped[key]?.signature == sentence, "\(key)") }
    #expect(read.skipped["(a key that is no word)"] != nil)
    #expect(read.skipped.count == values.count + 1)
    #expect(read.metadata == ["words.a": "7", "old.p": "7"])
    #expect(read.arrays.isEmpty)
  }

  @Test("A damaged pickle, or one that would never end, gets its sentence")
  func damaged() {
    let cycle = Piece.dictionary + [0x71, 0] + Piece.text("k") + [0x68, 0, 0x73]
    let cases: [([UInt8], String)] = [
      ([0x4B], "byte 3: expected 1 bytes, found 0; the file is truncated"),
      ([0x58, 255, 255, 255, 255], "expected 4294967295 bytes, found 0"),
      ([0x8A, 200] + [UInt8](repeating: 1, count: 100) + Piece.stop, "expected 200 bytes"),
      ([0x8E] + [UInt8](repeating: 255, count: 8) + Piece.stop, "the file is truncated"),
      ([0x29, 0x81] + Piece.stop, "nothing on the stack"),
      ([0x52] + Piece.stop, "nothing on the stack"),
      ([0x74] + Piece.stop, "no mark on the stack"),
      ([0x28, 0x85] + Piece.stop, "nothing on the stack"),
      ([0x68, 9] + Piece.stop, "nothing remembered as 9"),
      (Piece.number(1) + Piece.number(1) + [0x61] + Piece.stop, "no list to append to"),
      (Piece.number(1) + [0x51] + Piece.stop, "a persistent object that is no storage"),
      (cycle + Piece.stop, "dictionaries in dictionaries without end"),
      (
        [0x29] + [UInt8](repeating: 0x85, count: 1_000_000) + Piece.stop,
        "tuples in tuples without end"
      ),
    ]
    for (pickle, sentence) in cases { expect(file(pickle), sentence) }
  }

  @Test("A tensor that is not in its storage gets its sentence")
  func tensors() {
    let (one, two, many) = (Piece.number(1), Piece.number(2), Piece.number(200))
    let huge: [UInt8] = [0x8A, 8] + [UInt8](repeating: 0xFF, count: 7) + [0x7F]
    let minus: [UInt8] = [0x8A, 1, 0xFF]
    func hugeStorage(_ type: String) -> [UInt8] {
      Piece.tuple([
        Piece.text("storage"), Piece.name("torch", type), Piece.text("0"), Piece.text("cpu"), huge,
      ]) + [0x51]
    }
    let cases: [([UInt8], [String: [UInt8]], String)] = [
      (
        Piece.tensor(Piece.storage(4), shape: [many], strides: [one]), ["0": numbers(4)],
        "shape [200] reaches beyond the 4 numbers of its storage"
      ),
      (
        Piece.tensor(Piece.storage(4), offset: 3, shape: [two], strides: [one]),
        ["0": numbers(4)], "shape [2] reaches beyond the 4 numbers"
      ),
      (
        Piece.tensor(Piece.storage(4), shape: [huge, huge], strides: [one, one]),
        ["0": numbers(4)], "impossible shape"
      ),
      (
        Piece.tensor(hugeStorage("DoubleStorage"), shape: [huge], strides: [one]),
        ["0": numbers(4)], "impossible shape"
      ),
      (
        Piece.tensor(hugeStorage("DoubleStorage"), shape: [one], strides: [one]),
        ["0": numbers(4)], "of a storage of 9223372036854775807 numbers"
      ),
      (
        Piece.tensor(Piece.storage(4), shape: [Piece.number(0), huge], strides: [one, one]),
        ["0": numbers(4)], "impossible shape [0, 9223372036854775807]"
      ),
      (
        Piece.tensor(Piece.storage(4), shape: [minus], strides: [one]), ["0": numbers(4)],
        "a shape below 0"
      ),
      (
        Piece.tensor(Piece.storage(4), shape: [one, one], strides: [one]), ["0": numbers(4)],
        "a tensor with 2 axes and 1 strides"
      ),
      (
        Piece.tensor(Piece.storage(4), shape: [two], strides: [one]), ["0": numbers(3)],
        "expected 16 bytes, found 12"
      ),
      (
        Piece.tensor(Piece.storage(4, key: "7"), shape: [two], strides: [one]),
        ["0": numbers(4)], "not in the file, which holds model/data.pkl, model/data/0"
      ),
    ]
    for (pickle, storages, sentence) in cases {
      expect(file(pickle + Piece.stop, storages), sentence)
    }
  }

  @Test("A tensor with strides of 0 is as large as its shape, within the limit")
  func expanded() throws {
    let (two, zero) = (Piece.number(2), Piece.number(0))
    let pickle = Piece.tensor(
      Piece.storage(2), shape: [two, Piece.number(3)], strides: [Piece.number(1), zero])
    let bytes: [UInt8] = [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]
    let read = try TorchFile(file(pickle + Piece.stop, ["0": bytes]))
    #expect(
      read.arrays["tensor"]?.tensor(of: Float.self).elements == [1, 1, 1, 2, 2, 2])
    // 100 million numbers of 4 bytes are more than 64 MB.
    let million: [UInt8] = [0x4A, 0x40, 0x42, 0x0F, 0]
    let bomb = Piece.tensor(
      Piece.storage(2), shape: [million, Piece.number(100)], strides: [zero, zero])
    expect(file(bomb + Piece.stop, ["0": bytes]), "many tensors of the same memory")
    // The stride of an axis of size 1 is never used, whatever it is.
    let huge: [UInt8] = [0x8A, 8] + [UInt8](repeating: 0xFF, count: 7) + [0x7F]
    let odd = Piece.tensor(
      Piece.storage(2), shape: [Piece.number(1), two], strides: [huge, zero])
    #expect(
      try TorchFile(file(odd + Piece.stop, ["0": bytes])).arrays["tensor"]?.shape == [1, 2])
  }

  @Test("Many names of one large storage are refused before they are copied")
  func manyViews() {
    let million: [UInt8] = [0x4A, 0x40, 0x42, 0x0F, 0]
    let storage =
      Piece.tuple([
        Piece.text("storage"), Piece.name("torch", "FloatStorage"), Piece.text("0"),
        Piece.text("cpu"), million,
      ]) + [0x51]
    var pickle = [0x5D, 0x28] as [UInt8]
    let tensor = Piece.tensor(storage, shape: [million], strides: [Piece.number(1)])
    for _ in 0..<40 { pickle += tensor }
    expect(
      file(pickle + [0x65] + Piece.stop, ["0": numbers(1_000_000)]),
      "many tensors of the same memory")
  }

  @Test(
    "A few bytes that stand for many values, or for long names, are refused before they are made")
  func bombs() {
    // 64 MB hold about a million values; these ask for two.
    expect(
      file([UInt8](repeating: 0x4E, count: 2_000_000) + Piece.stop),
      "more instructions than its size allows")
    // A key of 60,000 bytes before each of 60,000 numbers.
    var pickle: [UInt8] = Piece.dictionary + [0x58, 0x60, 0xEA, 0, 0]
    pickle += [UInt8](repeating: 0x61, count: 60_000)
    pickle += [0x5D, 0x28]
    for _ in 0..<60_000 { pickle += Piece.number(1) }
    pickle += [0x65, 0x73]
    expect(file(pickle + Piece.stop), "names of far more than the file")
  }

  @Test("Archives that are no such file, or a bomb, get their sentence")
  func archives() {
    expect(ZipArchive.encode(["a/b": [1]]), "a PyTorch file with one data.pkl, not 0")
    expect(
      ZipArchive.encode(["a/data.pkl": [1], "b/data.pkl": [1]]),
      "a PyTorch file with one data.pkl, not 2")
    expect([0x50, 0x4B, 3], "the file is truncated")
    expect([1, 2, 3], "expected a PyTorch file (a zip archive)")
    // The size in the directory is what the reader believes: 1 GB in a file of 200 bytes.
    var bomb = file(Piece.number(1) + Piece.stop)
    let directory = bomb.count - 22 - 46 - "model/data.pkl".utf8.count
    bomb.replaceSubrange(directory + 24..<directory + 28, with: [0, 0, 0, 0x40])
    expect(bomb, "a zip member of 1073741824 bytes, expected at most")
  }

  private func expect(_ bytes: [UInt8], _ sentence: String) {
    let error = #expect(throws: ArrayFileError.self) { try TorchFile(bytes) }
    let text = error?.description ?? ""
    #expect(text.contains(sentence), "\(text)")
  }
}
