// Cases for random numbers, which must be exact. Of long arrays the set contains the SHA-256 digest and
// both ends.

internal import Unroll
internal import UnrollFormats

/// The maximum number of draws per call of a case.
enum RandomCaseLimit {
  static let count = 100_000_000
}

/// A sequence of calls of NumPy's legacy generator on one stream.
enum NumPyRandomCase {
  static func compare(_ golden: GoldenCase, _ archive: NPZ) throws -> Comparison {
    guard let seed = golden.fields["seed"]?.integer, let start = UInt32(exactly: seed),
      let calls = golden.fields["calls"]?.array
    else { throw VerificationError("expected 'seed' and 'calls' in the index") }
    var comparison = Comparison()
    var random = NumPyRandom(seed: start)
    for call in calls {
      guard let function = call["f"]?.string, let name = call["array"]?.string else {
        throw VerificationError("calls: expected 'f' and 'array' in every call")
      }
      let arguments = Arguments(call)
      let values = try values(function, arguments, &random)
      if let expected = call["sha256"]?.string {
        comparison.compareExactly(
          [sha256(values.bytes)], [expected], as: function, array: name)
      }
      if archive.contains(name) {
        let stored = try archive.array(name)
        comparison.compareExactly(values.bytes, stored.bytes, as: function, array: name)
        if let shape = call["shape"]?.integers {
          comparison.compareExactly(shape, stored.shape, as: function, array: name)
        }
      } else {
        let (head, tail) = (try archive.array("\(name).head"), try archive.array("\(name).tail"))
        comparison.compareExactly(
          Array(values.bytes.prefix(head.bytes.count)), head.bytes, as: function,
          array: "\(name).head")
        comparison.compareExactly(
          Array(values.bytes.suffix(tail.bytes.count)), tail.bytes, as: function,
          array: "\(name).tail")
      }
    }
    return comparison
  }

  /// The arguments of a call.
  private struct Arguments {
    let call: JSONValue
    let list: [JSONValue]

    init(_ call: JSONValue) {
      self.call = call
      list = call["a"]?.array ?? []
    }

    func integer(_ index: Int) throws -> Int {
      guard index < list.count, let value = list[index].integer else {
        throw VerificationError("calls: expected an integer as argument \(index)")
      }
      return value
    }

    /// Returns a count, which must be at least 0 and within the limit.
    func count(_ index: Int) throws -> Int { try Self.checked([integer(index)])[0] }

    /// Returns a probability.
    func probability(_ index: Int) throws -> Double {
      let value = try double(index)
      guard (0...1).contains(value) else {
        throw VerificationError("calls: expected a probability, found \(value)")
      }
      return value
    }

    static func checked(_ sizes: [Int]) throws -> [Int] {
      var product = 1
      for size in sizes {
        guard (0...RandomCaseLimit.count).contains(size) else {
          throw VerificationError(
            "calls: expected sizes in 0 ... \(RandomCaseLimit.count), found \(size)")
        }
        product = min(RandomCaseLimit.count + 1, product * size)
      }
      guard product <= RandomCaseLimit.count else {
        throw VerificationError("calls: expected at most \(RandomCaseLimit.count) numbers")
      }
      return sizes
    }

    func double(_ index: Int) throws -> Double {
      guard index < list.count, let value = list[index].double else {
        throw VerificationError("calls: expected a number as argument \(index)")
      }
      return value
    }

    /// Returns a shape: a number, a list, or nothing (one number).
    func shape(_ index: Int) throws -> [Int] {
      guard index < list.count else { return [] }
      guard let sizes = list[index].integers ?? list[index].integer.map({ [$0] }) else {
        throw VerificationError("calls: expected a shape as argument \(index)")
      }
      return try Self.checked(sizes)
    }

    /// Returns all arguments as one shape.
    func shape() throws -> [Int] {
      let sizes = list.compactMap(\.integer)
      guard sizes.count == list.count else {
        throw VerificationError("calls: expected sizes as arguments")
      }
      return try Self.checked(sizes)
    }
    subscript(keyword: String) -> JSONValue? { call["kw"]?[keyword] }
  }

  /// The result of a call, as little-endian bytes of NumPy's type.
  private struct Values {
    var bytes: [UInt8] = []

    init(_ tensor: Tensor<Double>) { bytes = StoredArray(tensor).bytes }

    init(_ integers: [Int], width: Int = 8) {
      for value in integers {
        for byte in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
      }
    }
  }

