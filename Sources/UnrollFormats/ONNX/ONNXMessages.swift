// The messages of an ONNX file, under onnx.proto's names: the fields that recurrent models need, by
// onnx.proto's numbers. All other fields are skipped.
//
// Source: onnx/onnx.proto, IR version 10.

/// A model.
package struct ModelProto: ProtocolMessage {
  package var irVersion: Int64 = 0
  package var producerName = ""
  package var producerVersion = ""
  package var graph = GraphProto()
  package var opsetImport: [OperatorSetIdProto] = []
  package var metadataProps: [StringStringEntryProto] = []
  /// Refused, if there are any.
  package var functions: [UnreadMessage] = []

  package init() {}

  package mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &irVersion)
    try fields.field(2, &producerName)
    try fields.field(3, &producerVersion)
    try fields.field(7, &graph)
    try fields.field(8, &opsetImport)
    try fields.field(14, &metadataProps)
    try fields.field(25, &functions)
  }
}

/// The version of a domain's operators.
package struct OperatorSetIdProto: ProtocolMessage {
  package var domain = ""
  package var version: Int64 = 0

  package init() {}

  package mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &domain)
    try fields.field(2, &version)
  }
}

/// A key and its value.
package struct StringStringEntryProto: ProtocolMessage {
  package var key = ""
  package var value = ""

  package init() {}

  package mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &key)
    try fields.field(2, &value)
  }
}

/// A graph of operators.
package struct GraphProto: ProtocolMessage {
  package var node: [NodeProto] = []
  package var name = ""
  package var initializer: [TensorProto] = []
  package var input: [ValueInfoProto] = []
  package var output: [ValueInfoProto] = []
  /// Refused, if there are any.
  package var sparseInitializer: [UnreadMessage] = []

  package init() {}

  package mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &node)
    try fields.field(2, &name)
    try fields.field(5, &initializer)
    try fields.field(11, &input)
    try fields.field(12, &output)
    try fields.field(15, &sparseInitializer)
  }
}

/// One operator of a graph.
package struct NodeProto: ProtocolMessage {
  package var input: [String] = []
  package var output: [String] = []
  package var name = ""
  package var opType = ""
  package var attribute: [AttributeProto] = []
  package var domain = ""

  package init() {}

  package mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &input)
    try fields.field(2, &output)
    try fields.field(3, &name)
    try fields.field(4, &opType)
    try fields.field(5, &attribute)
    try fields.field(7, &domain)
  }
}

/// A setting of an operator.
package struct AttributeProto: ProtocolMessage {
  package var name = ""
  package var f: Float?
  package var i: Int64?
  package var s: ArraySlice<UInt8>?
  package var t: TensorProto?
  /// A graph: only a branch that is needed is read.
  package var g: UnreadMessage?
  package var floats: [Float] = []
  package var ints: [Int64] = []
  package var strings: [ArraySlice<UInt8>] = []
  package var type: Int32 = 0

  package init() {}

  package mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &name)
    try fields.field(2, &f)
    try fields.field(3, &i)
    try fields.field(4, &s)
    try fields.field(5, &t)
    try fields.field(6, &g)
    try fields.field(7, &floats)
    try fields.field(8, &ints)
    try fields.field(9, &strings)
    try fields.field(20, &type)
  }
}

/// An array: its numbers are in one of six fields, or in another file.
package struct TensorProto: ProtocolMessage {
  package var dims: [Int64] = []
  package var dataType: Int32 = 0
  package var floatData: [Float] = []
  package var int32Data: [Int32] = []
  package var int64Data: [Int64] = []
  package var name = ""
  package var rawData: ArraySlice<UInt8>?
  package var doubleData: [Double] = []
  package var uint64Data: [UInt64] = []
  package var externalData: [StringStringEntryProto] = []
  package var dataLocation: Int32 = 0

  package init() {}

  package mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &dims)
    try fields.field(2, &dataType)
    try fields.field(4, &floatData)
    try fields.field(5, &int32Data)
    try fields.field(7, &int64Data)
    try fields.field(8, &name)
    try fields.field(9, &rawData)
    try fields.field(10, &doubleData)
    try fields.field(11, &uint64Data)
    try fields.field(13, &externalData)
    try fields.field(14, &dataLocation)
  }
}

/// An input or output of a graph.
package struct ValueInfoProto: ProtocolMessage {
  package var name = ""
  package var type = TypeProto()

  package init() {}

  package mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &name)
    try fields.field(2, &type)
  }
}

/// The type of a value; no type but that of tensors is read.
package struct TypeProto: ProtocolMessage {
  package var tensorType = TensorTypeProto()

  package init() {}

  package mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &tensorType)
  }
}

/// `TypeProto.Tensor`: what is declared of a tensor.
package struct TensorTypeProto: ProtocolMessage {
  package var elemType: Int32 = 0
  /// Absent if not even the number of axes is declared.
  package var shape: TensorShapeProto?

  package init() {}

  package mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &elemType)
    try fields.field(2, &shape)
  }
}

/// The axes of a value.
package struct TensorShapeProto: ProtocolMessage {
  package var dim: [Dimension] = []

  package init() {}

  package mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &dim)
  }

  /// The size of an axis.
  package struct Dimension: ProtocolMessage {
    package enum Value: Equatable, Sendable {
      case dimValue(Int64)
      case dimParam(String)
    }

    /// A number or a name; absent where neither is declared.
    package var value: Value?

    package init() {}

    package mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure)
    {
      // If both are given, the last one counts.
      var (number, name) = (Int64?.none, String?.none)
      switch value {
      case .dimValue(let value): number = value
      case .dimParam(let value): name = value
      case nil: break
      }
      let before = (number, name)
      try fields.field(1, &number)
      try fields.field(2, &name)
      if let number, number != before.0 { value = .dimValue(number) }
      if let name, name != before.1 { value = .dimParam(name) }
    }
  }
}

extension ProtocolMessage {
  /// A message whose fields a closure sets.
  package static func with(_ set: (inout Self) -> Void) -> Self {
    var message = Self()
    set(&message)
    return message
  }
}
