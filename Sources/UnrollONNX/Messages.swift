// The messages of an ONNX file, under onnx.proto's names: the fields that recurrent models need, by
// onnx.proto's numbers. All other fields are passed over.
//
// Source: onnx/onnx.proto, IR version 10.

internal import UnrollFormats

/// A model.
struct ModelProto: ProtocolMessage {
  var irVersion: Int64 = 0
  var producerName = ""
  var producerVersion = ""
  var graph = GraphProto()
  var opsetImport: [OperatorSetIdProto] = []
  var metadataProps: [StringStringEntryProto] = []
  /// Refused, if there are any.
  var functions: [UnreadMessage] = []

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
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
struct OperatorSetIdProto: ProtocolMessage {
  var domain = ""
  var version: Int64 = 0

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &domain)
    try fields.field(2, &version)
  }
}

/// A key and its value.
struct StringStringEntryProto: ProtocolMessage {
  var key = ""
  var value = ""

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &key)
    try fields.field(2, &value)
  }
}

/// A graph of operators.
struct GraphProto: ProtocolMessage {
  var node: [NodeProto] = []
  var name = ""
  var initializer: [TensorProto] = []
  var input: [ValueInfoProto] = []
  var output: [ValueInfoProto] = []
  /// Refused, if there are any.
  var sparseInitializer: [UnreadMessage] = []

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &node)
    try fields.field(2, &name)
    try fields.field(5, &initializer)
    try fields.field(11, &input)
    try fields.field(12, &output)
    try fields.field(15, &sparseInitializer)
  }
}

/// One operator of a graph.
struct NodeProto: ProtocolMessage {
  var input: [String] = []
  var output: [String] = []
  var name = ""
  var opType = ""
  var attribute: [AttributeProto] = []
  var domain = ""

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &input)
    try fields.field(2, &output)
    try fields.field(3, &name)
    try fields.field(4, &opType)
    try fields.field(5, &attribute)
    try fields.field(7, &domain)
  }
}

/// A setting of an operator.
struct AttributeProto: ProtocolMessage {
  var name = ""
  var f: Float?
  var i: Int64?
  var s: ArraySlice<UInt8>?
  var t: TensorProto?
  /// A graph: only a branch that is needed is read.
  var g: UnreadMessage?
  var floats: [Float] = []
  var ints: [Int64] = []
  var strings: [ArraySlice<UInt8>] = []
  var type: Int32 = 0

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
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

/// An array: its numbers stand in one of six fields, or in another file.
struct TensorProto: ProtocolMessage {
  var dims: [Int64] = []
  var dataType: Int32 = 0
  var floatData: [Float] = []
  var int32Data: [Int32] = []
  var int64Data: [Int64] = []
  var name = ""
  var rawData: ArraySlice<UInt8>?
  var doubleData: [Double] = []
  var uint64Data: [UInt64] = []
  var externalData: [StringStringEntryProto] = []
  var dataLocation: Int32 = 0

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
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

/// What goes into a graph or comes out.
struct ValueInfoProto: ProtocolMessage {
  var name = ""
  var type = TypeProto()

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &name)
    try fields.field(2, &type)
  }
}

/// The type of a value; no type but that of tensors is read.
struct TypeProto: ProtocolMessage {
  var tensorType = TensorTypeProto()

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &tensorType)
  }
}

/// `TypeProto.Tensor`: what is declared of a tensor.
struct TensorTypeProto: ProtocolMessage {
  var elemType: Int32 = 0
  /// Absent where not even the number of axes is declared.
  var shape: TensorShapeProto?

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &elemType)
    try fields.field(2, &shape)
  }
}

/// The axes of a value.
struct TensorShapeProto: ProtocolMessage {
  var dim: [Dimension] = []

  mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
    try fields.field(1, &dim)
  }

  /// The size of an axis.
  struct Dimension: ProtocolMessage {
    enum Value: Equatable, Sendable {
      case dimValue(Int64)
      case dimParam(String)
    }

    /// A number or a name; absent where neither is declared.
    var value: Value?

    mutating func visit<Fields: FieldVisitor>(_ fields: inout Fields) throws(Fields.Failure) {
      // Of the two, the last that is given holds.
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
