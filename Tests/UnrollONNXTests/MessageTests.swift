// The messages of ONNX: their fields have onnx.proto's numbers and kinds.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@testable import UnrollONNX

@Suite("ONNX's messages")
struct MessageTests {
  /// A model in which every field of every message is set.
  static var everything: ModelProto {
    let tensor = TensorProto(
      dims: [2, 300], dataType: 7, floatData: [0.5, -2], int32Data: [-1, 70000],
      int64Data: [.min, 5], name: "tensor", rawData: [1, 2, 255], doubleData: [0.25],
      uint64Data: [.max], externalData: [StringStringEntryProto(key: "offset", value: "16")],
      dataLocation: 1)
    let attribute = AttributeProto(
      name: "attribute", f: 1.5, i: -3, s: ArraySlice("word".utf8), t: tensor,
      g: UnreadMessage(GraphProto(name: "branch")), floats: [1, 2], ints: [-1, 300],
      strings: [ArraySlice("a".utf8), []], type: 4)
    let node = NodeProto(
      input: ["x", ""], output: ["y"], name: "node", opType: "GRU", attribute: [attribute],
      domain: "ai.onnx")
    let shape = TensorShapeProto(
      dim: [
        TensorShapeProto.Dimension(value: .dimValue(7)),
        TensorShapeProto.Dimension(value: .dimParam("batch")), TensorShapeProto.Dimension(),
      ])
    func info(_ name: String) -> ValueInfoProto {
      ValueInfoProto(
        name: name, type: TypeProto(tensorType: TensorTypeProto(elemType: 1, shape: shape)))
    }
    return ModelProto(
      irVersion: 8, producerName: "unroll", producerVersion: "1",
      graph: GraphProto(
        node: [node], name: "graph", initializer: [tensor], input: [info("x")],
        output: [info("y")],
        // SparseTensorProto: values = 1.
        sparseInitializer: [unread([10, 2, 16, 1])]),
      opsetImport: [OperatorSetIdProto(domain: "d", version: 14)],
      metadataProps: [StringStringEntryProto(key: "k", value: "v")],
      // FunctionProto: name = 1.
      functions: [unread([10, 1, 0x66])])
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
    .enabled(
      if: preparedPython() != nil, "UNROLL_PYTHON is not set: ./run test sets it where pip works"))
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
    let data = TensorProto(rawData: [UInt8](repeating: 0, count: 1 << 26)[...])
    let model = ModelProto(graph: GraphProto(initializer: Array(repeating: data, count: 40)))
    let error = #expect(throws: ONNXError.self) { try ONNXModel(model).encoded() }
    #expect(
      error?.description
        == "a model of 2684354966 bytes, where 2147483647 are the most, is not supported")
  }
}
