import Unroll

private let x = Tensor<Float>(shape: [2, 3])
/// Hides a value from the optimiser, which would otherwise remove unused results.
@inline(never) func use<T: ~Copyable>(_ value: borrowing T) { withExtendedLifetime(value) {} }

let tensorMisuses = [
  Misuse("tensor-elements", "Tensor.init: expected 4 elements for shape [2, 2], got 3.") {
    use(Tensor<Float>(shape: [2, 2], elements: [1, 2, 3]))
  },
  Misuse(
    "tensor-liar",
    "Tensor.init: expected 4 elements for shape [2, 2], got a collection that ends after 2."
  ) {
    use(Tensor<Float>(shape: [2, 2], elements: Liar(count: 4, given: 2)))
  },
  Misuse("tensor-rows", "Tensor.init: expected rows of 2 elements, got 1.") {
    use(Tensor<Float>(rows: [[1, 2], [3]]))
  },
  Misuse("tensor-negative", "Tensor.init: expected sizes of at least 0, got [2, -1].") {
    use(Tensor<Float>(shape: [2, -1]))
  },
  Misuse(
    "tensor-overflow",
    "Tensor.init: expected at most 72057594037927936 elements, got the shape [4294967296, 4294967296]."
  ) { use(Tensor<Float>(shape: [1 << 32, 1 << 32])) },
  Misuse(
    "tensor-overflow-empty",
    "Tensor.init: expected at most 72057594037927936 elements, got the shape [4611686018427387904, 4, 0]."
  ) { use(Tensor<Float>(shape: [1 << 62, 4, 0])) },
  Misuse(
    "tensor-memory",
    "Tensor: expected 18014398509481984 bytes of memory for 4503599627370496 elements, got fewer from the system; use smaller shapes."
  ) { use(Tensor<Float>(shape: [1 << 52])) },
  Misuse(
    "tensor-memory-16-TB",
    "Tensor: expected 17592186044416 bytes of memory for 4398046511104 elements, got fewer from the system; use smaller shapes."
  ) { use(Tensor<Float>(shape: [1 << 21, 1 << 21])) },
  Misuse("tensor-scalar", "Tensor.scalar: expected one element, got shape [2, 3].") {
    use(x.scalar)
  },
  Misuse("tensor-read", "Tensor.subscript: expected indices into shape [2, 3], got [2, 0].") {
    use(x[2, 0])
  },
  Misuse("tensor-write", "Tensor.subscript: expected indices into shape [2, 3], got [0, -1].") {
    var y = x
    y[0, -1] = 1
    use(y)
  },
  Misuse("tensor-axes", "Tensor.subscript: expected indices into shape [2, 3], got [1].") {
    use(x[1])
  },
  Misuse("tensor-none", "Tensor.subscript: expected indices into shape [0], got [0].") {
    use(Tensor<Float>(shape: [0])[0])
  },
  Misuse("tensor-three", "Tensor.subscript: expected indices into shape [2, 3], got [0, 0, 0].") {
    use(x[0, 0, 0])
  },
  Misuse("tensor-last", "Tensor.subscript: expected indices into shape [1, 2, 3], got [0, 1, 3].") {
    use(x.reshaped(to: [1, 2, 3])[0, 1, 3])
  },
  Misuse(
    "tensor-four", "Tensor.subscript: expected indices into shape [1, 2, 3, 1], got [0, 2, 0, 0]."
  ) {
    use(x.reshaped(to: [1, 2, 3, 1])[0, 2, 0, 0])
  },
  Misuse("tensor-array", "Tensor.subscript: expected indices into shape [2, 3], got [0, 3].") {
    use(x[[0, 3]])
  },
  Misuse(
    "tensor-part",
    "Tensor.subscript: expected indices into the first axes of shape [2, 3], got [2]."
  ) {
    use(x[2, ...])
  },
  Misuse(
    "tensor-part-of-two",
    "Tensor.subscript: expected indices into the first axes of shape [2, 3], got [0, -1]."
  ) {
    use(x[0, -1, ...])
  },
  Misuse("tensor-set-part", "Tensor.subscript: expected a part of shape [3], got [2].") {
    var y = x
    y[0, ...] = Tensor(shape: [2])
    use(y)
  },
  Misuse(
    "tensor-range",
    "Tensor.subscript: expected a range within axis 0 of shape [2, 3], got 1..<3."
  ) {
    use(x[1..<3])
  },
  Misuse(
    "tensor-range-open",
    "Tensor.subscript: expected a range within axis 1 of shape [2, 3], got 5..<3."
  ) {
    use(x[0..., 5...])
  },
  Misuse(
    "tensor-range-end",
    "Tensor.subscript: expected a range within axis 0 of shape [2, 3], got 0..<9223372036854775807."
  ) {
    use(x[0..<Int.max])
  },
  Misuse(
    "tensor-range-start",
    "Tensor.subscript: expected a range within axis 0 of shape [2, 3], got -9223372036854775808..<1."
  ) {
    use(x[Int.min..<1])
  },
  Misuse(
    "tensor-range-through",
    "Tensor.subscript: expected a range within axis 0 of shape [2, 3], got 0..<-1."
  ) {
    use(x[...(-2)])
  },
  Misuse(
    "tensor-range-axes",
    "Tensor.subscript: expected at most 2 ranges for shape [2, 3], got one for axis 2."
  ) {
    use(x[0..., 0..., 0...])
  },
  Misuse(
    "tensor-columns",
    "Tensor.subscript: expected a range within axis 1 of shape [2, 3], got 2..<4."
  ) {
    use(x[..., 2..<4])
  },
  Misuse(
    "tensor-set-columns",
    "Tensor.subscript: expected a range within axis 1 of shape [2, 3], got 9223372036854775807..<3."
  ) {
    var y = x
    y[..., Int.max...] = Tensor(shape: [2, 1])
    use(y)
  },
  Misuse("tensor-set-range", "Tensor.subscript: expected a part of shape [2, 1], got [2, 2].") {
    var y = x
    y[..., 2...] = Tensor(shape: [2, 2])
    use(y)
  },
  Misuse("tensor-reshape", "Tensor.reshaped: expected a shape of 6 elements, got [2, 2].") {
    use(x.reshaped(to: [2, 2]))
  },
  Misuse("tensor-reshape-negative", "Tensor.reshaped: expected sizes of at least 0, got [-2, -3].")
  {
    use(x.reshaped(to: [-2, -3]))
  },
  Misuse("tensor-clip", "Tensor.clip: expected a limit of at least 0, got nan.") {
    var y = x
    y.clip(to: .nan)
    use(y)
  },
  Misuse("tensor-sum", "Tensor.+: expected shape [2, 3], got [3, 2].") { use(x + x.transposed) },
  Misuse(
    "tensor-product", "Tensor.matrixProduct: expected [m, k] and [k, n], got [2, 3] and [2, 3]."
  ) {
    use(x.matrixProduct(x))
  },
]

/// A collection whose count differs from the number of its elements.
private struct Liar: Collection {
  let count: Int
  let given: Int
  var startIndex: Int { 0 }
  var endIndex: Int { given }
  func index(after index: Int) -> Int { index + 1 }
  subscript(index: Int) -> Float { Float(index) }
}
