// PyTorch's .pt and .pth files since 1.6: a zip archive of a pickle, which says what there is, and of
// the tensors' memory.
//
//   <folder>/data.pkl    the pickle, run by a machine that builds tensors only
//   <folder>/data/<key>  a storage's bytes
//   <folder>/byteorder   "little" or "big", where it is there
//
// Source: `torch.serialization`.

/// The tensors of a PyTorch file: a state dict, or a dictionary with state dicts in it.
public struct TorchFile: Sendable {
  /// The tensors by name; what stands in inner dictionaries has their keys before it, with dots.
  public let arrays: [String: StoredArray]
  /// The numbers and words beside them, such as an epoch.
  public let metadata: [String: String]

  /// Reads a file's bytes.
  ///
  /// - Throws: `ArrayFileError` if it is no such archive, is damaged, or asks for more than tensors.
  public init(_ bytes: [UInt8]) throws(ArrayFileError) {
    let archive = try ZipArchive(bytes, kind: "a file of PyTorch 1.6 or later")
    let pickles = archive.names.filter { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }
    guard pickles.count == 1, let pickle = pickles.first else {
      throw ArrayFileError(
        .foreign(expected: "a PyTorch file with one data.pkl, not \(pickles.count)"))
    }
    let folder = String(pickle.dropLast("data.pkl".count))
    let (machine, value): (PickleMachine, PickleValue)
    do {
      (machine, value) = try PickleMachine.run(
        archive.contents(pickle), budget: expansionLimit(bytes.count))
    } catch {
      throw ArrayFileError(error.problem, arrayName: "data.pkl", byteOffset: error.byteOffset)
    }
    var isBigEndian = false
    if archive.contains(folder + "byteorder") {
      isBigEndian = try archive.contents(folder + "byteorder").starts(with: Array("big".utf8))
    }
    var collector = Collector(
      machine: machine, archive: archive, folder: folder, isBigEndian: isBigEndian,
      budget: expansionLimit(bytes.count))
    try collector.take(value, name: "", depth: 0)
    (arrays, metadata) = (collector.arrays, collector.metadata)
  }

  /// Walks what the pickle built.
  private struct Collector {
    let machine: PickleMachine
    let archive: ZipArchive
    let folder: String
    let isBigEndian: Bool
    /// Bytes that may still be taken: a file may name one storage many times.
    var budget: Int
    var arrays: [String: StoredArray] = [:]
    var metadata: [String: String] = [:]
    private var visits = 0
    private var last: (key: String, bytes: [UInt8])?

    init(
      machine: PickleMachine, archive: ZipArchive, folder: String, isBigEndian: Bool, budget: Int
    ) {
      self.machine = machine
      self.archive = archive
      self.folder = folder
      self.isBigEndian = isBigEndian
      self.budget = budget
    }

    mutating func take(
      _ value: PickleValue, name: String, depth: Int
    ) throws(ArrayFileError) {
      visits += 1
      // A long key stands before the names of all that is behind it.
      budget -= name.utf8.count
      guard budget >= 0 else {
        throw ArrayFileError(.malformedHeader("names of far more than the file's size"))
      }
      guard depth <= 32, visits <= 1_000_000 else {
        throw ArrayFileError(
          .malformedHeader("dictionaries in dictionaries without end"), arrayName: name)
      }
      func inner(_ key: String) -> String { name.isEmpty ? key : "\(name).\(key)" }
      switch value {
      case .dictionary(let index):
        for (key, value) in machine.dictionaries[index] {
          switch key {
          case .text(let word): try take(value, name: inner(word), depth: depth + 1)
          case .integer(let number): try take(value, name: inner("\(number)"), depth: depth + 1)
          default:
            throw ArrayFileError(
              .malformedHeader("a key that is no word or number"), arrayName: name)
          }
        }
      case .list(let index): try take(machine.lists[index], name, depth)
      case .tuple(let tuple): try take(tuple.parts, name, depth)
      case .tensor(let tensor):
        do { arrays[name.isEmpty ? "tensor" : name] = try array(tensor) } catch {
          throw ArrayFileError(error.problem, arrayName: name, byteOffset: error.byteOffset)
        }
      case .integer(let number): metadata[name] = "\(number)"
      case .real(let number): metadata[name] = "\(number)"
      case .bool(let flag): metadata[name] = "\(flag)"
      case .text(let word): metadata[name] = word
      case .none, .name, .storage: break
      }
    }

