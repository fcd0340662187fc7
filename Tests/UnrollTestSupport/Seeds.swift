import Foundation
import Unroll

/// The seed of random tests; the environment variable `UNROLL_TEST_SEED` overrides it.
public let testSeed: UInt32 =
  ProcessInfo.processInfo.environment["UNROLL_TEST_SEED"].flatMap(UInt32.init) ?? 20_261_123

/// Random integers derived from `testSeed`.
public func seededIntegers(_ count: Int, in range: Range<Int>) -> [Int] {
  var random = NumPyRandom(seed: testSeed)
  return random.uniform(Double(range.lowerBound), Double(range.upperBound), [count]).elements
    .map { Int($0) }
}

/// Returns a tensor of uniform numbers in −1 ..< 1.
public func uniform<Scalar: KernelScalar>(
  _ shape: [Int], _ random: inout NumPyRandom, as type: Scalar.Type = Scalar.self
) -> Tensor<Scalar> {
  Tensor<Scalar>(random.uniform(-1, 1, shape))
}

/// Returns a random state for a cell.
public func randomState<Scalar: KernelScalar>(
  _ cell: Cell<Scalar>, batchSize: Int, _ random: inout NumPyRandom
) -> RecurrentState<Scalar> {
  RecurrentState(
    hidden: uniform([batchSize, cell.outputSize], &random),
    cell: uniform([batchSize, cell.cellStateSize], &random))
}

/// The folder of golden arrays.
public let goldenFolder = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Golden").path

/// Returns a temporary folder for a test, removed afterwards.
public func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("unroll-test-\(UUID().uuidString)").path
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}
