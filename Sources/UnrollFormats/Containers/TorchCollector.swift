// Collects the tensors in the value of a PyTorch file's pickle, named by the keys that lead to them.

internal import Foundation

/// A walk through dictionaries and lists.
struct TorchCollector {
  let machine: PickleMachine
  let memory: TorchMemory
  let isBigEndian: Bool
  /// Bytes that may still be taken: a file may name one storage many times.
  var budget: Int
  private(set) var arrays: [String: StoredArray] = [:]
  private(set) var metadata: [String: String] = [:]
  private(set) var skipped: [String: SkippedValue] = [:]
  /// The class of the first `nn.Module` that was met.
  private(set) var firstModule: String?
  private var visits = 0
  private var last: (key: String, bytes: [UInt8])?

  init(machine: PickleMachine, memory: TorchMemory, isBigEndian: Bool, budget: Int) {
    (self.machine, self.memory) = (machine, memory)
    (self.isBigEndian, self.budget) = (isBigEndian, budget)
  }

  /// Collects a value and its contents.
  ///
  /// - Parameters:
  ///   - value: The value.
  ///   - name: The keys that lead to it, with dots.
  ///   - depth: How many they are.
  /// - Throws: `ArrayFileError` for tensors that do not fit their memory, and for more than the budget.
  mutating func take(
    _ value: PickleValue, name: String, depth: Int
  ) throws(ArrayFileError) {
    visits += 1
    // A long key is repeated in the names of all values below it.
    try spend(name.utf8.count, "names of far more than the file's size")
    guard depth <= 32, visits <= 1_000_000 else {
      throw ArrayFileError(
        .malformedHeader("dictionaries in dictionaries without end"),
        arrayName: String(name.prefix(200)))
    }
    switch value {
    case .dictionary(let index): try takeDictionary(index, name, depth)
    case .list(let index): try take(machine.lists[index], name, depth)
    case .tuple(let tuple): try take(tuple.parts, name, depth)
    case .object(let index): try takeObject(machine.objects[index], name, depth)
    case .tensor(let tensor):
      let name = name.isEmpty ? "tensor" : name
      do { try takeTensor(tensor, name) } catch {
        throw ArrayFileError(error.problem, arrayName: name, byteOffset: error.byteOffset)
      }
    case .integer(let number): metadata[name] = "\(number)"
    case .real(let number): metadata[name] = "\(number)"
    case .bool(let flag): metadata[name] = "\(flag)"
    case .text(let word): metadata[name] = word
    case .large(let bytes): try skip(name, "integer of \(bytes.count) bytes")
    case .bytes(let count): try skip(name, "\(count) bytes")
    case .name(let word): try skip(name, word)
    case .storage: try skip(name, "a storage without a tensor")
    case .none: break
    }
  }

  private mutating func spend(_ bytes: Int, _ what: String) throws(ArrayFileError) {
    budget -= bytes
    guard budget >= 0 else { throw ArrayFileError(.malformedHeader(what)) }
  }

  private mutating func skip(
    _ name: String, _ kind: String, shape: [Int]? = nil
  ) throws(ArrayFileError) {
    try spend(kind.utf8.count + 64, "objects of far more than the file's size")
    skipped[name.isEmpty ? "object" : name] = SkippedValue(kind: kind, shape: shape)
  }

  // MARK: What holds others

  private mutating func takeDictionary(
    _ index: Int, _ name: String, _ depth: Int
  ) throws(ArrayFileError) {
    for (key, value) in machine.dictionaries[index] {
      let word: String
      switch key {
      case .text(let text): word = text
      case .integer(let number): word = "\(number)"
      case .bool(let flag): word = "\(flag)"
      case .none: word = "None"
      default:
        try skip(
          name.isEmpty ? "(a key that is no word)" : "\(name).(a key that is no word)", "entries")
        continue
      }
      try take(value, name: name.isEmpty ? word : "\(name).\(word)", depth: depth + 1)
    }
  }

  private mutating func take(
    _ values: [PickleValue], _ name: String, _ depth: Int
  ) throws(ArrayFileError) {
    // A history of losses is a thousand NumPy numbers: one line.
    if values.count > 4, let kind = commonKind(values) {
      return try skip(name, "\(values.count) × \(kind)")
    }
    for (index, value) in values.enumerated() {
      try take(value, name: name.isEmpty ? "\(index)" : "\(name).\(index)", depth: depth + 1)
    }
  }

  /// The class of objects in a list, if all are of one and none holds anything.
  private func commonKind(_ values: [PickleValue]) -> String? {
    var kind: String?
    for value in values {
      guard case .object(let index) = value, case let object = machine.objects[index],
        object.dictionary == nil, object.list == nil, !object.isModule, object.shape == nil,
        kind == nil || kind == object.name
      else { return nil }
      kind = object.name
    }
    return kind
  }

