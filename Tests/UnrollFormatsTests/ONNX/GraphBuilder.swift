// Small graphs for tests, as an exporter might write them.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

/// A graph under construction: input x `[T, B, 3]`, recurrent layers of random weights, output y.
struct GraphBuilder {
  var model = ModelProto()
  private var random = NumPyRandom(seed: 25)

  /// Creates a graph that reads `x` of some sizes; 0 declares none.
  init(x: [Int] = [0, 0, 3], type: ONNXType = .float) {
    var version = OperatorSetIdProto()
    version.version = 17
    model.opsetImport = [version]
    input("x", x, type)
  }

  /// Declares an input; axes of size 0 are open.
  mutating func input(_ name: String, _ shape: [Int], _ type: ONNXType = .float) {
    var info = ValueInfoProto()
    info.name = name
    info.type.tensorType.elemType = type.rawValue
    info.type.tensorType.shape = TensorShapeProto.with {
      $0.dim = shape.enumerated().map { axis, size in
        let name = ["time", "batch", "features"][min(axis, 2)]
        return TensorShapeProto.Dimension.with {
          $0.value = size > 0 ? .dimValue(Int64(size)) : .dimParam(name)
        }
      }
    }
    model.graph.input.append(info)
  }

  mutating func output(_ name: String) {
    var info = ValueInfoProto()
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
    with attributes: [AttributeProto] = []
  ) {
    model.graph.node.append(
      Self.node(type, inputs, outputs, domain: domain, attributes))
  }

  static func node(
    _ type: String, _ inputs: [String], _ outputs: [String], domain: String = "",
    _ attributes: [AttributeProto] = []
  ) -> NodeProto {
    var node = NodeProto()
    (node.opType, node.input, node.output) = (type, inputs, outputs)
    (node.attribute, node.domain) = (attributes, domain)
    return node
  }

  /// A GRU of 4 units with weights of its own; its output is `[T, directions, B, 4]`.
  mutating func gru(
    _ x: String, to y: String, features: Int, directions: Int = 1, more: [String] = [],
    _ attributes: [AttributeProto] = []
  ) {
    for (array, shape) in [("W", [12, features]), ("R", [12, 4]), ("B", [24])] {
      numbers("\(array) \(y)", [directions] + shape)
    }
    let way = directions == 2 ? [AttributeProto.word("direction", "bidirectional")] : []
    model.graph.node.append(
      Self.node(
        "GRU", [x, "W \(y)", "R \(y)", "B \(y)"] + more, [y, "\(y) final"], way + attributes))
  }

  /// A branch of an If: one node, whose output is the branch's.
  static func branch(_ name: String, _ node: NodeProto) -> AttributeProto {
    var graph = GraphProto()
    graph.node = [node]
    var info = ValueInfoProto()
    info.name = node.output[0]
    graph.output = [info]
    var attribute = AttributeProto()
    (attribute.name, attribute.type) = (name, 5)
    attribute.g = UnreadMessage(graph)
    return attribute
  }

  /// The model as a file holds it.
  func encoded() throws -> ONNXModel { try ONNXModel(ONNXModel(model).encoded()) }
}
