// Small graphs for tests, as an exporter might write them.

import Foundation
import Testing
import Unroll
import UnrollTestSupport

@testable import UnrollONNX

#if ONNX
/// A graph under construction: input x `[T, B, 3]`, recurrent layers of random weights, output y.
struct GraphBuilder {
  var model = Unroll_Onnx_Model()
  private var random = NumPyRandom(seed: 25)

  /// Creates a graph that reads `x` of some sizes; 0 declares none.
  init(x: [Int] = [0, 0, 3], type: ONNXType = .float) {
    var version = Unroll_Onnx_Opset()
    version.version = 17
    model.opsetImport = [version]
    input("x", x, type)
  }

  /// Declares an input; axes of size 0 are open.
  mutating func input(_ name: String, _ shape: [Int], _ type: ONNXType = .float) {
    var info = Unroll_Onnx_ValueInfo()
    info.name = name
    info.type.tensorType.elemType = type.rawValue
    info.type.tensorType.shape.dim = shape.enumerated().map { axis, size in
      var dimension = Unroll_Onnx_Dimension()
      if size > 0 {
        dimension.dimValue = Int64(size)
      } else {
        dimension.dimParam = ["time", "batch", "features"][min(axis, 2)]
      }
      return dimension
    }
    model.graph.input.append(info)
  }

  mutating func output(_ name: String) {
    var info = Unroll_Onnx_ValueInfo()
    info.name = name
    model.graph.output.append(info)
  }

  mutating func integers(_ name: String, _ values: [Int], shape: [Int]? = nil) {
    let array = NDArray(shape: shape ?? [values.count], elements: values)
    model.graph.initializer.append(ONNXValue<Float>.integers(array).data(named: name))
  }

  mutating func numbers(_ name: String, _ shape: [Int]) {
    model.graph.initializer.append(ONNXValue(drawn(shape)).data(named: name))
  }

  mutating func drawn(_ shape: [Int]) -> Tensor<Float> { uniform(shape, &random) }

  mutating func node(
    _ type: String, _ inputs: String..., to outputs: String..., domain: String = "",
    with attributes: [Unroll_Onnx_Attribute] = []
  ) {
    model.graph.node.append(
      Self.node(type, inputs, outputs, domain: domain, attributes))
  }

  static func node(
    _ type: String, _ inputs: [String], _ outputs: [String], domain: String = "",
    _ attributes: [Unroll_Onnx_Attribute] = []
  ) -> Unroll_Onnx_Node {
    var node = Unroll_Onnx_Node()
    (node.opType, node.input, node.output) = (type, inputs, outputs)
    (node.attribute, node.domain) = (attributes, domain)
    return node
  }

  /// A GRU of 4 units with weights of its own; its output is `[T, directions, B, 4]`.
  mutating func gru(
    _ x: String, to y: String, features: Int, directions: Int = 1, more: [String] = [],
    _ attributes: [Unroll_Onnx_Attribute] = []
  ) {
    for (array, shape) in [("W", [12, features]), ("R", [12, 4]), ("B", [24])] {
      numbers("\(array) \(y)", [directions] + shape)
    }
    let way = directions == 2 ? [Unroll_Onnx_Attribute.word("direction", "bidirectional")] : []
    model.graph.node.append(
      Self.node(
        "GRU", [x, "W \(y)", "R \(y)", "B \(y)"] + more, [y, "\(y) final"], way + attributes))
  }

  /// A branch of an If: one node, whose output is the branch's.
  static func branch(_ name: String, _ node: Unroll_Onnx_Node) throws -> Unroll_Onnx_Attribute {
    var graph = Unroll_Onnx_Graph()
    graph.node = [node]
    var info = Unroll_Onnx_ValueInfo()
    info.name = node.output[0]
    graph.output = [info]
    var attribute = Unroll_Onnx_Attribute()
    (attribute.name, attribute.type) = (name, 5)
    attribute.g = try graph.serializedBytes()
    return attribute
  }

  /// The model as a file holds it.
  func encoded() throws -> ONNXModel { try ONNXModel(ONNXModel(model).encoded()) }
}
#endif