  private mutating func takeObject(
    _ object: PickleObject, _ name: String, _ depth: Int
  ) throws(ArrayFileError) {
    if object.isModule {
      if firstModule == nil { firstModule = String(object.name.prefix(200)) }
      return try skip(
        name, "\(object.name), a whole module, whose weights are in none of the arrays here")
    }
    guard object.dictionary != nil || object.list != nil else {
      return try skip(name, object.name, shape: object.shape)
    }
    if let index = object.dictionary { try takeDictionary(index, name, depth) }
    if let index = object.list { try take(machine.lists[index], name, depth) }
  }

  // MARK: Tensors

  private mutating func takeTensor(
    _ tensor: TorchTensor, _ name: String
  ) throws(ArrayFileError) {
    guard let type = tensor.type.element, tensor.obstacle == nil else {
      return try skip(name, tensor.obstacle ?? tensor.type.name, shape: tensor.shape)
    }
    guard arrays[name] == nil else {
      throw ArrayFileError(.malformedHeader("two tensors have this name"))
    }
    arrays[name] = try array(tensor, type)
  }

  /// A storage's bytes; tensors that share one mostly follow each other.
  private mutating func bytes(of key: String) throws(ArrayFileError) -> ArraySlice<UInt8> {
    switch memory {
    case .stream(let bytes, let parts):
      guard let range = parts[key] else {
        throw ArrayFileError(.missing(available: Array(parts.keys)))
      }
      return bytes[range]
    case .archive(let archive, let folder):
      if let last, last.key == key { return last.bytes[...] }
      let bytes = try archive.contents(folder + "data/" + key)
      // Inflating the same member repeatedly costs time, too.
      try spend(bytes.count, "many tensors of the same memory")
      last = (key, bytes)
      return bytes[...]
    }
  }

  private mutating func array(
    _ tensor: TorchTensor, _ type: ElementType
  ) throws(ArrayFileError) -> StoredArray {
    let (storage, size) = (tensor.storage, type.byteCount)
    // A view of an untyped storage counts in its own type.
    let (unit, shape) = (storage.type.byteCount, tensor.shape)
    guard let byteCount = type.byteCount(of: shape), storage.count <= 1 << 50 / unit else {
      throw ArrayFileError(
        .malformedHeader("impossible shape \(shape) of a storage of \(storage.count) numbers"))
    }
    let held = storage.range.count * unit / size
    var last = tensor.offset
    for (axis, stride) in zip(shape, tensor.strides) {
      let (reach, tooFar) = max(0, axis - 1).multipliedReportingOverflow(by: stride)
      let (sum, beyond) = last.addingReportingOverflow(reach)
      guard !tooFar, !beyond else {
        throw ArrayFileError(.malformedHeader("impossible shape \(shape)"))
      }
      last = sum
    }
    if byteCount == 0 { return StoredArray(elementType: type, shape: shape, bytes: []) }
    guard tensor.offset >= 0, last < held else {
      throw ArrayFileError(
        .malformedHeader(
          "shape \(shape) reaches beyond the \(held) numbers of its storage"))
    }
    // An expanded tensor makes a large array of a few numbers.
    try spend(byteCount, "many tensors of the same memory")
    let all = try bytes(of: storage.key)
    guard all.count == storage.count * unit else {
      throw ArrayFileError(
        .truncated(expectedBytes: storage.count * unit, actualBytes: all.count))
    }
    let start = all.startIndex + storage.range.lowerBound * unit
    let own = all[start..<start + held * size]
    var result = Self.gathered(own, tensor, byteCount / size, size)
    if isBigEndian && size > 1 { result.reverseEach(size) }
    return StoredArray(elementType: type, shape: shape, bytes: result)
  }

  /// The numbers of a view, row-major; `bytes` holds every element of it.
  private static func gathered(
    _ bytes: ArraySlice<UInt8>, _ tensor: TorchTensor, _ count: Int, _ size: Int
  ) -> [UInt8] {
    var (expected, isDense) = (1, true)
    for (axis, stride) in zip(tensor.shape, tensor.strides).reversed() {
      if axis != 1 && stride != expected { isDense = false }
      expected *= axis
    }
    let start = bytes.startIndex
    if isDense {
      return Array(bytes[start + tensor.offset * size..<start + (tensor.offset + count) * size])
    }
    let shape = tensor.shape
    // The stride of an axis of size 1 is never used, and may be any number.
    let strides = zip(shape, tensor.strides).map { $0 == 1 ? 0 : $1 }
    return [UInt8](unsafeUninitializedCapacity: count * size) { buffer, initialized in
      bytes.withUnsafeBytes { source in
        let target = UnsafeMutableRawBufferPointer(buffer)
        var (index, place) = ([Int](repeating: 0, count: shape.count), tensor.offset)
        for element in 0..<count {
          for byte in 0..<size { target[element * size + byte] = source[place * size + byte] }
          for axis in shape.indices.reversed() {
            index[axis] += 1
            place += strides[axis]
            if index[axis] < shape[axis] { break }
            place -= strides[axis] * shape[axis]
            index[axis] = 0
          }
        }
      }
      initialized = count * size
    }
  }
}
