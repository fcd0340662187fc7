// Detects files that are not UTF-8 text by their first bytes.

/// Detection of files that are not UTF-8 text.
enum TextEncoding {
  /// The number of bytes to examine.
  static let sampleSize = 4096

  /// Returns a description of a file that is not UTF-8 text, with the conversion to use.
  ///
  /// Byte order marks and the signatures of compressed files decide. Without a mark, UTF-16 and UTF-32 are recognised
  /// by their NUL bytes: in Latin text every second byte, or three of four bytes, is NUL.
  ///
  /// - Parameter bytes: The first bytes of the file.
  /// - Returns: A clause such as `found UTF-16 …; convert it …`; nil if the file may be UTF-8.
  static func foreign(_ bytes: some Collection<UInt8>) -> String? {
    let bytes = Array(bytes.prefix(sampleSize))
    if bytes.starts(with: [0x1F, 0x8B]) {
      return "found data compressed by gzip; decompress it first"
    }
    if bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
      return "found a ZIP archive; unpack it first"
    }
    if bytes.starts(with: [0x42, 0x5A, 0x68]), bytes.count > 3, (0x31...0x39).contains(bytes[3]) {
      return "found data compressed by bzip2; decompress it first"
    }
    if bytes.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A]) {
      return "found data compressed by xz; decompress it first"
    }
    return name(bytes).map {
      "found \($0); convert it, for example with: iconv -f \($0) -t UTF-8 FILE > NEW"
    }
  }

  private static func name(_ bytes: [UInt8]) -> String? {
    // UTF-32's mark starts like UTF-16's.
    if bytes.starts(with: [0xFF, 0xFE, 0, 0]) || bytes.starts(with: [0, 0, 0xFE, 0xFF]) {
      return "UTF-32"
    }
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) { return "UTF-16" }
    guard bytes.count >= 8 else { return nil }
    var zeros = [0, 0, 0, 0]
    for (index, byte) in bytes.enumerated() where byte == 0 { zeros[index % 4] += 1 }
    let quarter = bytes.count / 4
    func isFull(_ place: Int) -> Bool { zeros[place] * 10 >= quarter * 9 }
    func isSparse(_ places: Int...) -> Bool {
      places.allSatisfy { zeros[$0] * 20 <= quarter }
    }
    if isFull(1), isFull(2), isFull(3), isSparse(0) { return "UTF-32LE" }
    if isFull(0), isFull(1), isFull(2), isSparse(3) { return "UTF-32BE" }
    // Letters of other scripts contain no NUL bytes, but spaces, digits and line ends do: half is enough.
    func isHalf(_ place: Int) -> Bool { zeros[place] * 2 >= quarter }
    if isHalf(1), isHalf(3), isSparse(0, 2) { return "UTF-16LE" }
    if isHalf(0), isHalf(2), isSparse(1, 3) { return "UTF-16BE" }
    return nil
  }
}
