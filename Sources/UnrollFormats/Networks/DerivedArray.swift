internal import Unroll

/// A weight that a file stores as two arrays.
enum DerivedArray: Sendable {
  /// Weight normalization: `direction`, each slice scaled to the norm that `magnitude` gives. Axes where
  /// `magnitude` has size 1 are summed over.
  case weightNorm(magnitude: String, direction: String)
  /// Pruning: `weight`, where `mask` is not 0.
  case masked(weight: String, mask: String)

  /// The file's names of both.
  var fileNames: [String] {
    switch self {
    case .weightNorm(let magnitude, let direction): [magnitude, direction]
    case .masked(let weight, let mask): [weight, mask]
    }
  }

  /// The array that has the weight's shape.
  var principal: String {
    switch self {
    case .weightNorm(_, let direction): direction
    case .masked(let weight, _): weight
    }
  }

  /// The description of the computation.
  var word: String {
    switch self {
    case .weightNorm(let magnitude, let direction):
      "weight normalisation computed: \(magnitude) · \(direction) / ‖\(direction)‖"
    case .masked: "pruning applied: weight · mask"
    }
  }

  /// Computes the weight, in double precision.
  ///
  /// - Throws: `ModelImportError` if an array is missing, is of another type, or does not fit the other.
  func tensor<Scalar: KernelScalar>(in file: ArrayFile) throws(ModelImportError) -> Tensor<Scalar> {
    switch self {
    case .weightNorm(let magnitudeName, let directionName):
      let magnitude: Tensor<Double> = try file.weights(magnitudeName)
      let direction: Tensor<Double> = try file.weights(directionName)
      let places = try Self.places(magnitude.shape, direction.shape, magnitudeName)
      var squares = [Double](repeating: 0, count: magnitude.count)
      let (elements, scales) = (direction.elements, magnitude.elements)
      for (element, place) in zip(elements, places) { squares[place] += element * element }
      let factors = zip(scales, squares).map { $0 / $1.squareRoot() }
      return Tensor(
        shape: direction.shape, elements: zip(elements, places).map { Scalar($0 * factors[$1]) })
    case .masked(let weightName, let maskName):
      let weight: Tensor<Double> = try file.weights(weightName)
      guard let stored = file.arrays[maskName] else {
        throw ModelImportError(.missing, name: maskName)
      }
      let mask = stored.tensor(of: Double.self)
      guard mask.shape == weight.shape else {
        throw ModelImportError(
          .wrongShape(expected: weight.shape, found: mask.shape), name: maskName)
      }
      return Tensor(
        shape: weight.shape,
        elements: zip(weight.elements, mask.elements).map { Scalar($0 * $1) })
    }
  }

  /// The element of the magnitude that scales each element of the direction.
  private static func places(
    _ magnitude: [Int], _ direction: [Int], _ name: String
  ) throws(ModelImportError) -> [Int] {
    let count = direction.reduce(1, *)
    // One norm for all is a number without axes.
    if magnitude.isEmpty { return [Int](repeating: 0, count: count) }
    guard magnitude.count == direction.count,
      zip(magnitude, direction).allSatisfy({ $0 == 1 || $0 == $1 })
    else {
      let rows = direction.prefix(1) + direction.dropFirst().map { _ in 1 }
      throw ModelImportError(.wrongShape(expected: Array(rows), found: magnitude), name: name)
    }
    var (places, index) = ([Int](), [Int](repeating: 0, count: direction.count))
    places.reserveCapacity(count)
    for _ in 0..<count {
      var place = 0
      for (axis, size) in magnitude.enumerated() {
        place = place * size + (size == 1 ? 0 : index[axis])
      }
      places.append(place)
      for axis in direction.indices.reversed() {
        index[axis] += 1
        if index[axis] < direction[axis] { break }
        index[axis] = 0
      }
    }
    return places
  }
}
