// A reader of Python's pickles that builds numbers, strings, lists, dictionaries and tensors. A pickle is a
// program; this machine never runs what it asks for. Objects of other classes become their class's name, and
// a pickle that asks for a function of the operating system or the interpreter is refused.
//
// Source: Python's `pickletools`; PyTorch's `torch._utils` for what tensors are rebuilt from.

internal import Foundation

/// The restricted machine.
struct PickleMachine {
  private(set) var lists: [[PickleValue]] = []
  private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  private(set) var objects: [PickleObject] = []
  /// The storages of the tensors, by key.
  private(set) var storages: [String: TorchStorage] = [:]
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  private var reader: ByteReader
  /// An estimate of the number of bytes that values may still take.
  private var budget: Int

  /// The byte after the pickle.
  var end: Int { reader.position }

  /// Runs a pickle.
  ///
  /// - Parameters:
  ///   - bytes: The pickle, and what may follow it.
  ///   - budget: About the bytes that its values may take: each instruction leaves one at most.
  /// - Returns: The machine, whose heap the value points into, and the value.
  /// - Throws: `ArrayFileError` for an instruction that is not known, a function that is refused, or a
  ///   pickle that is damaged.
  static func run(
    _ bytes: ArraySlice<UInt8>, budget: Int
  ) throws(ArrayFileError) -> (PickleMachine, PickleValue) {
    var machine = PickleMachine(reader: ByteReader(bytes), budget: budget)
    let value = try machine.run()
    return (machine, value)
  }

  private init(reader: ByteReader, budget: Int) {
    (self.reader, self.budget) = (reader, budget)
  }

  private mutating func run() throws(ArrayFileError) -> PickleValue {
    while true {
      let place = reader.position
      // Twice: arrays grow by doubling.
      try charge(2 * MemoryLayout<PickleValue>.stride)
      let code = try reader.integer(UInt8.self)
      if code == UInt8(ascii: ".") { return try pop() }
      do throws(ArrayFileError) {
        if try push(code) { continue }
        if try change(code) { continue }
        if try make(code) { continue }
        throw refused("the instruction 0x\(String(code, radix: 16))")
      } catch {
        throw ArrayFileError(error.problem, byteOffset: error.byteOffset ?? place)
      }
    }
  }

