// Printing with nested brackets, as in NumPy; long axes are abbreviated.

extension Tensor: CustomStringConvertible {
  /// The elements in nested brackets.
  ///
  /// Axes longer than eight show their first and last three.
  public var description: String {
    var text = ""
    write(axis: 0, start: 0, stride: count, indent: 1, to: &text)
    return text
  }

  private func write(axis: Int, start: Int, stride: Int, indent: Int, to text: inout String) {
    guard axis < rank else {
      text += "\(storage.base[start])"
      return
    }
    let size = shape[axis]
    let isLast = axis == rank - 1
    let separator =
      isLast
      ? ", "
      : String(repeating: "\n", count: rank - axis - 1) + String(repeating: " ", count: indent)
    let shown = size <= 8 ? Array(0..<size) : Array(0..<3) + [-1] + Array(size - 3..<size)
    let inner = size == 0 ? 0 : stride / size
    text += "["
    for (position, index) in shown.enumerated() {
      if position > 0 { text += isLast ? separator : "," + separator }
      if index < 0 {
        text += "..."
      } else {
        write(
          axis: axis + 1, start: start + index * inner, stride: inner, indent: indent + 1, to: &text
        )
      }
    }
    text += "]"
  }
}
