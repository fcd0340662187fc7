// A reader of Python's pickles that builds numbers, words, lists, dictionaries and tensors, and nothing
// else: a pickle is a program, and this machine knows only the instructions that a state dict needs.
// Whatever else a file asks for is refused by its name.
//
// Source: Python's `pickletools`; PyTorch's `torch._utils` for what tensors are rebuilt from.

internal import Foundation

/// What a pickle may hold.
enum PickleValue {
  case none
  case bool(Bool)
  case integer(Int)
  case real(Double)
  case text(String)
  case tuple(PickleTuple)
  /// A list or dictionary, by its place in the machine's heap: it may still grow.
  case list(Int)
  case dictionary(Int)
  /// A class or function by module and name.
  case name(String)
  case storage(TorchStorage)
  case tensor(TorchTensor)
}

/// Values in a row, and how deep tuples stand in tuples: they are released one in the other.
struct PickleTuple {
  let parts: [PickleValue]
  let depth: Int

  init(_ parts: [PickleValue]) throws(ArrayFileError) {
    self.parts = parts
    depth = parts.reduce(1) { deepest, part in
      if case .tuple(let inner) = part { max(deepest, inner.depth + 1) } else { deepest }
    }
    guard depth <= 64 else {
      throw ArrayFileError(.malformedHeader("the pickle has tuples in tuples without end"))
    }
  }
}

/// A tensor's memory: a member of the archive.
struct TorchStorage {
  var key: String
  var elementType: ElementType
  var count: Int
}

/// A view of a storage.
struct TorchTensor {
  var storage: TorchStorage
  var offset: Int
  var shape: [Int]
  var strides: [Int]
}

/// The restricted machine.
struct PickleMachine {
  private(set) var lists: [[PickleValue]] = []
  private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  private var reader: ByteReader

  /// Runs a pickle.
  ///
  /// - Parameters:
  ///   - bytes: The pickle.
  ///   - budget: About the bytes that its values may take: each instruction leaves one at most.
  /// - Returns: The machine, whose heap the value points into, and the value.
  /// - Throws: `ArrayFileError` for an instruction, class or function that is not needed for tensors, or
  ///   a pickle that is damaged.
  static func run(
    _ bytes: [UInt8], budget: Int
  ) throws(ArrayFileError) -> (PickleMachine, PickleValue) {
    var machine = PickleMachine(reader: ByteReader(bytes[...]))
    let value = try machine.run(budget / MemoryLayout<PickleValue>.stride)
    return (machine, value)
  }

  private init(reader: ByteReader) { self.reader = reader }

  private mutating func run(_ mostInstructions: Int) throws(ArrayFileError) -> PickleValue {
    var instructions = 0
    while true {
      let place = reader.position
      instructions += 1
      guard instructions <= mostInstructions else {
        throw damaged("more than \(mostInstructions) instructions, far more than the file's size")
      }
      let code = try reader.integer(UInt8.self)
      if code == UInt8(ascii: ".") { return try pop() }
      do throws(ArrayFileError) {
        if try push(code) { continue }
        if try change(code) { continue }
        throw refused("the instruction 0x\(String(code, radix: 16))")
      } catch {
        throw ArrayFileError(error.problem, byteOffset: error.byteOffset ?? place)
      }
    }
  }

  // MARK: Instructions that put something on the stack

