// Which reader a file gets: by its contents, whatever its name, and by its name only where the contents do not tell.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Kinds of files")
struct FileKindTests {
  private let files = goldenFolder + "/files/"

  private func network() -> RecurrentNetwork<Float> {
    var random = NumPyRandom(seed: 7)
    return RecurrentNetwork<Float>(cells: [
      Cell(.lstm, inputSize: 3, hiddenSize: 4, using: &random)
    ])
  }

  private func sentence(_ path: String) -> String {
    do {
      _ = try NetworkFile.read(path)
      return "no error"
    } catch { return "\(error)" }
  }

  @Test(
    "A file with another ending, or none, gets the reader of its contents",
    arguments: [
      ("torch_export_last.onnx", "x.bin", FileKind.onnx),
      ("torch_export_stack.onnx", "x.safetensors", .onnx),
      ("tf2onnx_mixed.onnx", "x", .onnx),
      ("mlx_gru_stack.safetensors", "x", .safetensors),
      ("mlx_gru_stack.safetensors", "x.onnx", .safetensors),
      ("torch_gru_stack.pt", "x.npz", .torch),
      ("torch_old_container.pt", "x.index", .torch),
      ("keras3_mixed.h5", "x.pt", .hdf5),
      ("keras3_mixed.keras", "x.onnx", .hdf5),
    ])
  func contents(_ file: String, _ name: String, _ kind: FileKind) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/\(name)"
      try FileManager.default.copyItem(atPath: files + file, toPath: path)
      #expect(FileKind(contentsOf: path) == kind)
      let (read, expected) = (try NetworkFile.read(path), try NetworkFile.read(files + file))
      #expect(read.network.layers == expected.network.layers)
      #expect(read.report == expected.report)
      #expect(read.files == [path])
      let weights = [read, expected].map {
        $0.network.double.layers.map(\.cell.parameters.inputWeights.elements)
      }
      #expect(weights[0] == weights[1])
    }
  }

  @Test("A NumPy array, an index of several files and a checkpoint are recognized, too")
  func otherKinds() throws {
    try withTemporaryFolder { folder in
      let array = folder + "/x.safetensors"
      try AtomicFile.write(NPY.encode(StoredArray([1, 2])), to: array)
      #expect(FileKind(contentsOf: array) == .npy)
      #expect(try ArrayFile(contentsOf: array).arrays["array"]?.shape == [2])
      let names =
        ["torch_shards.safetensors.index.json"]
        + (1...2).map {
          "torch_shards-0000\($0)-of-00002.safetensors"
        }
      for name in names where FileManager.default.fileExists(atPath: files + name) {
        try FileManager.default.copyItem(atPath: files + name, toPath: "\(folder)/\(name)")
      }
      let index = folder + "/all"
      try FileManager.default.copyItem(atPath: files + names[0], toPath: index)
      #expect(FileKind(contentsOf: index) == .shards)
      let whole = try ArrayFile(contentsOf: index)
      #expect(try whole.arrays == ArrayFile(contentsOf: files + names[0]).arrays)
      #expect(whole.files.count > 1)
      // The numbers of a checkpoint are found by the name of its index.
      #expect(FileKind(contentsOf: files + "tf1_gru_stack") == .tensorFlow)
      #expect(
        try NetworkFile.read(files + "tf1_gru_stack").files
          == ["index", "data-00000-of-00001"].map { "\(files)tf1_gru_stack.\($0)" })
      let renamed = folder + "/x.onnx"
      try FileManager.default.copyItem(atPath: files + "tf1_gru_stack.index", toPath: renamed)
      #expect(
        sentence(renamed)
          == "the index of a TensorFlow checkpoint, whose numbers are in other files; give it its name, PREFIX.index, next to PREFIX.data-00000-of-00001"
      )
    }
  }

  @Test("The files next to an ONNX model are among those that were read")
  func externalFiles() throws {
    #expect(
      try NetworkFile.read(files + "onnx_functions.onnx").files
        == ["onnx", "data"].map { "\(files)onnx_functions.\($0)" })
  }

  @Test("Contents of no kind get a sentence that lists every kind that is read")
  func unknown() throws {
    try withTemporaryFolder { folder in
      for name in ["x", "x.npz", "x.pt", "x.npy", "x.h5"] {
        let path = "\(folder)/\(name)"
        try AtomicFile.write(Array("hello".utf8), to: path)
        #expect(FileKind(contentsOf: path) == nil)
        let text = sentence(path)
        #expect(text == "expected one of \(FileKind.readKinds), found something else")
        for kind in FileKind.allCases { #expect(text.contains(kind.rawValue)) }
      }
    }
  }

  @Test("The ending decides where the contents have no signature, or a damaged one")
  func endings() throws {
    try withTemporaryFolder { folder in
      for (name, kind, words) in [
        ("x.safetensors", FileKind.safetensors, "expected 8 bytes, found 5"),
        ("x.index", .tensorFlow, "expected the index of a TensorFlow checkpoint"),
        ("x.index.json", .shards, "expected an index of arrays"),
        ("x.onnx", .onnx, "the model is malformed: expected protocol buffers"),
      ] {
        let path = "\(folder)/\(name)"
        try AtomicFile.write(Array("hello".utf8), to: path)
        #expect(FileKind(contentsOf: path) == kind)
        #expect(sentence(path).contains(words), "\(name): \(sentence(path))")
        #expect(FileKind(contentsOf: "\(folder)/none-\(name)") == kind)
      }
      #expect(sentence("\(folder)/none").contains("none: cannot be read"))
      #expect(sentence(folder).contains("expected a file, found something else"))
    }
  }

  @Test("Every kind that is written is read back by its ending and by its contents alone")
  func written() throws {
    #expect(FileKind.written.count == 5)
    let endings = FileKind.writtenEndings.split(separator: " ").map { $0.trimmingPrefix("or") }
      .filter { $0.hasPrefix(".") }.map { $0.filter { $0 != "," } }
    #expect(Set(endings.compactMap { FileKind(endingOf: $0) }) == Set(FileKind.written))
    try withTemporaryFolder { folder in
      for ending in endings {
        let (path, kind) = ("\(folder)/a\(ending)", try #require(FileKind(endingOf: ending)))
        let written = try NetworkFile.write(.single(network()), to: path)
        #expect(written.arrays.isEmpty == (kind.standardLayout == nil))
        #expect(FileKind(contentsOf: path) == kind)
        let read = try NetworkFile.read(path)
        #expect(read.isTested && read.network.single.outputSize == 4)
        if let layout = kind.standardLayout {
          #expect(read.names == "by the names of \(layout.rawValue)")
        }
        #expect(Set(read.files) == Set(FileKind.files(writing: path)))
        guard kind != .tensorFlow else { continue }
        let copy = "\(folder)/copy"
        try AtomicFile.write(AtomicFile.read(path), to: copy)
        #expect(FileKind(contentsOf: copy) == kind)
        #expect(try NetworkFile.read(copy).isTested)
      }
      let name = #expect(throws: ArrayFileError.self) {
        try NetworkFile.write(.single(network()), to: folder + "/a.pt")
      }
      #expect(
        name?.description.hasPrefix("expected a name that ends with \(FileKind.writtenEndings)")
          == true)
      let layout = #expect(throws: ModelImportError.self) {
        try NetworkFile.write(.single(network()), to: folder + "/a.onnx", layout: .mlx)
      }
      #expect(layout?.description == "ONNX cannot express names = mlx")
    }
  }

  @Test("A network is read in the precision of its file, and is had in both")
  func precision() throws {
    try withTemporaryFolder { folder in
      for ending in ["npz", "onnx"] {
        let path = "\(folder)/a.\(ending)"
        let wide = network().converted(to: Double.self)
        #expect(try NetworkFile.write(wide, to: path).isDouble)
        let read = try NetworkFile.read(path).network
        guard case .double(let network) = read else {
          Issue.record("\(ending): expected a float64 network")
          continue
        }
        #expect(network.layers[0].cell.parameters == wide.layers[0].cell.parameters)
        #expect(read.single.layers[0].cell.parameters == self.network().layers[0].cell.parameters)
      }
    }
    var cell = network().levels[0][0].cell
    cell.parameters.bias = Tensor([0, .nan] + [Float](repeating: 0, count: 14))
    let broken = RecurrentNetwork<Float>(cells: [cell])
    #expect(AnyNetwork(broken).nonFiniteWeight == "NaN in bias of layer 0")
    #expect(AnyNetwork(network()).nonFiniteWeight == nil)
  }

  @Test("An assumption that changes nothing is refused by name")
  func unneeded() throws {
    func refusal(_ file: String, _ assumptions: NetworkAssumptions) -> String? {
      (#expect(throws: ModelImportError.self) {
        try NetworkFile.read(file, assuming: assumptions)
      })?.description
    }
    #expect(
      refusal(files + "torch_gru_stack.pt", NetworkAssumptions(forgetBias: 1))
        == "forget bias changes nothing in how this network is read; leave it out")
    #expect(
      refusal(files + "torch_export_last.onnx", NetworkAssumptions(activation: .relu, prefix: "a"))
        == "an ONNX model holds one network with all its settings; leave activation, prefix out")
    let read = try NetworkFile.read(
      files + "torch_rnn_checkpoint.pt", assuming: NetworkAssumptions(activation: .relu))
    #expect(read.network.layers.allSatisfy { $0.cell.contains("relu") })
  }

  @Test("No other source file looks at the ending of a file's name")
  func onePlace() throws {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Sources").standardizedFileURL
    let files = FileManager.default.enumerator(atPath: sources.path)?.compactMap { $0 as? String }
    let swift = (files ?? []).filter { $0.hasSuffix(".swift") && !$0.hasSuffix("/FileKind.swift") }
    #expect(swift.count > 200)
    // Members of zip archives end with .npy.
    let tests =
      [
        "onnx", "safetensors", "index", "index.json", "h5", "keras", "npz", "pt", "pth", "bin",
      ].map { "hasSuffix(\".\($0)\")" } + ["pathExtension"]
    for name in swift {
      let text = try String(contentsOf: sources.appendingPathComponent(name), encoding: .utf8)
      for test in tests { #expect(!text.contains(test), "\(name): \(test)") }
    }
  }

  @Test("The documentation lists the operators that are evaluated")
  func documentedOperators() throws {
    let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Documentation/Bridges.md")
    let text = try String(contentsOf: page, encoding: .utf8).split(whereSeparator: \.isWhitespace)
      .joined(separator: " ")
    let recurrent = ["GRU", "LSTM", "RNN"]
    let others = ONNXModel.operators.filter { !recurrent.contains($0) }
    #expect(others.count == 37)
    #expect(
      text.contains("in addition to the recurrent operators: \(others.joined(separator: ", "))."),
      "\(others.joined(separator: ", "))")
  }
}
