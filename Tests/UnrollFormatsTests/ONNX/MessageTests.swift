// The messages of ONNX: their fields have onnx.proto's numbers and kinds.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("ONNX's messages")
struct MessageTests {
  /// A model in which every field of every message is set.
  static var everything: ModelProto {
    let tensor = TensorProto.with {
      $0.dims = [2, 300]
      $0.dataType = 7
      $0.floatData = [0.5, -2]
      $0.int32Data = [-1, 70000]
      $0.int64Data = [.min, 5]
      $0.name = "tensor"
      $0.rawData = [1, 2, 255]
      $0.doubleData = [0.25]
      $0.uint64Data = [.max]
      $0.externalData = [
        StringStringEntryProto.with {
          $0.key = "offset"
          $0.value = "16"
        }
      ]
      $0.dataLocation = 1
    }
    let attribute = AttributeProto.with {
      $0.name = "attribute"
      $0.f = 1.5
      $0.i = -3
      $0.s = ArraySlice("word".utf8)
      $0.t = tensor
      $0.g = UnreadMessage(
        GraphProto.with {
          $0.name = "branch"
        })
      $0.floats = [1, 2]
      $0.ints = [-1, 300]
      $0.strings = [ArraySlice("a".utf8), []]
      $0.type = 4
    }
    let node = NodeProto.with {
      $0.input = ["x", ""]
      $0.output = ["y"]
      $0.name = "node"
      $0.opType = "GRU"
      $0.attribute = [attribute]
      $0.domain = "ai.onnx"
    }
    let shape = TensorShapeProto.with {
      $0.dim = [
        TensorShapeProto.Dimension.with {
          $0.value = .dimValue(7)
        },
        TensorShapeProto.Dimension.with {
          $0.value = .dimParam("batch")
        }, TensorShapeProto.Dimension(),
      ]
    }
    func info(_ name: String) -> ValueInfoProto {
      ValueInfoProto.with {
        $0.name = name
        $0.type = TypeProto.with {
          $0.tensorType = TensorTypeProto.with {
            $0.elemType = 1
            $0.shape = shape
          }
        }
      }
    }
    return ModelProto.with {
      $0.irVersion = 8
      $0.producerName = "unroll"
      $0.producerVersion = "1"
      $0.graph = GraphProto.with {
        $0.node = [node]
        $0.name = "graph"
        $0.initializer = [tensor]
        $0.input = [info("x")]
        $0.output = [info("y")]
        $0.sparseInitializer = [unread([10, 2, 16, 1])]
      }
      $0.opsetImport = [
        OperatorSetIdProto.with {
          $0.domain = "d"
          $0.version = 14
        }
      ]
      $0.metadataProps = [
        StringStringEntryProto.with {
          $0.key = "k"
          $0.value = "v"
        }
      ]
      $0.functions = [unread([10, 1, 0x66])]
    }
  }

  private static func unread(_ bytes: ArraySlice<UInt8>) -> UnreadMessage {
    var message = UnreadMessage()
    message.bytes = bytes
    return message
  }