  private static func values(
    _ function: String, _ a: Arguments, _ random: inout NumPyRandom
  ) throws -> Values {
    func count(_ shape: [Int]) -> Int { shape.reduce(1, *) }
    switch function {
    case "rand": return Values(random.rand(try a.shape()))
    case "random_sample": return Values(random.rand(try a.shape(0)))
    case "randn": return Values(random.randn(try a.shape()))
    case "standard_normal": return Values(random.randn(try a.shape(0)))
    case "normal":
      return Values(
        random.normal(mean: try a.double(0), deviation: try a.double(1), try a.shape(2)))
    case "uniform": return Values(random.uniform(try a.double(0), try a.double(1), try a.shape(2)))
    case "randint":
      let (type, width) = try integerType(a["dtype"]?.string ?? "int64")
      let (low, high) = (try a.integer(0), try a.integer(1))
      let range = UInt64(bitPattern: Int64(high &- 1 &- low))
      guard low < high, width == 8 || range >> UInt64(type == .bool ? 1 : 8 * width) == 0
      else { throw VerificationError("randint: expected low < high, and a range of the type's") }
      return Values(
        random.randint(low, high, count: count(try a.shape(2)), type: type), width: width)
    case "words":
      return Values((0..<(try a.count(0))).map { _ in Int(random.nextWord()) }, width: 4)
    case "key": return Values(random.keyWords.map { Int($0) }, width: 4)
    case "pos": return Values([random.position])
    case "reseed":
      let seed = try a.integer(0)
      random.seed(UInt32(truncatingIfNeeded: seed))
      return Values([seed], width: 4)
    case "shuffle", "permutation": return Values(random.permutation(try a.count(0)))
    case "shuffle_rows":
      let sizes = try a.shape()
      guard sizes.count == 2 else { throw VerificationError("shuffle_rows: expected two sizes") }
      let (rows, width) = (sizes[0], sizes[1])
      let order = random.permutation(rows)
      return Values(order.flatMap { row in (0..<width).map { row * width + $0 } })
    case "choice":
      let (population, draws) = (try a.count(0), count(try a.shape(1)))
      let (replacing, probabilities) = (a["replace"]?.bool ?? true, a["p"]?.doubles)
      guard a["p"] == nil || probabilities != nil else {
        throw VerificationError("choice: expected probabilities")
      }
      guard population > 0, replacing || draws <= population,
        probabilities.map({ p in
          p.count == population && p.allSatisfy { $0 >= 0 }
            && p.count { $0 > 0 } >= (replacing ? 1 : draws)
        }) ?? true
      else { throw VerificationError("choice: expected enough to choose from") }
      return Values(
        random.choice(
          population, count: draws, replacing: replacing, probabilities: probabilities))
    case "multinomial":
      guard a.list.count > 1, let probabilities = a.list[1].doubles,
        probabilities.allSatisfy({ (0...1).contains($0) })
      else { throw VerificationError("multinomial: expected probabilities") }
      let trials = try a.count(0)
      _ = try Arguments.checked(try a.shape(2) + [probabilities.count])
      return Values(
        (0..<count(try a.shape(2))).flatMap { _ in random.multinomial(trials, probabilities) })
    case "binomial":
      let (trials, probability) = (try a.count(0), try a.probability(1))
      return Values(
        (0..<count(try a.shape(2))).map { _ in random.binomial(trials, probability) })
    default: throw VerificationError("calls: unknown function '\(function)'")
    }
  }

  private static func integerType(_ name: String) throws -> (NumPyRandom.IntegerType, Int) {
    switch name {
    case "int64", "uint64", "int": return (.bits64, 8)
    case "int32", "uint32": return (.bits32, 4)
    case "int16", "uint16": return (.bits16, 2)
    case "int8", "uint8": return (.bits8, 1)
    case "bool_", "bool": return (.bool, 1)
    default: throw VerificationError("randint: unknown dtype '\(name)'")
    }
  }
}

/// TensorFlow's random operations, or its Glorot initialiser.
enum TensorFlowRandomCase {
  static func compare(_ golden: GoldenCase, _ archive: NPZ) throws -> Comparison {
    if let rows = golden.fields["rows"]?.array { return try glorot(rows, archive) }
    guard let seed = golden.fields["seed"]?.integer, let opSeed = golden.fields["seed2"]?.integer
    else { throw VerificationError("expected 'seed' and 'seed2' in the index") }
    let random = TensorFlowRandom(seed: Int64(seed), opSeed: Int64(opSeed))
    let range = golden.fields["int_range"]?.integers ?? []
    var comparison = Comparison()
    if archive.contains("blocks.first16") {
      let blocks = try archive.array("blocks.first16")
      comparison.compareExactly(
        random.words(blockCount: blocks.shape.first ?? 0).map { Int($0) }, try blocks.integers(),
        as: "blocks", array: "blocks.first16")
    }
    for name in archive.names where name != "blocks.first16" {
      // nCOUNT.OP, nCOUNT.OP.run2, nCOUNT.OP.head, nCOUNT.OP.tail
      let parts = name.split(separator: ".").map(String.init)
      guard parts.count >= 2, parts[0].hasPrefix("n"), let count = Int(parts[0].dropFirst()),
        (0...RandomCaseLimit.count).contains(count)
      else { continue }
      var operation = random
      operation.run = parts.last == "run2" ? 1 : 0
      let bytes = try bytes(parts[1], count, operation, range)
      let stored = try archive.array(name).bytes
      let ours: [UInt8] =
        switch parts.last {
        case "head": Array(bytes.prefix(stored.count))
        case "tail": Array(bytes.suffix(stored.count))
        default: bytes
        }
      comparison.compareExactly(ours, stored, as: parts[1], array: name)
      if operation.run == 0,
        let expected = golden.fields["sha256_of_arrays"]?["\(parts[0]).\(parts[1])"]?.string
      {
        comparison.compareExactly([sha256(bytes)], [expected], as: parts[1], array: name)
      }
    }
    return comparison
  }

