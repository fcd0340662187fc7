// A table with one vector per symbol. Its gradient is nonzero only in the rows that were looked up.

internal import CUnrollKernels
internal import UnrollContracts

/// An embedding table: one vector per symbol.
public struct Embedding<Scalar: KernelScalar>: Sendable {
  /// The vectors, `[V, E]`, one row per symbol.
  ///
  /// - Precondition: A new value has two axes.
  public var vectors: Tensor<Scalar> {
    get { storedVectors }
    _modify {
      defer { check("Embedding.vectors") }
      yield &storedVectors
    }
  }
  private var storedVectors: Tensor<Scalar>

  /// Creates a table.
  ///
  /// - Precondition: The vectors have two axes.
  public init(vectors: Tensor<Scalar>) {
    storedVectors = vectors
    check("Embedding.init")
  }

  private func check(_ operation: StaticString) {
    require(
      storedVectors.rank == 2,
      "\(operation): expected vectors of two axes, got \(storedVectors.shape).")
  }

  /// V, the number of symbols.
  public var symbolCount: Int { storedVectors.shape[0] }
  /// E, the size of a vector.
  public var size: Int { storedVectors.shape[1] }

  /// Looks up the vectors of symbols.
  ///
  /// - Parameters:
  ///   - symbols: T·B symbols, time-major.
  ///   - timeStepCount: T.
  ///   - result: Receives `[T, B, E]`; its memory is reused.
  /// - Precondition: Every symbol is in 0 ..< V, and T divides their number.
  public func lookUp(
    _ symbols: [Int32], timeStepCount: Int, into result: inout Tensor<Scalar>
  ) {
    require(
      timeStepCount > 0 && symbols.count % timeStepCount == 0,
      "Embedding.lookUp: expected a multiple of \(timeStepCount) symbols, got \(symbols.count).")
    let (count, size) = (symbolCount, size)
    result.prepare(timeStepCount, symbols.count / timeStepCount, size)
    for (row, symbol) in symbols.enumerated() {
      require(
        symbol >= 0 && symbol < count,
        "Embedding.lookUp: expected symbols in 0 ..< \(count), got \(symbol).")
      (result.base + row * size).update(
        from: storedVectors.base + Int(symbol) * size, count: size)
    }
  }
}

/// The gradient of an embedding, which is zero except in the rows that were looked up.
public struct EmbeddingGradient<Scalar: KernelScalar>: Sendable {
  /// dL/d vectors, `[V, E]`.
  public private(set) var vectors: Tensor<Scalar>
  /// The symbols whose rows may be nonzero, without duplicates, in the order of first use.
  public private(set) var touched: [Int32] = []
  private var isTouched: [Bool]

  /// Creates a zero gradient for a table of this shape.
  public init(like embedding: Embedding<Scalar>) {
    vectors = Tensor(shape: embedding.vectors.shape)
    isTouched = [Bool](repeating: false, count: embedding.symbolCount)
    touched.reserveCapacity(embedding.symbolCount)
  }

  /// Sets the value to the gradient of one lookup.
  ///
  /// - Parameters:
  ///   - symbols: The symbols that were looked up.
  ///   - gradient: dL/d result, `[T, B, E]`.
  /// - Complexity: O(T·B·E) plus the rows of the previous call; rows are summed in order.
  public mutating func set(symbols: [Int32], gradient: Tensor<Scalar>) {
    let size = vectors.shape[1]
    require(
      gradient.count == symbols.count * size,
      "EmbeddingGradient.set: expected \(symbols.count) rows of \(size), got shape \(gradient.shape)."
    )
    check(symbols, "EmbeddingGradient.set")
    clear()
    for (row, symbol) in symbols.enumerated() {
      if !isTouched[Int(symbol)] {
        isTouched[Int(symbol)] = true
        touched.append(symbol)
      }
      unroll_add_scaled(
        Scalar.kernelType, vectors.base + Int(symbol) * size, gradient.base + row * size, 1, size)
    }
  }

