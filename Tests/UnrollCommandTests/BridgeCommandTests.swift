// Other programs' files by the command: what is shown, what is written, what is refused.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Bridges by the command")
struct BridgeCommandTests {
  private let command = CommandTests()
  private let files = goldenFolder + "/files"

  @Test("A PyTorch file goes through ONNX and safetensors, each step tested by the file before")
  func chain() throws {
    try withTemporaryFolder { folder in
      let onnx = try command.run([
        "convert", files + "/torch_gru_stack.pt", folder + "/a.onnx",
      ])
      #expect(onnx.status == 0, "\(onnx.errors)")
      #expect(
        onnx.output.contains(
          "encoder.weight_ih_l1 float32[15,10] → level 1, W, transposed, blocks r z n as ours"))
      #expect(onnx.output.contains("not part of it: head.bias, head.weight"))
      #expect(onnx.output.contains("inputs: x, hidden_0, hidden_1"))
      let shown = try command.run(["inspect", folder + "/a.onnx"])
      #expect(shown.output.contains("test: the graph gives the outputs that the file keeps"))
      let back = try command.run([
        "convert", folder + "/a.onnx", folder + "/b.safetensors", "--to", "pytorch",
      ])
      #expect(back.status == 0, "\(back.errors)")
      let last = try command.run(["inspect", folder + "/b.safetensors"])
      #expect(last.output.contains("network, by the names of pytorch:"))
      #expect(last.output.contains("weight_hh_l1_reverse  float32[15,5]"))
      #expect(last.output.contains("test: the network gives the outputs that the file keeps"))
    }
  }

  @Test("An ONNX file whose weights were changed fails its test, wherever it is read")
  func damagedGraph() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/a.onnx"
      #expect(
        try command.run(["convert", files + "/torch_gru_stack.pt", path]).status == 0)
      let good = try command.run(["convert", path, folder + "/good.safetensors"])
      #expect(good.output.contains("tested: the network gives the outputs that the file keeps"))
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      // The exponent of a weight: the file has no checksum.
      let file = try ArrayFile(contentsOf: files + "/torch_gru_stack.pt")
      let weights = try #require(file.arrays["encoder.weight_hh_l0"]).bytes
      let place = try #require(bytes.firstRange(of: weights[0..<4])).lowerBound
      bytes[place + 3] ^= 0x40
      try bytes.write(to: URL(fileURLWithPath: path))
      for arguments in [
        ["convert", path, folder + "/bad.safetensors"], ["inspect", path],
        ["lab", "memory", "--weights", path],
      ] {
        let refused = try command.run(arguments)
        #expect(refused.status == 1, "\(arguments)")
        #expect(
          refused.errors.contains("away from the outputs that the file keeps"), "\(refused.errors)")
      }
      #expect(!FileManager.default.fileExists(atPath: folder + "/bad.safetensors"))
    }
  }

  @Test("A run's language model becomes an ONNX graph, its layers a network", .tags(.slow))
  func run() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let train = try command.run(
        ["train", folder + "/text", "--output", folder + "/run", "--epochs", "1"]
          + LanguageCommandTests.small)
      #expect(train.status == 0)
      let onnx = try command.run(["convert", folder + "/run", folder + "/m.onnx"])
      #expect(onnx.status == 0, "\(onnx.errors)")
      #expect(onnx.output.contains("inputs: symbols, hidden_0, cell_0, hidden_1, cell_1"))
      let shown = try command.run(["inspect", folder + "/m.onnx"])
      #expect(shown.output.contains("vocabulary"))
      #expect(shown.output.contains("test: the graph gives the outputs that the file keeps"))
      let layers = try command.run(["convert", folder + "/run", folder + "/l.index"])
      #expect(layers.status == 0, "\(layers.errors)")
      #expect(layers.output.contains("rnn/multi_rnn_cell/cell_1/lstm_cell/kernel float32[40,80]"))
      #expect(layers.output.contains("changed: level 0: -1.0 was added to the forget gate's bias"))
    }
  }

  @Test(
    "What is not read of a file, and what is assumed, is printed with the option that changes it")
  func remarks() throws {
    let objects = try command.run(["inspect", files + "/torch_objects.pt"])
    #expect(objects.status == 0, "\(objects.errors)")
    #expect(objects.output.contains("not read: complex, complex64[2,3]"))
    #expect(objects.output.contains("not read: options, argparse.Namespace"))
    try withTemporaryFolder { folder in
      let converted = try command.run(
        ["convert", files + "/torch_objects.pt", folder + "/o.npz"])
      #expect(converted.output.contains("complex (complex64[2,3], not read)"))
      let rnn = try command.run(
        ["convert", files + "/torch_rnn_checkpoint.pt", folder + "/r.npz"])
      #expect(
        rnn.output.contains(
          "assumed: nonlinearity of nn.RNN is not in the file: tanh, its default (--activation relu)"
        ))
    }
  }

  @Test("A mistake gets one sentence that begins with the file, and leaves nothing behind")
  func mistakes() throws {
    try withTemporaryFolder { folder in
      func expect(_ arguments: [String], _ sentence: String, status: Int32 = 1) throws {
        let result = try command.run(arguments)
        #expect(result.status == status, "\(arguments)")
        #expect(result.errors.contains(sentence), "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder + "/out.npz"))
      }
      let out = folder + "/out.npz"
      let gru = files + "/torch_gru_stack.pt"
      try expect(["convert", folder + "/none.pt", out], "/none.pt: cannot be read")
      try Data("hello".utf8).write(to: URL(fileURLWithPath: folder + "/text.npz"))
      try expect(
        ["convert", folder + "/text.npz", out],
        "\(folder)/text.npz: expected one of NumPy array (.npy), NumPy archive (.npz)")
      try expect(["inspect", folder + "/text.npz"], "/text.npz: expected one of")
      try expect(
        ["convert", gru, folder + "/out.pt"],
        "out.pt: expected a name that ends with .onnx, .safetensors, .npz, .index")
      try expect(
        ["convert", gru, out, "--to", "tensorflow1"],
        "out.npz: TensorFlow 1 cannot express reset gate = after the product")
      try expect(
        ["convert", gru, out, "--to", "caffe"],
        "expected one of unroll, pytorch, keras, tensorflow1, mlx, found 'caffe'", status: 64)
      try expect(
        ["convert", gru, folder + "/out.onnx", "--to", "mlx"],
        "--to: an ONNX model has names of its own", status: 64)
      try expect(
        ["convert", gru, out, "--prefix", "decoder."],
        "torch_gru_stack.pt: no network has the prefix 'decoder.'; did you mean 'encoder.'? (--prefix)"
      )
      try expect(["convert", files + "/torch_export_last.npz", out], "expected the arrays of")
      try Data("nonsense".utf8).write(to: URL(fileURLWithPath: folder + "/x.onnx"))
      try expect(
        ["inspect", folder + "/x.onnx"],
        "/x.onnx: the model is malformed: expected protocol buffers")
    }
  }

  @Test("The lab's experiments run on a layer of a file")
  func lab() throws {
    let file = files + "/torch_gru_stack.pt"
    let memory = try command.run([
      "lab", "memory", "--weights", file, "--layer", "2", "--dtype", "float64", "--json",
    ])
    #expect(memory.status == 0, "\(memory.errors)")
    let result = try #require(
      JSONSerialization.jsonObject(with: Data(memory.output.utf8)) as? [String: Any])
    let settings = try #require(result["settings"] as? [String: Any])
    #expect(settings["cell"] as? String == "gru-after")
    #expect(settings["hiddenSize"] as? Int == 5)
    #expect(settings["inputSize"] as? Int == 10)
    // A network that was converted forgets alike.
    try withTemporaryFolder { folder in
      let copy = folder + "/copy.onnx"
      #expect(try command.run(["convert", file, copy]).status == 0)
      let gradients = ["lab", "gradients", "--layer", "1"]
      let (one, other) = (
        try command.run(gradients + ["--weights", file]),
        try command.run(gradients + ["--weights", copy])
      )
      #expect(one.status == 0, "\(one.errors)")
      #expect(other.output.hasSuffix(one.output))
    }
    let contradiction = try command.run(["lab", "memory", "--weights", file, "--hidden", "3"])
    #expect(contradiction.status == 64)
    #expect(
      contradiction.errors.contains("--hidden: --weights says it already; leave the option out."))
    let beyond = try command.run(["lab", "memory", "--weights", file, "--layer", "4"])
    #expect(beyond.errors.contains("expected a layer below 4, found --layer 4"))
    let projected = try command.run([
      "lab", "memory", "--weights", files + "/torch_lstm_projected.pt",
    ])
    #expect(projected.errors.contains("weights: expected a cell without a projection, got 6 → 3"))
  }

  @Test("A model begins with the recurrent layers of a file", .tags(.slow))
  func weights() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      func train(_ name: String, _ more: [String]) throws -> CommandTests.Outcome {
        try command.run(
          ["train", folder + "/text", "--output", "\(folder)/\(name)"]
            + LanguageCommandTests.small + more)
      }
      #expect(try train("one", ["--epochs", "1"]).status == 0)
      let file = folder + "/layers.safetensors"
      #expect(
        try command.run(["convert", folder + "/one", file, "--to", "pytorch"]).status == 0)
      // Another seed, and steps too small to move anything.
      let other = try train(
        "other",
        ["--weights", file, "--seed", "9", "--max-steps", "1", "--learning-rate", "1e-30"])
      #expect(other.status == 0, "\(other.errors)")
      let arrays = try ["one", "other"].map {
        try Safetensors(mapping: "\(folder)/\($0)/model.safetensors").arrays
      }
      #expect(arrays[0]["layers.1.recurrent_weights"] == arrays[1]["layers.1.recurrent_weights"])
      #expect(arrays[0]["layers.0.bias"] == arrays[1]["layers.0.bias"])
      #expect(arrays[0]["embedding.weights"] != arrays[1]["embedding.weights"])
      // The same through ONNX.
      let graph = folder + "/model.onnx"
      #expect(try command.run(["convert", folder + "/one", graph]).status == 0)
      let third = try train(
        "third",
        ["--weights", graph, "--seed", "9", "--max-steps", "1", "--learning-rate", "1e-30"])
      #expect(third.status == 0, "\(third.errors)")
      #expect(
        try Safetensors(mapping: "\(folder)/third/model.safetensors").arrays == arrays[1])
      // What is not there leaves nothing behind.
      for option in ["--weights", "--vectors"] {
        let nothing = try train("nothing", [option, folder + "/none"])
        #expect(nothing.status == 1)
        #expect(nothing.errors.contains(folder + "/none"))
        #expect(!FileManager.default.fileExists(atPath: folder + "/nothing"))
      }
      let wrong = try train("wrong", ["--weights", file, "--layers", "1"])
      #expect(wrong.status == 1)
      #expect(
        wrong.errors.contains(
          "layers.safetensors: expected 1 recurrent layers, as --layers says, found 2"))
      let both = try train("both", ["--weights", files + "/torch_gru_stack.pt"])
      #expect(both.errors.contains("expected layers that read forward"))
      let cell = try train("cell", ["--weights", file, "--cell", "gru"])
      #expect(
        cell.errors.contains("layer 0: expected cell gru, as --cell says, found lstm"))
      let size = try train("size", ["--weights", file, "--hidden-size", "5"])
      #expect(
        size.errors.contains(
          "layers.safetensors: layer 0: expected hidden size 5, as --hidden-size says, found 20"),
        "\(size.errors)")
    }
  }

  @Test("A model begins with one of the networks in a file, which --weights-prefix names")
  func weightsPrefix() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      var random = NumPyRandom(seed: 3)
      var arrays: [String: StoredArray] = [:]
      for prefix in ["encoder.", "decoder."] {
        for layer in 0..<2 {
          for (name, shape) in [
            ("weight_ih", [80, layer == 0 ? 8 : 20]), ("weight_hh", [80, 20]), ("bias_ih", [80]),
            ("bias_hh", [80]),
          ] {
            let numbers: Tensor<Float> = uniform(shape, &random)
            arrays["\(prefix)\(name)_l\(layer)"] = StoredArray(numbers)
          }
        }
      }
      let file = folder + "/two.safetensors"
      try ArrayFile(for: file, arrays: arrays).write(to: file)
      func train(_ name: String, _ more: [String]) throws -> CommandTests.Outcome {
        try command.run(
          ["train", folder + "/text", "--output", "\(folder)/\(name)"]
            + LanguageCommandTests.small + ["--max-steps", "1", "--learning-rate", "1e-30"] + more)
      }
      let several = try train("several", ["--weights", file])
      #expect(several.status == 1)
      #expect(
        several.errors.contains(
          "holds several networks, 'decoder.', 'encoder.'; choose one by its prefix (--weights-prefix)"
        ), "\(several.errors)")
      let chosen = try train("chosen", ["--weights", file, "--weights-prefix", "decoder"])
      #expect(chosen.status == 0, "\(chosen.errors)")
      let model = try Safetensors(mapping: folder + "/chosen/model.safetensors").arrays
      let expected = try #require(arrays["decoder.weight_hh_l1"]?.tensor(of: Float.self))
      #expect(
        model["layers.1.recurrent_weights"]?.tensor(of: Float.self).elements.sorted()
          == expected.elements.sorted())
      let unknown = try train("unknown", ["--weights", file, "--weights-prefix", "decodr."])
      #expect(unknown.errors.contains("did you mean 'decoder.'? (--weights-prefix)"))
      let alone = try train("alone", ["--weights-prefix", "decoder."])
      #expect(alone.status != 0)
      #expect(
        alone.errors.contains("--weights-prefix: expected a file of weights to choose from"),
        "\(alone.errors)")
    }
  }

  @Test("Options for what a file leaves open are refused where it leaves nothing open")
  func nothingOpen() throws {
    try withTemporaryFolder { folder in
      let (graph, own) = (files + "/torch_export_stack.onnx", folder + "/own.npz")
      #expect(
        try command.run(["convert", files + "/torch_gru_stack.pt", own]).status == 0)
      for (path, sentence) in [
        (
          graph,
          "--activation: expected a file that leaves this open, found an ONNX model, \(graph)"
        ),
        (
          own,
          "\(own): a file of Unroll's holds one network with all its settings; leave --activation, --prefix out"
        ),
      ] {
        for arguments in [
          ["inspect", path], ["convert", path, folder + "/o.npz"],
          ["lab", "memory", "--weights", path],
        ] {
          let outcome = try command.run(arguments + ["--prefix", "x", "--activation", "relu"])
          #expect(outcome.status != 0)
          #expect(outcome.errors.contains(sentence), "\(arguments): \(outcome.errors)")
        }
      }
    }
  }
}
