// A student's answer to one task: an .npz archive or a folder of .npy files, and one clear sentence for each array that
// cannot be graded.

internal import Foundation
internal import Unroll
internal import UnrollFormats

/// Why an array cannot be graded.
struct AnswerProblem: Error, CustomStringConvertible {
  let description: String
}

/// The arrays of one answer.
struct AnswerFile: Sendable {
  /// How sentences name it.
  let name: String
  let arrays: [String: StoredArray]
  private let skipped: [String: SkippedValue]

  /// The names that the tasks list, which are no misspelling of one another.
  private static let expectedNames = Set(
    ForwardGrade.names + ExerciseProblem.gruNames
      + [LargeGrade.distanceName, LargeGrade.gradientName])

  /// Reads an archive, or all arrays of a folder.
  ///
  /// - Throws: `AnswerProblem` if it is neither or damaged.
  init(path: String, name: String) throws(AnswerProblem) {
    self.name = name
    do {
      if !isFolder(path) {
        let file = try ArrayFile(contentsOf: path)
        (self.arrays, skipped) = (file.arrays, file.skipped)
        return
      }
      var arrays: [String: StoredArray] = [:]
      for file in try FileManager.default.contentsOfDirectory(atPath: path).sorted()
      where file.hasSuffix(".npy") {
        do {
          arrays[String(file.dropLast(4))] = try NPY.decode(
            AtomicFile.read("\(path)/\(file)")[...])
        } catch {
          throw AnswerProblem(description: "\(name)/\(file): \(error)")
        }
      }
      (self.arrays, skipped) = (arrays, [:])
    } catch let error as AnswerProblem {
      throw error
    } catch let error as ArrayFileError {
      // The system's sentences begin with the path.
      if case .system = error.problem { throw AnswerProblem(description: "\(error)") }
      throw AnswerProblem(description: "\(name) cannot be read: \(error)")
    } catch {
      throw AnswerProblem(description: "\(name) cannot be read: \(error)")
    }
  }

  /// An array of finite numbers.
  ///
  /// - Parameters:
  ///   - array: Its name.
  ///   - shape: The shape that is expected.
  ///   - axes: What its axes are.
  ///   - isInteger: Whether integers are accepted, as in weights of 0.
  ///   - advice: What to do about shapes that betray a mistake.
  /// - Returns: The numbers in Double.
  /// - Throws: `AnswerProblem` that says what is expected, what was found, and what to do.
  func tensor(
    _ array: String, _ shape: [Int], axes: String, allowingIntegers isInteger: Bool = false,
    advice: ([Int]) -> String? = { _ in nil }
  ) throws(AnswerProblem) -> Tensor<Double> {
    let expected = "expected shape \(words(shape)) (\(axes))"
    guard let stored = arrays[array] else {
      if let other = skipped[array] {
        throw AnswerProblem(
          description:
            "\(name): '\(array)' holds \(other.kind), expected float32 or float64 numbers.")
      }
      let names = arrays.keys.sorted()
      let listed = names.isEmpty ? "no array" : names.joined(separator: ", ")
      let hint = NearestName.hint(
        for: array, among: names.filter { !Self.expectedNames.contains($0) })
      throw AnswerProblem(
        description:
          "\(name): '\(array)' is missing; the answer holds \(listed)\(hint.isEmpty ? "." : hint)"
      )
    }
    guard isAccepted(stored.elementType, isInteger) else {
      throw AnswerProblem(
        description:
          "\(name): '\(array)' has element type \(stored.elementType.rawValue), expected float32 or float64; hand in the numbers as they are computed, not rounded (np.float64)."
      )
    }
    guard stored.shape == shape else {
      let reason =
        advice(stored.shape)
        ?? (stored.shape.sorted() == shape.sorted()
          ? "its axes are in another order (np.transpose)"
          : stored.shape.filter { $0 != 1 } == shape.filter { $0 != 1 }
            ? "remove or add the axis of length 1 (np.reshape)" : nil)
      throw AnswerProblem(
        description:
          "\(name): '\(array)' has shape \(words(stored.shape)), \(expected)\(reason.map { "; \($0)" } ?? "")."
      )
    }
    let tensor = stored.tensor(of: Double.self)
    if let index = tensor.elements.firstIndex(where: { !$0.isFinite }) {
      throw AnswerProblem(
        description:
          "\(name): '\(array)' holds \(tensor.elements[index].isNaN ? "NaN" : "infinity"), first at \(words(place(index, shape))); find the step where a division, an overflow or an uninitialized array makes it."
      )
    }
    return tensor
  }

  private func isAccepted(_ type: ElementType, _ isInteger: Bool) -> Bool {
    switch type {
    case .float16, .bfloat16, .float32, .float64: true
    case .bool: false
    default: isInteger
    }
  }

  /// The indices of an element.
  private func place(_ index: Int, _ shape: [Int]) -> [Int] {
    var rest = index
    return shape.reversed().map { size in
      defer { rest /= size }
      return rest % size
    }.reversed()
  }

  private func words(_ sizes: [Int]) -> String {
    "[\(sizes.map(String.init).joined(separator: ", "))]"
  }
}

/// Whether there is a folder of that name.
func isFolder(_ path: String) -> Bool {
  var isFolder: ObjCBool = false
  return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
}