  private mutating func push(_ code: UInt8) throws(ArrayFileError) -> Bool {
    switch code {
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "K"): stack.append(.integer(Int(try reader.integer(UInt8.self))))
    case UInt8(ascii: "M"): stack.append(.integer(Int(try reader.integer(UInt16.self))))
    case UInt8(ascii: "J"): stack.append(.integer(Int(try reader.integer(Int32.self))))
    case 0x8A: stack.append(.integer(try long()))
    case UInt8(ascii: "G"):
      let bits = try reader.integer(UInt64.self).byteSwapped
      stack.append(.real(Double(bitPattern: bits)))
    case UInt8(ascii: "X"): stack.append(.text(try text(Int(try reader.integer(UInt32.self)))))
    case 0x8C: stack.append(.text(try text(Int(try reader.integer(UInt8.self)))))
    case UInt8(ascii: "}"):
      dictionaries.append([])
      stack.append(.dictionary(dictionaries.count - 1))
    case UInt8(ascii: "]"):
      lists.append([])
      stack.append(.list(lists.count - 1))
    case UInt8(ascii: ")"): stack.append(.tuple(try PickleTuple([])))
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "c"):
      let (module, name) = (try line(), try line())
      stack.append(.name(try known("\(module).\(name)")))
    case 0x93:
      guard case .text(let name) = try pop(), case .text(let module) = try pop() else {
        throw damaged("a class without a name")
      }
      stack.append(.name(try known("\(module).\(name)")))
    case UInt8(ascii: "h"): stack.append(try recalled(Int(try reader.integer(UInt8.self))))
    case UInt8(ascii: "j"): stack.append(try recalled(Int(try reader.integer(UInt32.self))))
    default: return false
    }
    return true
  }

  // MARK: Instructions that use what is there

  private mutating func change(_ code: UInt8) throws(ArrayFileError) -> Bool {
    switch code {
    case 0x80:
      let version = try reader.integer(UInt8.self)
      guard (2...5).contains(version) else {
        throw damaged("protocol \(version), expected 2 to 5")
      }
    case 0x95: _ = try reader.take(8)
    case UInt8(ascii: "q"): memo[Int(try reader.integer(UInt8.self))] = try top()
    case UInt8(ascii: "r"): memo[Int(try reader.integer(UInt32.self))] = try top()
    case 0x94: memo[memo.count] = try top()
    case UInt8(ascii: "0"): _ = try pop()
    case UInt8(ascii: "t"): stack.append(.tuple(try PickleTuple(try popToMark())))
    case 0x85: stack.append(.tuple(try PickleTuple(try pop(1))))
    case 0x86: stack.append(.tuple(try PickleTuple(try pop(2))))
    case 0x87: stack.append(.tuple(try PickleTuple(try pop(3))))
    case UInt8(ascii: "a"): try append(try pop(1))
    case UInt8(ascii: "e"): try append(try popToMark())
    case UInt8(ascii: "s"): try set(try pop(2))
    case UInt8(ascii: "u"): try set(try popToMark())
    case UInt8(ascii: "Q"): stack.append(.storage(try storage(try pop())))
    case UInt8(ascii: "R"):
      guard case .tuple(let arguments) = try pop(), case .name(let function) = try pop() else {
        throw damaged("a call of what is no function")
      }
      stack.append(try call(function, arguments.parts))
    case UInt8(ascii: "b"):
      // The attributes of a state dict's dictionary: versions of modules, which nothing here needs.
      _ = try pop()
      guard case .dictionary = try top() else { throw refused("an object with a state") }
    default: return false
    }
    return true
  }

  private mutating func append(_ values: [PickleValue]) throws(ArrayFileError) {
    guard case .list(let index) = try top() else { throw damaged("no list to append to") }
    lists[index] += values
  }

  private mutating func set(_ values: [PickleValue]) throws(ArrayFileError) {
    guard case .dictionary(let index) = try top(), values.count % 2 == 0 else {
      throw damaged("no dictionary to put something into")
    }
    for pair in stride(from: 0, to: values.count, by: 2) {
      dictionaries[index].append((values[pair], values[pair + 1]))
    }
  }

  // MARK: What may be called

  private static let functions: Set<String> = [
    "collections.OrderedDict", "torch.Size", "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
  ]
  private static let storages: [String: ElementType] = [
    "DoubleStorage": .float64, "FloatStorage": .float32, "HalfStorage": .float16,
    "BFloat16Storage": .bfloat16, "LongStorage": .int64, "IntStorage": .int32,
    "ShortStorage": .int16, "CharStorage": .int8, "ByteStorage": .uint8, "BoolStorage": .bool,
  ]

  private func known(_ name: String) throws(ArrayFileError) -> String {
    guard
      Self.functions.contains(name)
        || name.hasPrefix("torch.") && Self.storages[String(name.dropFirst(6))] != nil
    else { throw refused("'\(name.prefix(200))'") }
    return name
  }

  private mutating func call(
    _ function: String, _ arguments: [PickleValue]
  ) throws(ArrayFileError) -> PickleValue {
    switch (function, arguments.count) {
    case ("collections.OrderedDict", 0):
      dictionaries.append([])
      return .dictionary(dictionaries.count - 1)
    case ("torch.Size", 1): return arguments[0]
    case ("torch._utils._rebuild_parameter", 2...):
      guard case .tensor = arguments[0] else { throw damaged("a parameter that is no tensor") }
      return arguments[0]
    case ("torch._utils._rebuild_tensor_v2", 4...):
      guard case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1]
      else { throw damaged("a tensor without storage") }
      // The seventh says that signs are to be turned, or numbers conjugated.
      if arguments.count > 6, case .dictionary(let index) = arguments[6],
        !dictionaries[index].isEmpty
      {
        throw refused("a tensor with a negated or conjugated view")
      }
      let (shape, strides) = (try integers(arguments[2]), try integers(arguments[3]))
      guard shape.count == strides.count, shape.count <= 64 else {
        throw damaged("a tensor with \(shape.count) axes and \(strides.count) strides")
      }
      return .tensor(
        TorchTensor(storage: storage, offset: offset, shape: shape, strides: strides))
    default: throw refused("'\(function)' with \(arguments.count) arguments")
    }
  }

  private func storage(_ id: PickleValue) throws(ArrayFileError) -> TorchStorage {
    guard case .tuple(let tuple) = id, case let parts = tuple.parts, parts.count >= 5,
      case .text("storage") = parts[0],
      case .name(let name) = parts[1], case .text(let key) = parts[2],
      case .integer(let count) = parts[4], count >= 0,
      let type = Self.storages[String(name.dropFirst(6))]
    else { throw damaged("a persistent object that is no storage") }
    return TorchStorage(key: key, elementType: type, count: count)
  }

  private func integers(_ value: PickleValue) throws(ArrayFileError) -> [Int] {
    guard case .tuple(let tuple) = value else { throw damaged("a shape that is no tuple") }
    var result: [Int] = []
    for part in tuple.parts {
      guard case .integer(let size) = part, size >= 0 else { throw damaged("a shape below 0") }
      result.append(size)
    }
    return result
  }

  // MARK: Stack and bytes

  private mutating func pop() throws(ArrayFileError) -> PickleValue {
    guard stack.count > (marks.last ?? 0), let value = stack.popLast() else {
      throw damaged("nothing on the stack")
    }
    return value
  }

  private func top() throws(ArrayFileError) -> PickleValue {
    guard stack.count > (marks.last ?? 0), let value = stack.last else {
      throw damaged("nothing on the stack")
    }
    return value
  }

  private mutating func pop(_ count: Int) throws(ArrayFileError) -> [PickleValue] {
    guard stack.count - (marks.last ?? 0) >= count else { throw damaged("nothing on the stack") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws(ArrayFileError) -> [PickleValue] {
    guard let mark = marks.popLast() else { throw damaged("no mark on the stack") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private func recalled(_ index: Int) throws(ArrayFileError) -> PickleValue {
    guard let value = memo[index] else { throw damaged("nothing remembered as \(index)") }
    return value
  }

  private mutating func long() throws(ArrayFileError) -> Int {
    let bytes = try reader.take(Int(try reader.integer(UInt8.self)))
    guard bytes.count <= 8 else { throw damaged("an integer of \(bytes.count) bytes") }
    var value: Int64 = (bytes.last ?? 0) >= 128 ? -1 : 0
    for byte in bytes.reversed() { value = value << 8 | Int64(byte) }
    return Int(value)
  }

  private mutating func text(_ count: Int) throws(ArrayFileError) -> String {
    String(decoding: try reader.take(count), as: UTF8.self)
  }

  private mutating func line() throws(ArrayFileError) -> String {
    var bytes: [UInt8] = []
    while true {
      let byte = try reader.integer(UInt8.self)
      if byte == 0x0A { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(byte)
    }
  }

  private func damaged(_ what: String) -> ArrayFileError {
    ArrayFileError(.malformedHeader("the pickle has \(what)"))
  }

  private func refused(_ what: String) -> ArrayFileError {
    ArrayFileError(.refusedInstruction(what))
  }
}
