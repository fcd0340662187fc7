// Cases whose parameters have Unroll's names and layout.

internal import Unroll
internal import UnrollFormats

/// A cell with arrays W `[D, G·H]`, U `[H, G·H]` and b `[G·H]`, with the names of Unroll's parameters.
struct OwnParameters: CellConvention {
  let kind: CellKind
  let options: CellOptions

  func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> Cell<Scalar> {
    let input = try array("inputWeights", in: arrays, shape: [nil, nil])
    let (inputSize, width) = (input.shape[0], input.shape[1])
    let size = width / kind.gates.count
    guard size > 0, width % kind.gates.count == 0 else {
      throw ModelImportError(
        .wrongShape(expected: [inputSize, kind.gates.count], found: input.shape),
        name: "inputWeights")
    }
    let recurrent = try array("recurrentWeights", in: arrays, shape: [size, width])
    let bias = try array("bias", in: arrays, shape: [width])
    var parameters = CellParameters<Scalar>(
      gates: kind.gates, inputSize: inputSize, hiddenSize: size)
    parameters.inputWeights = input
    parameters.recurrentWeights = recurrent
    parameters.bias = bias
    return Cell(kind, parameters: parameters, options: options)
  }

  func arrays<Scalar: KernelScalar>(
    from parameters: CellParameters<Scalar>, role: ParameterRole
  ) -> [String: Tensor<Scalar>] {
    Dictionary(uniqueKeysWithValues: parameters.names.map { ($0, parameters[$0]) })
  }
}