  private mutating func charge(_ bytes: Int) throws(ArrayFileError) {
    budget -= bytes
    guard budget >= 0 else {
      throw damaged("more instructions than its size allows")
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
    case 0x8A: stack.append(try long(Int(try reader.integer(UInt8.self))))
    case 0x8B: stack.append(try long(Int(try reader.integer(Int32.self))))
    case UInt8(ascii: "G"):
      let bits = try reader.integer(UInt64.self).byteSwapped
      stack.append(.real(Double(bitPattern: bits)))
    // Python 2 wrote strings as byte strings (U, T).
    case UInt8(ascii: "X"), UInt8(ascii: "T"):
      stack.append(.text(try text(Int(try reader.integer(UInt32.self)))))
    case 0x8C, UInt8(ascii: "U"): stack.append(.text(try text(Int(try reader.integer(UInt8.self)))))
    case 0x8D: stack.append(.text(try text(try length())))
    case UInt8(ascii: "C"): try skip(Int(try reader.integer(UInt8.self)))
    case UInt8(ascii: "B"): try skip(Int(try reader.integer(UInt32.self)))
    case 0x8E, 0x96: try skip(try length())
    case UInt8(ascii: "}"): stack.append(dictionary([]))
    case UInt8(ascii: "]"): stack.append(list([]))
    case UInt8(ascii: ")"): stack.append(.tuple(try PickleTuple([])))
    case 0x8F: stack.append(try object("set"))
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "c"):
      let (module, name) = (try line(), try line())
      stack.append(.name(try Self.allowed("\(module).\(name)")))
    case 0x93:
      guard case .text(let name) = try pop(), case .text(let module) = try pop() else {
        throw damaged("a class without a name")
      }
      stack.append(.name(try Self.allowed("\(module).\(name)")))
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
    case UInt8(ascii: "1"): _ = try popToMark()
    case UInt8(ascii: "2"): stack.append(try top())
    case UInt8(ascii: "t"): stack.append(.tuple(try PickleTuple(try popToMark())))
    case 0x85: stack.append(.tuple(try PickleTuple(try pop(1))))
    case 0x86: stack.append(.tuple(try PickleTuple(try pop(2))))
    case 0x87: stack.append(.tuple(try PickleTuple(try pop(3))))
    case UInt8(ascii: "a"): try append(try pop(1))
    case UInt8(ascii: "e"): try append(try popToMark())
    case UInt8(ascii: "l"): stack.append(list(try popToMark()))
    case UInt8(ascii: "s"): try set(try pop(2))
    case UInt8(ascii: "u"): try set(try popToMark())
    case UInt8(ascii: "d"):
      let values = try popToMark()
      stack.append(dictionary([]))
      try set(values)
    case 0x90:
      _ = try popToMark()
      guard case .object = try top() else { throw damaged("no set to add to") }
    case 0x91:
      _ = try popToMark()
      stack.append(try object("frozenset"))
    default: return false
    }
    return true
  }

  // MARK: Instructions that make objects

  private mutating func make(_ code: UInt8) throws(ArrayFileError) -> Bool {
    switch code {
    case UInt8(ascii: "Q"): stack.append(try persistent(try pop()))
    case UInt8(ascii: "R"), 0x81:
      guard case .tuple(let arguments) = try pop(), case .name(let function) = try pop() else {
        throw damaged("a call of what is no function")
      }
      stack.append(try call(function, arguments.parts))
    case 0x92:
      _ = try pop()
      guard case .tuple(let arguments) = try pop(), case .name(let function) = try pop() else {
        throw damaged("a call of what is no function")
      }
      stack.append(try call(function, arguments.parts))
    case UInt8(ascii: "i"):
      let name = try Self.allowed("\(try line()).\(try line())")
      stack.append(try call(name, try popToMark()))
    case UInt8(ascii: "o"):
      let values = try popToMark()
      guard case .name(let function)? = values.first else {
        throw damaged("a call of what is no function")
      }
      stack.append(try call(function, Array(values.dropFirst())))
    case UInt8(ascii: "b"): try build(try pop())
    default: return false
    }
    return true
  }

  /// Gives the object on top of the stack its attributes.
  private mutating func build(_ state: PickleValue) throws(ArrayFileError) {
    switch try top() {
    // The attributes of a state dict's dictionary: versions of modules, which nothing here needs.
    case .dictionary: break
    case .object(let index):
      guard case .dictionary(let place) = state else { return }
      let keys = dictionaries[place].prefix(64).compactMap { entry -> String? in
        if case .text(let word) = entry.key { word } else { nil }
      }
      if keys.contains("_parameters") && keys.contains("_modules") {
        objects[index].isModule = true
      }
    default: throw refused("an object with a state")
    }
  }

  private mutating func append(_ values: [PickleValue]) throws(ArrayFileError) {
    switch try top() {
    case .list(let index): lists[index] += values
    case .object(let index):
      let place = objects[index].list ?? lists.count
      if objects[index].list == nil { lists.append([]) }
      objects[index].list = place
      lists[place] += values
    default: throw damaged("no list to append to")
    }
  }

  private mutating func set(_ values: [PickleValue]) throws(ArrayFileError) {
    var place: Int?
    switch try top() {
    case .dictionary(let index): place = index
    case .object(let index):
      if objects[index].dictionary == nil {
        dictionaries.append([])
        objects[index].dictionary = dictionaries.count - 1
      }
      place = objects[index].dictionary
    default: break
    }
    guard let place, values.count % 2 == 0 else {
      throw damaged("no dictionary to put something into")
    }
    for pair in stride(from: 0, to: values.count, by: 2) {
      dictionaries[place].append((values[pair], values[pair + 1]))
    }
  }

  // MARK: The heap

  mutating func dictionary(_ pairs: [(key: PickleValue, value: PickleValue)]) -> PickleValue {
    dictionaries.append(pairs)
    return .dictionary(dictionaries.count - 1)
  }

  private mutating func list(_ values: [PickleValue]) -> PickleValue {
    lists.append(values)
    return .list(lists.count - 1)
  }

  mutating func object(_ name: String, shape: [Int]? = nil) throws(ArrayFileError) -> PickleValue {
    try charge(2 * MemoryLayout<PickleObject>.stride)
    objects.append(
      PickleObject(name: name, shape: shape, isModule: name.hasPrefix("torch.nn.modules.")))
    return .object(objects.count - 1)
  }

  mutating func remember(_ storage: TorchStorage) throws(ArrayFileError) -> PickleValue {
    try charge(256)
    if let first = storages[storage.key] {
      guard first.count == storage.count, first.type.byteCount == storage.type.byteCount else {
        throw damaged("two sizes of the storage '\(storage.key.prefix(40))'")
      }
    } else {
      storages[storage.key] = storage
    }
    return .storage(storage)
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

  private mutating func long(_ count: Int) throws(ArrayFileError) -> PickleValue {
    let bytes = try reader.take(count)
    guard bytes.count <= 8 else { return .large(Array(bytes)) }
    var value: Int64 = (bytes.last ?? 0) >= 128 ? -1 : 0
    for byte in bytes.reversed() { value = value << 8 | Int64(byte) }
    return .integer(Int(value))
  }

  /// A length of 64 bits.
  private mutating func length() throws(ArrayFileError) -> Int {
    Int(clamping: try reader.integer(UInt64.self))
  }

  private mutating func text(_ count: Int) throws(ArrayFileError) -> String {
    String(decoding: try reader.take(count), as: UTF8.self)
  }

  private mutating func skip(_ count: Int) throws(ArrayFileError) {
    stack.append(.bytes(try reader.take(count).count))
  }

  private mutating func line() throws(ArrayFileError) -> String {
    var bytes: [UInt8] = []
    while true {
      let byte = try reader.integer(UInt8.self)
      if byte == 0x0A { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(byte)
    }
  }

  func damaged(_ what: String) -> ArrayFileError {
    ArrayFileError(.malformedHeader("the pickle has \(what)"))
  }

  func refused(_ what: String) -> ArrayFileError {
    ArrayFileError(.refusedInstruction(what))
  }
}
