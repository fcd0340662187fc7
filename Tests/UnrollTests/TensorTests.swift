import Testing
import Unroll
import UnrollTestSupport

@Suite("Tensor")
struct TensorTests {
  let counting = Tensor<Double>(shape: [2, 3, 2], elements: (0..<12).map(Double.init))

  @Test("Elements are row-major")
  func indexing() {
    #expect(counting[0, 0, 1] == 1)
    #expect(counting[1, 2, 0] == 10)
  }

  @Test("Changing a copy leaves the original")
  func copyOnWrite() {
    var copy = counting
    copy[1, 1, 1] = -1
    #expect(counting[1, 1, 1] == 9)
    #expect(copy[1, 1, 1] == -1)
  }

  @Test("The matrix product agrees with the sum written out")
  func product() {
    var random = NumPyRandom(seed: testSeed)
    for (m, k, n) in [(1, 1, 1), (2, 3, 4), (5, 17, 9), (3, 0, 2), (4, 33, 31)] {
      let (a, b) = (random.randn([m, k]), random.randn([k, n]))
      let product = a.matrixProduct(b)
      for i in 0..<m {
        for j in 0..<n {
          let sum = (0..<k).reduce(0) { $0 + a[i, $1] * b[$1, j] }
          #expect(abs(product[i, j] - sum) <= 1e-13)
        }
      }
    }
  }

  @Test("A row of a product has the same bits whatever the other rows are")
  func productRows() {
    var random = NumPyRandom(seed: testSeed)
    let a = Tensor<Float>(random.randn([7, 19]))
    let b = Tensor<Float>(random.randn([19, 13]))
    let whole = a.matrixProduct(b)
    for row in 0..<7 {
      #expect(a[row..<row + 1].matrixProduct(b)[0, ...].isBitwiseEqual(to: whole[row, ...]))
    }
  }

  @Test("Sums, means and norms")
  func reductions() {
    let tensor = Tensor<Float>(rows: [[3, 4], [0, -5]])
    #expect(tensor.sum == 2)
    #expect(tensor.mean == 0.5)
    #expect(tensor.rowNorms.elements == [5, 5])
    // Squares that overflow float32, and even float64.
    for scale in [1e-30, 1e30] as [Float] {
      let norm = Tensor<Float>(rows: [[3 * scale, 4 * scale]]).rowNorms[0]
      #expect(abs(norm / (5 * scale) - 1) < 1e-6)
    }
    for scale in [1e-200, 1e200] {
      let norm = Tensor<Double>(rows: [[3 * scale, 4 * scale]]).rowNorms[0]
      #expect(abs(norm / (5 * scale) - 1) < 1e-15)
    }
    let special = Tensor<Double>(rows: [[0, 0], [.infinity, 1], [.nan, 1]]).rowNorms
    #expect(special[0] == 0 && special[1] == .infinity && special[2].isNaN)
    #expect(tensor.columnSums.elements == [3, -1])
    #expect(tensor.maximumMagnitude == 5)
    #expect(Tensor<Float>([1, .nan]).maximumMagnitude.isNaN)
    #expect(Tensor<Float>(shape: [0]).sum == 0)
  }

  @Test("Transposing and exchanging axes are their own inverses")
  func transposing() {
    let matrix = Tensor<Float>(rows: [[1, 2, 3], [4, 5, 6]])
    #expect(matrix.transposed.elements == [1, 4, 2, 5, 3, 6])
    #expect(matrix.transposed.transposed == matrix)
    #expect(counting.exchangingFirstAxes[2, 1, 0] == counting[1, 2, 0])
    #expect(counting.exchangingFirstAxes.exchangingFirstAxes == counting)
  }

  @Test("Joining tensors and reading the columns of each are inverses")
  func columns() {
    let parts = [counting, counting * 2]
    let joined = Tensor.concatenatingLastAxis(parts)
    #expect(joined.shape == [2, 3, 4])
    #expect(joined[..., 0..<2] == counting)
    #expect(joined[..., 2..<4] == counting * 2)
  }

  @Test("Printing shows nested brackets and the ends of long axes")
  func printing() {
    #expect(Tensor<Float>(rows: [[1, 2], [3, 4]]).description == "[[1.0, 2.0],\n [3.0, 4.0]]")
    #expect(
      Tensor<Double>((0..<20).map(Double.init)).description
        == "[0.0, 1.0, 2.0, ..., 17.0, 18.0, 19.0]")
    #expect(Tensor<Float>(shape: [0]).description == "[]")
    #expect(Tensor<Float>(shape: [], repeating: 2).description == "2.0")
  }

  @Test("Equality knows NaN and signed zero, bitwise equality their bits")
  func equality() {
    let nan = Tensor<Float>([.nan])
    #expect(nan != nan)
    #expect(nan.isBitwiseEqual(to: nan))
    #expect(Tensor<Float>([0]) == Tensor<Float>([-0.0]))
    #expect(!Tensor<Float>([0]).isBitwiseEqual(to: Tensor<Float>([-0.0])))
  }

  @Test("A tensor at a place writes there; a copy that is changed has memory of its own")
  func borrowedMemory() {
    let place = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 64)
      .bindMemory(to: Float.self, capacity: 64)
    defer { place.deallocate() }
    place.initialize(repeating: 7, count: 64)
    var tensor = Tensor<Float>(shape: [4, 16], at: place)
    #expect(tensor[3, 15] == 7)
    tensor[1, 2] = 5
    #expect(place[18] == 5)
    let copy = tensor
    tensor[0, 0] = 1
    #expect(place[0] == 7 && copy[0, 0] == 7 && tensor[0, 0] == 1)
    // Memory is reused if the new size is within the capacity.
    var rows = Tensor<Float>(shape: [4, 16], at: place)
    rows.prepare(2, 16)
    rows.fill(0)
    #expect(place[31] == 0 && place[32] == 7)
  }

  // Swift 6.1 does not support exit tests.
  #if compiler(>=6.2)
  @Test("A wrong shape stops with operation, expected and got")
  func traps() async {
    await #expect(processExitsWith: .failure) {
      _ = Tensor<Float>(shape: [2, 2], elements: [1, 2, 3])
    }
    await #expect(processExitsWith: .failure) {
      _ = Tensor<Float>(shape: [2, 2]) + Tensor<Float>(shape: [4])
    }
    await #expect(processExitsWith: .failure) {
      _ = Tensor<Float>(shape: [2, 2])[2, ...]
    }
  }
  #endif
}
