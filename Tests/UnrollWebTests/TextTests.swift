// Conversion of a text's bytes to characters for the page.

import Testing
import UnrollWeb

@Suite("Text of bytes")
struct TextTests {
  @Test("A character is shown when its last byte has come")
  func characters() {
    var (pending, shown) = ([UInt8](), "")
    for byte in Array("aé€😀z".utf8) {
      pending.append(byte)
      let whole = LanguageRoutes.wholeCharacters(pending)
      shown += String(decoding: pending[..<whole], as: UTF8.self)
      pending.removeFirst(whole)
      #expect(!shown.contains("\u{FFFD}"))
    }
    #expect(shown == "aé€😀z")
    // Invalid bytes are not held back for ever.
    #expect(LanguageRoutes.wholeCharacters([0x80, 0x80, 0x80, 0x80]) == 4)
    #expect(LanguageRoutes.wholeCharacters([0xFF]) == 1)
  }
}
