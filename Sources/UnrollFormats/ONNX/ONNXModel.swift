// A model: its graph, inputs, outputs and metadata, and its evaluation.

public import Unroll

/// An ONNX model.
public struct ONNXModel: Sendable {
  package var model: ModelProto

  /// The files with external data that were read, relative to the model's folder.
  public internal(set) var externalFiles: [String] = []

  /// Reads a model.
  ///
  /// - Throws: `ONNXError` for bytes that are no model, or one that needs other files or functions.
  public init(_ bytes: [UInt8]) throws(ONNXError) {
    let model = try ModelProto(reading: bytes[...])
    guard !model.graph.output.isEmpty else {
      throw ONNXError(.malformed("expected a graph with outputs"))
    }
    guard model.functions.isEmpty else { throw ONNXError(.unsupported("a model with functions")) }
    guard model.graph.sparseInitializer.isEmpty else {
      throw ONNXError(.unsupported("a sparse initializer"))
    }
    self.model = model
    self.model.graph.node = try model.graph.orderedNodes()
  }

  package init(_ model: ModelProto) { self.model = model }

  /// The file's bytes.
  public func encoded() throws(ONNXError) -> [UInt8] {
    let size = model.serializedCount
    guard size <= Int32.max else {
      throw ONNXError(.unsupported("a model of \(size) bytes, where \(Int32.max) are the most,"))
    }
    return model.serialized()
  }

  /// The version of ONNX's own operators.
  public var opset: Int {
    Int(
      clamping: model.opsetImport.first { $0.domain.isEmpty || $0.domain == "ai.onnx" }?.version
        ?? 1)
  }

  /// The metadata of the model.
  public var metadata: [String: String] {
    Dictionary(
      model.metadataProps.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
  }

  /// The inputs of a run: those of the graph that are not initializers.
  public var inputs: [String] {
    let fixed = Set(model.graph.initializer.map(\.name))
    return model.graph.input.map(\.name).filter { !fixed.contains($0) }
  }

  /// The outputs of the graph.
  public var outputs: [String] { model.graph.output.map(\.name) }

  /// The operators of the graph, in their order; those of other domains than ONNX's own as `domain::operator`.
  public var operators: [String] { model.graph.node.map(\.word) }

  /// Whether any of its numbers are float64.
  public var isDouble: Bool {
    model.graph.initializer.contains { $0.dataType == ONNXType.double.rawValue }
      || model.graph.input.contains { $0.type.tensorType.elemType == ONNXType.double.rawValue }
  }

  /// Runs the graph.
  ///
  /// - Parameter inputs: A value for each of `inputs`.
  /// - Returns: The value of each of `outputs`.
  /// - Throws: `ONNXError` for what Unroll does not have, or values that do not fit.
  public func run<Scalar: KernelScalar>(
    _ inputs: [String: ONNXValue<Scalar>]
  ) throws(ONNXError) -> [String: ONNXValue<Scalar>] {
    let values: [String: ONNXValue<Scalar>]
    do {
      values = try ONNXLimits.$numbers.withValue(limit(inputs)) {
        // The shapes in a file's self-test have not been checked yet.
        for value in inputs.values { _ = try NDArray<Int>.count(value.shape) }
        return try computed(inputs)
      }
    } catch let error as ONNXError {
      throw error
    } catch {
      throw ONNXError(.malformed("\(error)"))
    }
    var results: [String: ONNXValue<Scalar>] = [:]
    for name in outputs {
      guard let value = values[name] else { throw ONNXError(.missing(name)) }
      results[name] = value
    }
    return results
  }

  /// The maximum number of elements of a value in a run.
  private func limit<Scalar>(_ inputs: [String: ONNXValue<Scalar>]) -> Int {
    // A tensor's bytes bound its numbers, whatever its shape says.
    let stored = model.graph.initializer.reduce(0) { $0 + $1.byteCount }
    return ONNXLimits.limit(given: inputs.values.reduce(stored) { $0 + $1.count })
  }

  /// Every value of a run.
  private func computed<Scalar: KernelScalar>(
    _ inputs: [String: ONNXValue<Scalar>]
  ) throws(ONNXError) -> [String: ONNXValue<Scalar>] {
    var values = inputs
    for name in self.inputs where inputs[name] == nil {
      throw ONNXError(.missing(name))
    }
    for data in model.graph.initializer where values[data.name] == nil {
      values[data.name] = try ONNXValue(data)
    }
    let operators = GraphOperator<Scalar>.table
    var (total, work) = (0, 0)
    for (index, node) in model.graph.node.enumerated() {
      let word = node.title(index)
      do throws(ONNXError) {
        guard node.isStandard else {
          throw ONNXError(.unsupported("an operator of \(node.domain)"))
        }
        work += node.input.reduce(0) { $0 + (values[$1]?.count ?? 0) }
        guard work <= ONNXLimits.work else {
          throw ONNXError(
            .wrongValue("expected nodes that read at most \(ONNXLimits.work) numbers in all"))
        }
        let results = try NodeRun(node, opset: opset, values, operators).results()
        for (name, value) in zip(node.output, results) where !name.isEmpty {
          guard let value else { continue }
          values[name] = value
          total += value.count
        }
        guard total <= 2 * ONNXLimits.numbers else {
          throw ONNXError(
            .wrongValue("expected at most \(2 * ONNXLimits.numbers) numbers in all, found \(total)")
          )
        }
      } catch {
        throw ONNXError(error.problem, node: error.node.isEmpty ? word : error.node)
      }
    }
    return values
  }
}
