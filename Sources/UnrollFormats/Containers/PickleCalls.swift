// The calls that a pickle may make: functions that rebuild tensors and dictionaries are imitated. Of every other class
// or function the name is kept, and nothing runs.

extension PickleMachine {
  /// Modules that reach the operating system or run code.
  ///
  /// Nothing would run here, but a file that asks for them means harm, and is refused.
  private static let refusedModules: Set<String> = [
    "os", "posix", "nt", "sys", "subprocess", "shutil", "socket", "ctypes", "_ctypes", "importlib",
    "runpy", "pty", "code", "codeop", "commands", "popen2", "webbrowser", "platform", "pip",
    "_posixsubprocess", "signal", "fcntl", "tempfile", "urllib", "http", "ftplib", "smtplib", "imp",
    "pdb", "bdb", "timeit", "cProfile", "profile", "pydoc", "pkgutil", "zipimport",
  ]
  private static let refusedBuiltins: Set<String> = [
    "eval", "exec", "execfile", "compile", "open", "__import__", "input", "breakpoint", "globals",
    "locals", "vars", "setattr", "delattr", "apply", "file", "reload",
  ]

  /// The name, if a file may mention it.
  ///
  /// - Throws: `ArrayFileError` for functions of the system and the interpreter.
  static func allowed(_ name: String) throws(ArrayFileError) -> String {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    let isBuiltin = ["builtins", "__builtin__", "__builtins__"].contains(parts.first)
    let isHarmful =
      refusedModules.contains(String(parts.first ?? "")) || ["io.open", "_io.open"].contains(name)
      || isBuiltin && parts.dropFirst().contains { refusedBuiltins.contains(String($0)) }
    guard !isHarmful else {
      throw ArrayFileError(.refusedInstruction("'\(name.prefix(200))'"))
    }
    return name
  }

  /// The result of a call; an object that is known by name if it is no tensor or dictionary.
  mutating func call(
    _ function: String, _ arguments: [PickleValue]
  ) throws(ArrayFileError) -> PickleValue {
    switch function {
    case "collections.OrderedDict", "collections.defaultdict", "builtins.dict", "__builtin__.dict":
      return try dictionaryCall(function, arguments)
    case "torch.Size":
      guard arguments.count == 1 else {
        throw refused("'torch.Size' with \(arguments.count) arguments")
      }
      return arguments[0]
    case "_codecs.encode":
      if case .text(let text)? = arguments.first { return .bytes(text.unicodeScalars.count) }
    case "torch.device":
      if case .text(let device)? = arguments.first {
        return try object("torch.device '\(device.prefix(40))'")
      }
    case "copyreg._reconstructor", "copy_reg._reconstructor", "copyreg.__newobj__":
      if case .name(let name)? = arguments.first { return try object(name) }
    case "torch.serialization._get_layout":
      if case .text(let layout)? = arguments.first { return try object(String(layout.prefix(40))) }
    case "torch.ScriptObject":
      return try object("torch.ScriptObject, packed parameters of a quantized module")
    case "builtins.bytes", "__builtin__.bytes":
      if arguments.isEmpty { return .bytes(0) }
    case "builtins.set", "__builtin__.set": return try object("set")
    case "builtins.frozenset", "__builtin__.frozenset": return try object("frozenset")
    case "builtins.complex", "__builtin__.complex": return try object("complex number")
    case "builtins.bytearray", "__builtin__.bytearray": return try object("bytearray")
    default:
      if function.hasPrefix("torch."), let value = try tensorCall(function, arguments) {
        return value
      }
      if function.hasPrefix("numpy.") && function.hasSuffix(".multiarray.scalar") {
        return try object("NumPy number")
      }
      if function.hasPrefix("numpy.") && function.hasSuffix(".multiarray._reconstruct") {
        return try object("NumPy array")
      }
    }
    return try object(function)
  }

  private mutating func dictionaryCall(
    _ function: String, _ arguments: [PickleValue]
  ) throws(ArrayFileError) -> PickleValue {
    // The argument of a defaultdict says what is there for a key that is not.
    guard function != "collections.defaultdict", let first = arguments.first else {
      return dictionary([])
    }
    // Python 2 wrote the pairs as the argument.
    guard arguments.count == 1, case .list(let index) = first else { return try object(function) }
    var pairs: [(key: PickleValue, value: PickleValue)] = []
    for pair in lists[index] {
      let parts: [PickleValue]
      switch pair {
      case .tuple(let tuple): parts = tuple.parts
      case .list(let place): parts = lists[place]
      default: parts = []
      }
      guard parts.count == 2 else { throw damaged("a dictionary of what are no pairs") }
      pairs.append((parts[0], parts[1]))
    }
    return dictionary(pairs)
  }

