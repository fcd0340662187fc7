// Sorting by a name or a number, with one compiled copy of the algorithm for each. `sorted(by:)` is compiled again
// for each type of element and each closure: thirty copies were a tenth of this module.

package enum SortedOrder {
  /// The indices of some names in ascending order of the names; equal names keep their order.
  @inline(never)
  package static func indices(of names: [String]) -> [Int] {
    names.indices.sorted { names[$0] == names[$1] ? $0 < $1 : names[$0] < names[$1] }
  }

  /// The indices of some numbers in ascending order of the numbers; equal numbers keep their order.
  @inline(never)
  package static func indices(of numbers: [Int]) -> [Int] {
    numbers.indices.sorted { (numbers[$0], $0) < (numbers[$1], $1) }
  }

  /// Some names in ascending order.
  @inline(never)
  package static func names(_ names: [String]) -> [String] { names.sorted() }
}

extension Sequence {
  /// The elements in ascending order of their names; elements of the same name keep their order.
  package func sorted(byName name: (Element) -> String) -> [Element] {
    let elements = Array(self)
    return SortedOrder.indices(of: elements.map(name)).map { elements[$0] }
  }

  /// The elements in ascending order of a number; elements with the same number keep their order.
  package func sorted(byNumber number: (Element) -> Int) -> [Element] {
    let elements = Array(self)
    return SortedOrder.indices(of: elements.map(number)).map { elements[$0] }
  }
}

extension Sequence<String> {
  /// The names in ascending order.
  package func sortedNames() -> [String] { SortedOrder.names(Array(self)) }
}

extension Dictionary where Key == String {
  /// The pairs in ascending order of their keys.
  package var inKeyOrder: [(key: String, value: Value)] { sorted(byName: { $0.key }) }
}