  private static func bytes(
    _ operation: String, _ count: Int, _ random: TensorFlowRandom, _ range: [Int]
  ) throws -> [UInt8] {
    switch operation {
    case "u32": return StoredArray(Tensor(random.uniformFloat(count: count))).bytes
    case "u64": return StoredArray(Tensor(random.uniformDouble(count: count))).bytes
    case "n32": return StoredArray(Tensor(random.normalFloat(count: count))).bytes
    case "n64": return StoredArray(Tensor(random.normalDouble(count: count))).bytes
    case "t32": return StoredArray(Tensor(random.truncatedNormalFloat(count: count))).bytes
    case "t64": return StoredArray(Tensor(random.truncatedNormalDouble(count: count))).bytes
    case "int":
      guard range.count == 2, let low = Int32(exactly: range[0]),
        let high = Int32(exactly: range[1]), low < high
      else { throw VerificationError("int_range: expected two 32-bit integers, low < high") }
      return random.uniformInt32(count: count, from: low, to: high).flatMap { value in
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      }
    default: throw VerificationError("unknown random operation '\(operation)'")
    }
  }

  private static func glorot(_ rows: [JSONValue], _ archive: NPZ) throws -> Comparison {
    var comparison = Comparison()
    for row in rows {
      guard let name = row["array"]?.string, let fanIn = row["fan_in"]?.integer,
        let fanOut = row["fan_out"]?.integer, let seed = row["seed"]?.integer,
        let opSeed = row["seed2"]?.integer
      else { throw VerificationError("rows: expected array, fan_in, fan_out, seed, seed2") }
      guard (1...10_000).contains(fanIn), (1...10_000).contains(fanOut) else {
        throw VerificationError("rows: expected fans in 1 ... 10000, found \(fanIn), \(fanOut)")
      }
      let ours = TensorFlowRandom(seed: Int64(seed), opSeed: Int64(opSeed))
        .glorotUniform(fanIn: fanIn, fanOut: fanOut)
      comparison.compareExactly(
        StoredArray(ours).bytes, try archive.array(name).bytes, as: "glorot_uniform", array: name)
    }
    return comparison
  }
}

/// tanh and sigmoid at many points.
enum ActivationCase {
  static func compare(_ archive: NPZ) throws -> Comparison {
    var comparison = Comparison()
    comparison.use("x")
    let x: Tensor<Float> = try archive.tensor("x")
    for (name, function) in [("tanh", Activation.tanh), ("sigmoid", .sigmoid)] {
      let truth = Tensor<Double>(x).activated(by: function)
      if archive.contains("\(name)64") {
        let (ours, theirs) = try finite(truth, archive.tensor("\(name)64"), x)
        comparison.compare(
          ours, theirs, as: "\(name)64", array: "\(name)64", bound: Bounds.double)
      }
      if archive.contains("\(name)32") {
        // TensorFlow flushes subnormal numbers and returns −1 for tanh(NaN), so these points are excluded. Its error
        // with respect to float64 determines the bound.
        let (exact, theirs) = try finite(
          Tensor<Float>(truth), archive.tensor("\(name)32"), x)
        let (ours, _) = try finite(x.activated(by: function), archive.tensor("\(name)32"), x)
        comparison.compare(
          ours, theirs, as: "\(name)32", array: "\(name)32", bound: Bounds.floatFloor)
        comparison.compare(
          ours, exact, as: "\(name)32 against float64", array: "\(name)32", bound: 2.4e-7)
      }
    }
    return comparison
  }

  /// Returns the values at points that are neither NaN nor subnormal.
  private static func finite<Scalar: KernelScalar>(
    _ ours: Tensor<Scalar>, _ theirs: Tensor<Scalar>, _ x: Tensor<Float>
  ) throws -> (Tensor<Scalar>, Tensor<Scalar>) {
    guard ours.count == theirs.count, ours.count == x.count else {
      throw VerificationError("expected as many values as points")
    }
    guard x.elements.contains(where: { !$0.isNaN && !$0.isSubnormal }) else {
      throw VerificationError("x: expected at least one point")
    }
    let points = x.elements.enumerated().filter { !$1.isNaN && !$1.isSubnormal }.map(\.offset)
    let (a, b) = (ours.elements, theirs.elements)
    return (Tensor(points.map { a[$0] }), Tensor(points.map { b[$0] }))
  }
}