    private mutating func take(
      _ values: [PickleValue], _ name: String, _ depth: Int
    ) throws(ArrayFileError) {
      for (index, value) in values.enumerated() {
        try take(value, name: name.isEmpty ? "\(index)" : "\(name).\(index)", depth: depth + 1)
      }
    }

    /// A storage's bytes; tensors that share one mostly follow each other.
    private mutating func memory(_ key: String) throws(ArrayFileError) -> [UInt8] {
      if let last, last.key == key { return last.bytes }
      let bytes = try archive.contents(folder + "data/" + key)
      // To inflate one again and again costs time, too.
      budget -= bytes.count
      guard budget >= 0 else {
        throw ArrayFileError(.malformedHeader("many tensors of the same memory"))
      }
      last = (key, bytes)
      return bytes
    }

    private mutating func array(_ tensor: TorchTensor) throws(ArrayFileError) -> StoredArray {
      let (storage, size) = (tensor.storage, tensor.storage.elementType.byteCount)
      guard storage.elementType.byteCount(of: tensor.shape) != nil,
        storage.elementType.byteCount(of: [storage.count]) != nil
      else {
        throw ArrayFileError(
          .malformedHeader(
            "impossible shape \(tensor.shape) of a storage of \(storage.count) numbers"))
      }
      var (count, last) = (1, tensor.offset)
      for (axis, stride) in zip(tensor.shape, tensor.strides) {
        let (product, overflow) = count.multipliedReportingOverflow(by: axis)
        let (reach, tooFar) = max(0, axis - 1).multipliedReportingOverflow(by: stride)
        let (sum, beyond) = last.addingReportingOverflow(reach)
        guard !overflow, !tooFar, !beyond else {
          throw ArrayFileError(.malformedHeader("impossible shape \(tensor.shape)"))
        }
        (count, last) = (product, sum)
      }
      // An expanded tensor would make a large array of a few numbers.
      guard tensor.offset >= 0, count <= storage.count, count == 0 || last < storage.count else {
        throw ArrayFileError(
          .malformedHeader(
            "shape \(tensor.shape) reaches beyond the \(storage.count) numbers of its storage"))
      }
      budget -= count * size
      guard budget >= 0 else {
        throw ArrayFileError(.malformedHeader("many tensors of the same memory"))
      }
      if count == 0 {
        return StoredArray(elementType: storage.elementType, shape: tensor.shape, bytes: [])
      }
      let bytes = try memory(storage.key)
      guard bytes.count / size == storage.count, bytes.count % size == 0 else {
        throw ArrayFileError(
          .truncated(expectedBytes: storage.count * size, actualBytes: bytes.count))
      }
      var result = gathered(bytes, tensor, count, size)
      if isBigEndian && size > 1 { result.reverseEach(size) }
      return StoredArray(
        elementType: storage.elementType, shape: tensor.shape, bytes: result)
    }

    /// The numbers of a view, row-major.
    private func gathered(
      _ bytes: [UInt8], _ tensor: TorchTensor, _ count: Int, _ size: Int
    ) -> [UInt8] {
      var expected = 1
      var isDense = true
      for (axis, stride) in zip(tensor.shape, tensor.strides).reversed() {
        if axis != 1 && stride != expected { isDense = false }
        expected *= axis
      }
      if isDense || count == 0 {
        return Array(bytes[tensor.offset * size..<(tensor.offset + count) * size])
      }
      var result: [UInt8] = []
      result.reserveCapacity(count * size)
      var index = [Int](repeating: 0, count: tensor.shape.count)
      for _ in 0..<count {
        let place = zip(index, tensor.strides).reduce(tensor.offset) { $0 + $1.0 * $1.1 }
        result += bytes[place * size..<(place + 1) * size]
        for axis in index.indices.reversed() {
          index[axis] += 1
          if index[axis] < tensor.shape[axis] { break }
          index[axis] = 0
        }
      }
      return result
    }
  }
}
