/// JSON of any form.
package enum JSONTree: Encodable {
  case null
  case truth(Bool)
  case whole(Int)
  case number(Double)
  case text(String)
  case list([JSONTree])
  case object([String: JSONTree])

  /// The value at a path of fields; nil if there is none.
  package subscript(path: [String]) -> JSONTree? {
    guard let name = path.first else { return self }
    guard case .object(let fields) = self else { return nil }
    return fields[name]?[Array(path.dropFirst())]
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .truth(let value): try container.encode(value)
    case .whole(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    case .list(let values): try container.encode(values)
    case .object(let fields): try container.encode(fields)
    }
  }

  /// The tree with another value in each of the fields that hold a number, one at a time, and the field's path.
  package func replacingNumbers(with other: JSONTree) -> [(path: [String], tree: JSONTree)] {
    switch self {
    case .whole, .number: [([], other)]
    case .object(let fields):
      fields.inKeyOrder.flatMap { name, value in
        value.replacingNumbers(with: other).map { path, tree in
          ([name] + path, .object(fields.merging([name: tree]) { $1 }))
        }
      }
    case .null, .truth, .text, .list: []
    }
  }

  /// The tree with another value at a path of fields.
  package func replacing(_ path: [String], with other: JSONTree) -> JSONTree {
    guard let name = path.first else { return other }
    guard case .object(var fields) = self else { return self }
    fields[name] = fields[name]?.replacing(Array(path.dropFirst()), with: other)
    return .object(fields)
  }

  /// Whether it is a number.
  package var isNumber: Bool {
    switch self {
    case .whole, .number: true
    default: false
    }
  }

  /// The value as text for messages.
  package var words: String {
    switch self {
    case .null: "none"
    case .truth(let value): value ? "yes" : "no"
    case .whole(let value): "\(value)"
    case .number(let value): "\(value)"
    case .text(let value): value
    case .list(let values): values.map(\.words).joined(separator: ",")
    case .object(let fields):
      fields.isEmpty
        ? ""
        : fields.inKeyOrder.map { key, value in
          value.words.isEmpty ? key : "\(key) \(value.words)"
        }.joined(separator: ", ")
    }
  }

  /// The kind of value, for errors.
  package var kind: String {
    switch self {
    case .null: "null"
    case .truth(let value): "\(value)"
    case .whole, .number: words
    case .text(let value): "'\(value)'"
    case .list: "a list"
    case .object: "an object"
    }
  }
}