  /// Sets these rows, and all others to zero.
  ///
  /// - Parameters:
  ///   - symbols: The symbols of the rows, without duplicates.
  ///   - rows: dL/d of their vectors, `[symbols, E]`.
  package mutating func set(symbols: [Int32], rows: Tensor<Scalar>) {
    let size = vectors.shape[1]
    require(
      rows.count == symbols.count * size,
      "EmbeddingGradient.set: expected \(symbols.count) rows of \(size), got shape \(rows.shape).")
    check(symbols, "EmbeddingGradient.set")
    clear()
    for (row, symbol) in symbols.enumerated() {
      isTouched[Int(symbol)] = true
      touched.append(symbol)
      (vectors.base + Int(symbol) * size).update(from: rows.base + row * size, count: size)
    }
  }

  private func check(_ symbols: [Int32], _ operation: StaticString) {
    let count = vectors.shape[0]
    for symbol in symbols {
      require(
        symbol >= 0 && symbol < count,
        "\(operation): expected symbols in 0 ..< \(count), got \(symbol).")
    }
  }

  /// Sets all rows to zero.
  private mutating func clear() {
    let size = vectors.shape[1]
    vectors.makeUnique()
    for symbol in touched {
      (vectors.base + Int(symbol) * size).fill(0, count: size)
      isTouched[Int(symbol)] = false
    }
    touched.removeAll(keepingCapacity: true)
  }

  /// Copies the rows of some symbols, touched or not.
  package func copyRows(_ symbols: [Int32], into rows: inout Tensor<Scalar>) {
    let size = vectors.shape[1]
    require(
      rows.count == symbols.count * size,
      "EmbeddingGradient.copyRows: expected \(symbols.count) rows of \(size), got shape \(rows.shape)."
    )
    check(symbols, "EmbeddingGradient.copyRows")
    rows.makeUnique()
    for (row, symbol) in symbols.enumerated() {
      (rows.base + row * size).update(from: vectors.base + Int(symbol) * size, count: size)
    }
  }

  /// The sum of the squares, computed from the touched rows.
  public var sumOfSquares: Double {
    let size = vectors.shape[1]
    var sum = 0.0
    for symbol in touched {
      sum += unroll_sum_of_squares(
        Scalar.kernelType, 1, vectors.base + Int(symbol) * size, size)
    }
    return sum
  }

  /// Adds the touched rows to a gradient of the same shape.
  public func add(to gradient: inout Tensor<Scalar>) {
    let size = vectors.shape[1]
    require(
      gradient.shape == vectors.shape,
      "EmbeddingGradient.add: expected shape \(vectors.shape), got \(gradient.shape).")
    gradient.makeUnique()
    for symbol in touched {
      let offset = Int(symbol) * size
      unroll_add_scaled(
        Scalar.kernelType, gradient.base + offset, vectors.base + offset, 1, size)
    }
  }

  /// Clips every element to ±limit, which must be at least 0.
  public mutating func clip(to limit: Scalar) {
    require(limit >= 0, "EmbeddingGradient.clip: expected a limit of at least 0, got \(limit).")
    let size = vectors.shape[1]
    vectors.makeUnique()
    for symbol in touched {
      unroll_clip(Scalar.kernelType, vectors.base + Int(symbol) * size, Double(limit), size)
    }
  }

  /// Updates the touched rows of a table by plain gradient descent.
  ///
  /// - Parameters:
  ///   - embedding: The table, of this gradient's shape.
  ///   - rate: The learning rate; finite and at least 0.
  public func update(_ embedding: inout Embedding<Scalar>, rate: Double) {
    require(
      embedding.vectors.shape == vectors.shape,
      "EmbeddingGradient.update: expected vectors of shape \(vectors.shape), got \(embedding.vectors.shape)."
    )
    Optimizer.check(rate: rate, "EmbeddingGradient.update")
    let size = vectors.shape[1]
    embedding.vectors.makeUnique()
    withExtendedLifetime(embedding) {
      let table = embedding.vectors.base
      for symbol in touched {
        let offset = Int(symbol) * size
        unroll_add_scaled(Scalar.kernelType, table + offset, vectors.base + offset, -rate, size)
      }
    }
  }
}
