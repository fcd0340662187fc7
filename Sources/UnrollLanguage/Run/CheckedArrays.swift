// safetensors files with a checksum of names, shapes and bytes in the metadata, which detects corruption when the
// file is read.

internal import UnrollFormats

extension Safetensors {
  /// The checksum of the arrays and the other metadata.
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

  /// Writes the file atomically, with its checksum.
  ///
  /// - Throws: `RunError` with the system's reason; an existing file is then kept.
  func writeChecked(to path: String) throws {
    var file = self
    file.metadata["crc32"] = checksum
    do { try AtomicFile.write(file.encoded(), to: path) } catch {
      throw RunError(.file("\(error)"), path: path)
    }
  }

  /// Reads a file and verifies its checksum, if it has one.
  ///
  /// - Throws: `RunError` if the file cannot be read or is damaged.
  package init(checked path: String) throws {
    do { try self.init(AtomicFile.read(path, limit: .max)) } catch {
      throw RunError(.file("\(error)"), path: path)
    }
    guard metadata["crc32"].map({ $0 == checksum }) ?? true else {
      throw RunError(
        .file("the checksum does not match; the file is damaged"), path: path)
    }
  }
}