  /// The value that one of PyTorch's functions rebuilds; nil for other classes and functions.
  private mutating func tensorCall(
    _ function: String, _ arguments: [PickleValue]
  ) throws(ArrayFileError) -> PickleValue? {
    switch (function, arguments.count) {
    case ("torch._utils._rebuild_parameter", 2...),
      ("torch._utils._rebuild_parameter_with_state", 2...),
      ("torch.nn.parameter.Parameter", 1...):
      switch arguments[0] {
      case .tensor, .object: return arguments[0]
      default: throw damaged("a parameter that is no tensor")
      }
    case ("torch._utils._rebuild_tensor", 4), ("torch._utils._rebuild_tensor_v2", 4...):
      return try tensor(arguments, type: nil, metadata: 6)
    case ("torch._utils._rebuild_tensor_v3", 7...):
      guard case .name(let name) = arguments[6],
        let type = TorchType(dtype: String(name.dropFirst("torch.".count)))
      else { throw damaged("a tensor without a type") }
      return try tensor(arguments, type: type, metadata: 7)
    case ("torch._utils._rebuild_qtensor", 4...):
      return try object("quantized tensor", shape: integers(arguments[2]))
    case ("torch._utils._rebuild_sparse_tensor", 2):
      var shape: [Int]?
      if case .tuple(let data) = arguments[1] {
        for part in data.parts {
          if case .tuple = part { shape = try? integers(part) }
        }
      }
      return try object("sparse tensor", shape: shape)
    case ("torch._utils._rebuild_meta_tensor_no_storage", 2...):
      return try object(
        "tensor of the device 'meta', which has no numbers", shape: integers(arguments[1]))
    case ("torch._tensor._rebuild_from_type_v2", 3...), ("torch._tensor._rebuild_from_type", 3...),
      ("torch._utils._rebuild_from_type_v2", 3...):
      guard case .name(let inner) = arguments[0], case .tuple(let parts) = arguments[2] else {
        throw damaged("a tensor that nothing rebuilds")
      }
      return try call(inner, parts.parts)
    case ("torch._utils._rebuild_tensor", _), ("torch._utils._rebuild_tensor_v2", _),
      ("torch._utils._rebuild_tensor_v3", _), ("torch._utils._rebuild_parameter", _):
      throw refused("'\(function)' with \(arguments.count) arguments")
    default: return nil
    }
  }

  private mutating func tensor(
    _ arguments: [PickleValue], type: TorchType?, metadata: Int
  ) throws(ArrayFileError) -> PickleValue {
    guard case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1]
    else { throw damaged("a tensor without storage") }
    // The last argument says that signs are to be turned, or numbers conjugated.
    var obstacle: String?
    if arguments.count > metadata, case .dictionary(let index) = arguments[metadata],
      !dictionaries[index].isEmpty
    {
      obstacle = "a negated or conjugated view"
    }
    let (shape, strides) = (try integers(arguments[2]), try integers(arguments[3]))
    guard shape.count == strides.count, shape.count <= 64 else {
      throw damaged("a tensor with \(shape.count) axes and \(strides.count) strides")
    }
    return .tensor(
      TorchTensor(
        storage: storage, type: type ?? storage.type, offset: offset, shape: shape,
        strides: strides, obstacle: obstacle))
  }

  /// A value outside the pickle: a storage, or the source text of a module's class.
  mutating func persistent(_ id: PickleValue) throws(ArrayFileError) -> PickleValue {
    guard case .tuple(let tuple) = id, case let parts = tuple.parts,
      case .text(let kind)? = parts.first
    else { throw damaged("a persistent object that is no storage") }
    if kind == "module", parts.count >= 2 { return parts[1] }
    guard kind == "storage", parts.count >= 5,
      case .name(let name) = parts[1], case .text(let key) = parts[2],
      case .integer(let count) = parts[4], count >= 0,
      let type = TorchType(storage: String(name.split(separator: ".").last ?? ""))
    else { throw damaged("a persistent object that is no storage") }
    var range = 0..<count
    // Before PyTorch 0.4 a storage could be a part of another: key, offset, size.
    if parts.count > 5, case .tuple(let view) = parts[5], view.parts.count == 3 {
      guard case .integer(let start) = view.parts[1], case .integer(let size) = view.parts[2],
        (0...count).contains(start), (0...(count - start)).contains(size)
      else { throw damaged("a part of a storage that reaches beyond it") }
      range = start..<start + size
    }
    return try remember(TorchStorage(key: key, type: type, count: count, range: range))
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
}
