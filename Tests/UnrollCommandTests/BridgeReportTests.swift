// What the commands say of a network that is read, and what they never overwrite.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Reports of networks that are read")
struct BridgeReportTests {
  private let command = CommandTests()
  private let files = goldenFolder + "/files"

  @Test(
    "inspect, convert, lab and train say alike what a file's network does and this one does not",
    .tags(.slow))
  func fourCommands() throws {
    try withTemporaryFolder { folder in
      let tagger = files + "/torch_export_tagger.onnx"
      let lines = [
        "left out: Gather, between the graph's input 'symbols' and level 0; the network reads the result",
        "left out: MatMul, Add, Softmax, between level 1 and the graph's output 'y'",
      ]
      let inspect = try command.run(["inspect", tagger])
      let convert = try command.run(["convert", tagger, folder + "/a.npz"])
      let lab = try command.run(["lab", "memory", "--weights", tagger, "--layer", "0", "--json"])
      for line in lines {
        #expect(inspect.output.contains(line), "\(inspect.output)")
        #expect(convert.output.contains(line))
        #expect(lab.errors.contains(line), "\(lab.errors)")
      }
      // Standard output is the result alone.
      #expect(throws: Never.self) {
        try JSONSerialization.jsonObject(with: Data(lab.output.utf8))
      }
      // Other arrays, and what was assumed, of a PyTorch file.
      let gru = files + "/torch_gru_stack.pt"
      for arguments in [
        ["inspect", gru], ["convert", gru, folder + "/b.npz"], ["lab", "memory", "--weights", gru],
      ] {
        let outcome = try command.run(arguments)
        #expect(
          (outcome.output + outcome.errors).contains("not part of it: head.bias, head.weight"))
      }
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let train = ["train", folder + "/text"] + LanguageCommandTests.small
      #expect(try command.run(train + ["--output", folder + "/one", "--epochs", "1"]).status == 0)
      #expect(try command.run(["convert", folder + "/one", folder + "/m.onnx"]).status == 0)
      let more = try command.run(
        train + ["--output", folder + "/two", "--max-steps", "1", "--weights", folder + "/m.onnx"])
      #expect(more.status == 0, "\(more.errors)")
      #expect(more.errors.contains("read: \(folder)/m.onnx, ONNX model, of operator set 14"))
      #expect(more.errors.contains("left out: Gather, between the graph's input 'symbols'"))
      // A float64 network, too: it is rounded.
      let wide = try command.run(["inspect", folder + "/one"])
      #expect(wide.output.contains("LSTM, gates sigmoid, candidate tanh, output tanh"))
    }
  }

  @Test("Every setting that changes results is shown")
  func settings() throws {
    let shown = try command.run(["inspect", files + "/onnx_functions.onnx"])
    for words in [
      "RNN, 1.5·tanh(0.7·x)", "hard sigmoid (0.3·x + 0.4)", "candidate elu (0.7)",
      "candidate leaky relu (0.1)", "arguments clipped to ±0.75", "thresholded relu (0.2)",
      "output 0.5·x + 0.1", "candidate softsign", "output softplus", "backward", "two biases",
      "files beside it", "onnx_functions.data",
    ] { #expect(shown.output.contains(words), "\(words): \(shown.output)") }
    try withTemporaryFolder { folder in
      var lstm = Cell<Float>(
        .lstm, inputSize: 3, hiddenSize: 4, hasPeepholes: true, projectionSize: 2,
        options: CellOptions(
          gateActivation: .hardSigmoid(slope: 0.2, offset: 0.5), outputActivation: .identity,
          argumentClip: 0.5, forgetOffset: 1, cellClip: 3, projectionClip: 2))
      var gru = Cell<Float>(.gruResetBefore, inputSize: 2, hiddenSize: 4)
      gru.zoneout = Zoneout(hidden: 0.25)
      var normal = Cell<Float>(.lstm, inputSize: 4, hiddenSize: 4, isNormalized: true)
      normal.zoneout = Zoneout(hidden: 0.125, cell: 0.5)
      let network = RecurrentNetwork<Float>(cells: [lstm, gru, normal])
      _ = try NetworkFile.write(network, to: folder + "/a.safetensors")
      lstm.options.couplesInputAndForget = true
      _ = try NetworkFile.write(
        RecurrentNetwork<Float>(cells: [lstm]), to: folder + "/b.safetensors")
      let output = try ["a", "b"].map {
        try command.run(["inspect", "\(folder)/\($0).safetensors"]).output
      }.joined()
      for words in [
        "LSTM, gates hard sigmoid (0.2·x + 0.5), candidate tanh, output linear",
        "forget gate + 1.0",
        "cell state clipped to ±3.0", "projection clipped to ±2.0", "arguments clipped to ±0.5",
        "peepholes, projection",
        "GRU, reset gate before the product, gates sigmoid, candidate tanh",
        "zoneout of h 0.25", "layer normalization, zoneout of h 0.125, zoneout of c 0.5",
        "forget gate = 1 − input gate",
      ] { #expect(output.contains(words), "\(words): \(output)") }
    }
  }

  @Test("A level that reads backward alone goes from ONNX to Unroll's names and the lab, and back")
  func backward() throws {
    try withTemporaryFolder { folder in
      let (own, back) = (folder + "/a.safetensors", folder + "/b.onnx")
      let read = try command.run(["convert", files + "/onnx_functions.onnx", own])
      #expect(read.status == 0, "\(read.errors)")
      let written = try command.run(["convert", own, back])
      #expect(written.status == 0, "\(written.errors)")
      let shown = try command.run(["inspect", back])
      #expect(shown.output.contains("RNN, 1.5·tanh(0.7·x)"))
      #expect(shown.output.contains("test: the graph gives the outputs that the file keeps"))
      let lab = try command.run(["lab", "memory", "--weights", own, "--layer", "0"])
      #expect(lab.status == 0, "\(lab.errors)")
      // Alone, so that nothing else is in the way of other programs' names.
      var cell = Cell<Float>(.gruResetAfter, inputSize: 2, hiddenSize: 3)
      cell.parameters.bias = Tensor([Float](repeating: 0.5, count: 9))
      _ = try NetworkFile.write(
        RecurrentNetwork(levels: [[RecurrentLayer(cell: cell, direction: .backward)]]), to: own)
      for (name, layout) in [("c.npz", "pytorch"), ("c.index", "tensorflow1"), ("c.npz", "mlx")] {
        let refused = try command.run(["convert", own, "\(folder)/\(name)", "--to", layout])
        #expect(refused.status == 1)
        #expect(
          refused.errors.contains("cannot express direction = backward alone"), "\(refused.errors)")
      }
    }
  }

  @Test(
    "A report is written neither into a run's folder nor into one that holds what is read",
    .tags(.slow))
  func reportFolders() throws {
    try withTemporaryFolder { folder in
      let weights = folder + "/report/data/gates.safetensors"
      try FileManager.default.createDirectory(
        atPath: folder + "/report/data", withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: files + "/mlx_gru_stack.safetensors", toPath: weights)
      let outcome = try command.run(
        ["lab", "gates", "--weights", weights, "--output", folder + "/report"])
      #expect(outcome.status == 1 && outcome.errors.contains("holds \(weights), which is read"))
      try LanguageCommandTests.writeCorpus(folder + "/text")
      _ = try command.run(
        ["train", folder + "/text", "--output", folder + "/run", "--epochs", "1"]
          + LanguageCommandTests.small)
      let other = try command.run(
        ["lab", "memory", "--hidden", "2", "--output", folder + "/run"])
      #expect(other.status == 1 && other.errors.contains("run: is the folder of a run"))
    }
  }

  @Test("convert refuses weights that are not finite, whatever it writes")
  func notFinite() throws {
    try withTemporaryFolder { folder in
      for number in [Float.nan, .infinity] {
        let shapes = ["weight_ih_l0": [4, 3], "weight_hh_l0": [4, 4]]
        var arrays = shapes.mapValues { StoredArray(Tensor<Float>(shape: $0)) }
        arrays["weight_hh_l0"] = StoredArray(Tensor<Float>(shape: [4, 4], repeating: number))
        try ArrayFile(for: folder + "/a.npz", arrays: arrays).write(to: folder + "/a.npz")
        for output in ["b.onnx", "b.safetensors"] {
          let outcome = try command.run(["convert", folder + "/a.npz", "\(folder)/\(output)"])
          let word = number.isNaN ? "NaN" : "infinity"
          #expect(
            outcome.status == 1
              && outcome.errors.contains(
                "expected finite numbers, found \(word) in recurrent_weights of layer 0")
          )
        }
      }
    }
  }

  @Test("convert never overwrites what it reads, by whatever name, nor a run's files")
  func overwriting() throws {
    try withTemporaryFolder { folder in
      func path(_ name: String) -> String { "\(folder)/\(name)" }
      func refuse(_ input: String, _ output: String, _ words: String) throws {
        let before = try? AtomicFile.read(output)
        let outcome = try command.run(["convert", input, output])
        #expect(outcome.status == 1, "\(output)")
        #expect(outcome.errors.contains(words), "\(outcome.errors)")
        #expect((try? AtomicFile.read(output)) == before)
      }
      let gru = files + "/mlx_gru_stack.safetensors"
      let manager = FileManager.default
      try manager.copyItem(atPath: gru, toPath: path("a.safetensors"))
      try refuse(path("a.safetensors"), path("a.safetensors"), "is the file that is read")
      try refuse(path("./a.safetensors"), path("a.safetensors"), "that is read; choose another")
      try manager.createSymbolicLink(
        atPath: path("link.safetensors"), withDestinationPath: path("a.safetensors"))
      try refuse(path("a.safetensors"), path("link.safetensors"), "is the same file as")
      try manager.linkItem(atPath: path("a.safetensors"), toPath: path("hard.npz"))
      try refuse(path("a.safetensors"), path("hard.npz"), "is the same file as")
      try manager.createDirectory(atPath: path("dir.npz"), withIntermediateDirectories: false)
      try refuse(path("a.safetensors"), path("dir.npz"), "expected a file's name, found a folder")
      // A checkpoint is two files, and may be named by its prefix.
      for ending in ["index", "data-00000-of-00001"] {
        try manager.copyItem(
          atPath: "\(files)/tf1_gru_stack.\(ending)", toPath: path("t.\(ending)"))
      }
      try refuse(path("t"), path("t.index"), "that is read; choose another")
      try manager.linkItem(
        atPath: path("t.data-00000-of-00001"), toPath: path("u.data-00000-of-00001"))
      try refuse(path("t.index"), path("u.index"), "that is read; choose another")
      // The arrays beside an ONNX model.
      for ending in ["onnx", "data"] {
        try manager.copyItem(
          atPath: "\(files)/onnx_functions.\(ending)", toPath: path("onnx_functions.\(ending)"))
      }
      try manager.linkItem(atPath: path("onnx_functions.data"), toPath: path("data.npz"))
      try refuse(path("onnx_functions.onnx"), path("data.npz"), "is the same file as")
      // The other files of a set.
      for number in 1...2 {
        let name = "torch_shards-0000\(number)-of-00002.safetensors"
        try manager.copyItem(atPath: "\(files)/\(name)", toPath: path(name))
      }
      try refuse(
        path("torch_shards-00001-of-00002.safetensors"),
        path("torch_shards-00002-of-00002.safetensors"), "that is read; choose another")
      // Runs.
      try LanguageCommandTests.writeCorpus(path("text"))
      let train = try command.run(
        ["train", path("text"), "--output", path("run"), "--max-steps", "1"]
          + LanguageCommandTests.small)
      #expect(train.status == 0)
      try refuse(path("run"), path("run/model.safetensors"), "lies in the run's folder")
      try refuse(path("run"), path("run/new.onnx"), "lies in the run's folder")
      try manager.createSymbolicLink(atPath: path("same"), withDestinationPath: path("run"))
      try refuse(path("run"), path("same/corpus/a.npz"), "lies in the run's folder")
      try refuse(path("a.safetensors"), path("run/model.safetensors"), "belongs to the run")
      #expect(try command.run(["generate", path("run"), "--length", "3"]).status == 0)
      let other = try command.run(["convert", path("run"), path("out.npz")])
      #expect(other.status == 0, "\(other.errors)")
      // Again over what was written before.
      #expect(try command.run(["convert", path("run"), path("out.npz")]).status == 0)
    }
  }

  @Test("The second file of a checkpoint is overwritten only where it belongs to the first")
  func checkpointParts() throws {
    try withTemporaryFolder { folder in
      let (lstm, manager) = (files + "/tf1_basic_lstm.index", FileManager.default)
      let (index, data) = (folder + "/out.index", folder + "/out.data-00000-of-00001")
      func convert() throws -> (status: Int32, errors: String) {
        let outcome = try command.run(["convert", lstm, index])
        return (outcome.status, outcome.errors)
      }
      func expectRefusal(_ kept: String) throws {
        let refused = try convert()
        #expect(refused.status == 1)
        #expect(
          refused.errors
            == "Error: \(data): is there already, does not belong to \(index) and would be overwritten; move it, or choose another name\n"
        )
        #expect(try String(contentsOfFile: data, encoding: .utf8) == kept)
      }
      try "mine".write(toFile: data, atomically: true, encoding: .utf8)
      try expectRefusal("mine")
      #expect(!manager.fileExists(atPath: index))
      // An index of other numbers, and one that is none.
      try manager.copyItem(atPath: files + "/tf1_gru_stack.index", toPath: index)
      try expectRefusal("mine")
      try "mine, too".write(toFile: index, atomically: true, encoding: .utf8)
      try expectRefusal("mine")
      try manager.removeItem(atPath: data)
      try manager.createDirectory(atPath: data, withIntermediateDirectories: false)
      #expect(try convert().errors.contains("\(data): expected a file's name, found a folder"))
      try manager.removeItem(atPath: data)
      // Its own it may write again.
      #expect(try convert().status == 0)
      #expect(try convert().status == 0)
      #expect(try command.run(["inspect", index]).status == 0)
    }
  }

  @Test("An ONNX model is known by its contents, and ONNX is among the formats")
  func contents() throws {
    try withTemporaryFolder { folder in
      let (model, text) = (folder + "/model.safetensors", folder + "/text.bin")
      try FileManager.default.copyItem(
        atPath: files + "/torch_export_last.onnx", toPath: model)
      for arguments in [
        ["inspect", model], ["convert", model, folder + "/a.npz"],
        ["lab", "memory", "--weights", model],
      ] {
        let outcome = try command.run(arguments)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect((outcome.output + outcome.errors).contains("ONNX model"))
      }
      try Data("hello".utf8).write(to: URL(fileURLWithPath: text))
      for arguments in [["inspect", text], ["convert", text, folder + "/b.npz"]] {
        let refused = try command.run(arguments)
        #expect(refused.errors.contains("ONNX (.onnx), found something else"), "\(refused.errors)")
      }
      let name = try command.run(["convert", model, folder + "/m.pt"])
      #expect(
        name.errors.contains(
          "m.pt: expected a name that ends with .onnx, .safetensors, .npz, .index, .weights.h5 or .h5"
        ), "\(name.errors)")
      // onnxruntime has float32 kernels of these operators alone.
      let wide = try command.run([
        "convert", files + "/tf1_lstm_both.index", folder + "/wide.npz",
      ])
      #expect(!wide.output.contains("warning"))
      var cell = Cell<Double>(.gruResetAfter, inputSize: 2, hiddenSize: 3)
      cell.parameters.bias = Tensor([Double](repeating: 0.5, count: 9))
      _ = try NetworkFile.write(
        RecurrentNetwork<Double>(cells: [cell]), to: folder + "/d.safetensors")
      let warned = try command.run(["convert", folder + "/d.safetensors", folder + "/d.onnx"])
      #expect(
        warned.output.contains("onnxruntime runs RNN, GRU and LSTM in float32 only"),
        "\(warned.output)")
    }
  }
}