  @Test("Every field of every message is written and read again")
  func roundTrip() throws {
    let model = Self.everything
    let again = try ModelProto(serialized: model.serialized()[...])
    #expect(again == model)
    let node = try #require(again.graph.node.first)
    let attribute = try #require(node.attribute.first)
    let info = try #require(again.graph.input.first)
    // None was forgotten above.
    for (full, empty) in [
      (again, ModelProto()), (again.graph, GraphProto()), (node, NodeProto()),
      (attribute, AttributeProto()), (try #require(attribute.t), TensorProto()),
      (again.opsetImport[0], OperatorSetIdProto()),
      (again.metadataProps[0], StringStringEntryProto()), (info, ValueInfoProto()),
      (info.type, TypeProto()), (info.type.tensorType, TensorTypeProto()),
      (try #require(info.type.tensorType.shape), TensorShapeProto()),
      (try #require(info.type.tensorType.shape?.dim.first), TensorShapeProto.Dimension()),
    ] as [(Any, Any)] {
      let fields = zip(Mirror(reflecting: full).children, Mirror(reflecting: empty).children)
      for (field, missing) in fields {
        #expect(
          "\(field.value)" != "\(missing.value)", "\(type(of: full)).\(field.label ?? "")")
      }
    }
  }

  @Test("Of an axis's number and name, the last that is given holds")
  func dimensions() throws {
    func dimension(_ bytes: [UInt8]) throws -> TensorShapeProto.Dimension.Value? {
      try TensorShapeProto.Dimension(serialized: bytes[...]).value
    }
    #expect(try dimension([8, 3, 18, 1, 0x6E]) == .dimParam("n"))
    #expect(try dimension([18, 1, 0x6E, 8, 3]) == .dimValue(3))
    #expect(try dimension([8, 3, 18, 1, 0x6E, 8, 3]) == .dimValue(3))
    #expect(try dimension([18, 1, 0x6E, 8, 3, 18, 1, 0x6E]) == .dimParam("n"))
    #expect(try dimension([8, 0]) == .dimValue(0))
    #expect(try dimension([]) == nil)
  }

  @Test(
    "onnx reads the same fields, and what it writes is the same model",
    .needs(.python))
  func python() throws {
    let model = Self.everything
    try withTemporaryFolder { folder in
      try AtomicFile.write(model.serialized(), to: folder + "/m.onnx")
      let (status, printed) = try runScript(
        "onnx_messages.py", #require(preparedPython()), [folder + "/m.onnx", folder + "/copy.onnx"])
      #expect(status == 0)
      let copy = try AtomicFile.read(folder + "/copy.onnx")
      #expect(try ModelProto(serialized: copy[...]) == model)
      let text = String(decoding: printed, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        .joined(separator: " ")
      #expect(text == Self.printed.split(whereSeparator: \.isWhitespace).joined(separator: " "))
    }
  }

  private static let tensor = #"""
    dims: 2 dims: 300 data_type: 7 float_data: 0.5 float_data: -2.0 int32_data: -1
    int32_data: 70000 int64_data: -9223372036854775808 int64_data: 5 name: "tensor"
    raw_data: "\001\002\377" double_data: 0.25 uint64_data: 18446744073709551615
    external_data { key: "offset" value: "16" } data_location: EXTERNAL
    """#

  private static let typeText = #"""
    type { tensor_type { elem_type: 1
      shape { dim { dim_value: 7 } dim { dim_param: "batch" } dim { } } } }
    """#

  private static let printed = #"""
    ir_version: 8 producer_name: "unroll" producer_version: "1"
    graph {
      node {
        input: "x" input: "" output: "y" name: "node" op_type: "GRU"
        attribute {
          name: "attribute" f: 1.5 i: -3 s: "word" t { \#(tensor) } g { name: "branch" }
          floats: 1.0 floats: 2.0 ints: -1 ints: 300 strings: "a" strings: "" type: TENSOR
        }
        domain: "ai.onnx"
      }
      name: "graph"
      initializer { \#(tensor) }
      input { name: "x" \#(typeText) }
      output { name: "y" \#(typeText) }
      sparse_initializer { values { data_type: 1 } }
    }
    opset_import { domain: "d" version: 14 }
    metadata_props { key: "k" value: "v" }
    functions { name: "f" }
    """#

  @Test("A damaged model says where, in the file and in a branch of an If")
  func damaged() throws {
    func refusal(_ body: () throws -> Void) -> String {
      let error = #expect(throws: ONNXError.self) { try body() }
      return error?.description ?? "accepted"
    }
    let cut = refusal { _ = try ONNXModel([8, 8, 0x3A, 9, 10]) }
    #expect(
      cut == """
        the model is malformed: expected protocol buffers of the message ModelProto; \
        byte 4: expected 9 bytes, found 1; the file is truncated
        """)
    let page = refusal { _ = try ONNXModel(Array("<html>".utf8)) }
    #expect(
      page == """
        the model is malformed: expected protocol buffers of the message ModelProto; \
        byte 0: field 7 of ModelProto is a group (wire type 4)
        """)
    let tensor = refusal { _ = try ONNXValue<Float>(tensor: [8]) }
    #expect(tensor.contains("of the message TensorProto; byte 1: expected 1 bytes, found 0"))
    // A branch that is no graph, between two layers.
    var graph = GraphBuilder()
    graph.input("flag", [1], .bool)
    graph.gru("x", to: "y1", features: 3)
    graph.integers("one", [1])
    var other = GraphBuilder.branch(
      "else_branch", GraphBuilder.node("Squeeze", ["y1", "one"], ["s"]))
    let then = GraphBuilder.branch(
      "then_branch", GraphBuilder.node("Squeeze", ["y1", "one"], ["s"]))
    other.g?.bytes.removeLast()
    graph.node("If", "flag", to: "q", with: [then, other])
    graph.gru("q", to: "y2", features: 4)
    graph.output("y2")
    let model = try graph.encoded()
    let branch = refusal { _ = try model.network(as: Float.self) }
    #expect(
      branch.contains("expected protocol buffers of the message GraphProto; byte"), "\(branch)")
    #expect(branch.hasPrefix("node "), "\(branch)")
    #expect(branch.hasSuffix("the file is truncated"), "\(branch)")
  }

  @Test("A constant without its tensor is refused by the attribute's name")
  func constant() throws {
    for type in ["Constant", "ConstantOfShape"] {
      var graph = GraphBuilder()
      graph.model.graph.input = []
      graph.integers("size", [1])
      var value = AttributeProto()
      value.name = "value"
      graph.node(type, "size", to: "y", with: [value])
      graph.output("y")
      let model = try graph.encoded()
      let error = #expect(throws: ONNXError.self) {
        try model.run([String: ONNXValue<Float>]())
      }
      #expect(
        error?.description
          == "node '0' (\(type)): the model is malformed: expected a tensor as the attribute 'value'"
      )
    }
  }

  @Test("A model of more than 2 GB is refused before it is written")
  func size() throws {
    // 40 arrays of the same 64 MB.
    let data = TensorProto.with {
      $0.rawData = [UInt8](repeating: 0, count: 1 << 26)[...]
    }
    let model = ModelProto.with {
      $0.graph = GraphProto.with {
        $0.initializer = Array(repeating: data, count: 40)
      }
    }
    let error = #expect(throws: ONNXError.self) { try ONNXModel(model).encoded() }
    #expect(
      error?.description
        == "a model of 2684354966 bytes, where 2147483647 are the most, is not supported")
  }
}
