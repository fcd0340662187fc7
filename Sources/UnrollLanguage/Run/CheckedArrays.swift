// Arrays in a safetensors file whose metadata hold a checksum of names, shapes and bytes: a bit
// that was lost on the disk is found when the file is read.

internal import UnrollFormats

extension Safetensors {
  /// The checksum of the arrays and of all other metadata.
  private var checksum: String {
    var value: UInt32 = 0
    for (name, array) in arrays.inKeyOrder {
      value = CRC32.checksum(Array("\(name) \(array.signature)".utf8), after: value)
      value = array.withUnsafeBytes { CRC32.checksum($0, after: value) }
    }
    for (key, word) in metadata.inKeyOrder where key != "crc32" {
      value = CRC32.checksum(Array("\(key)=\(word)".utf8), after: value)
    }
    return String(value, radix: 16)
  }

  /// Writes the file whole, with its checksum.
  ///
  /// - Throws: `RunError` with the system's reason; what stood there before stays then.
  func writeChecked(to path: String) throws {
    var file = self
    file.metadata["crc32"] = checksum
    do { try AtomicFile.write(file.encoded(), to: path) } catch {
      throw RunError(.file("\(error)"), path: path)
    }
  }

  /// Reads a file and checks it, if it has a checksum.
  ///
  /// - Throws: `RunError` if it cannot be read, or is not whole.
  package init(checked path: String) throws {
    do { try self.init(AtomicFile.read(path, limit: .max)) } catch {
      throw RunError(.file("\(error)"), path: path)
    }
    guard metadata["crc32"].map({ $0 == checksum }) ?? true else {
      throw RunError(
        .file("the arrays do not give their checksum; the file is damaged"), path: path)
    }
  }
}
