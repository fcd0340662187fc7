// Messages for an invalid config.json: the field, the expectation, and the finding.

import Foundation
import Testing
import UnrollFormats
import UnrollLanguage
import UnrollTestSupport

@Suite("Messages about settings in a file")
struct SettingsMessageTests {
  /// Returns the message for a file with this text, without the path.
  private func sentence(_ text: String) throws -> String {
    try withTemporaryFolder { folder in
      let path = folder + "/config.json"
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: RunError.self) { try RunConfiguration(contentsOf: path) }
      return error?.description.replacingOccurrences(of: path + ": ", with: "") ?? ""
    }
  }

  private func whole() throws -> String {
    String(decoding: try TrainerTests.configuration().encoded(), as: UTF8.self)
  }

  @Test("A value of another type, or beyond its range, is told with its field and what it may be")
  func values() throws {
    let whole = try whole()
    for (old, new, expected) in [
      (
        "\"layers\" : 2", "\"layers\" : [1]",
        "'model.layers': expected a whole number of 1 ... 1000, found a list"
      ),
      (
        "\"layers\" : 2", "\"layers\" : {}",
        "'model.layers': expected a whole number of 1 ... 1000, found an object"
      ),
      (
        "\"layers\" : 2", "\"layers\" : null",
        "'model.layers': expected a whole number of 1 ... 1000, found null"
      ),
      (
        "\"layers\" : 2", "\"layers\" : 1e30",
        "'model.layers': expected a whole number of 1 ... 1000, found 1e+30"
      ),
      (
        "\"layers\" : 2", "\"layers\" : 99999999999999999999",
        "'model.layers': expected a whole number of 1 ... 1000, found 1e+20"
      ),
      (
        "\"seed\" : 0", "\"seed\" : -1",
        "'training.seed': expected a whole number of 0 ... 4294967295, found -1"
      ),
      (
        "\"seed\" : 0", "\"seed\" : 4294967296",
        "'training.seed': expected a whole number of 0 ... 4294967295, found 4294967296"
      ),
      (
        "\"seed\" : 0", "\"seed\" : \"0\"",
        "'training.seed': expected a whole number of 0 ... 4294967295, found '0'"
      ),
      (
        "\"seed\" : 0", "\"seed\" : null",
        "'training.seed': expected a whole number of 0 ... 4294967295, found null"
      ),
      (
        "\"minimum_count\" : 1", "\"minimum_count\" : true",
        "'minimum_count': expected a whole number of at least 1, found true"
      ),
      (
        "\"learning_rate\" : 0.004", "\"learning_rate\" : \"a\"",
        "'training.learning_rate': expected a number, found 'a'"
      ),
      (
        "\"learning_rate\" : 0.004", "\"learning_rate\" : null",
        "'training.learning_rate': expected a number, found null"
      ),
      (
        "\"learning_rate\" : 0.004", "\"learning_rate\" : 1e400",
        "'training.learning_rate': expected a number that float64 can hold, found inf"
      ),
      (
        "\"unit\" : \"words\"", "\"unit\" : null",
        "'unit': expected one of words, characters, bytes, found null"
      ),
      (
        "\"unit\" : \"words\"", "\"unit\" : 3",
        "'unit': expected one of words, characters, bytes, found 3"
      ),
      ("\"version\" : \"test\"", "\"version\" : 3", "'version': expected text, found 3"),
      (
        "\"version\" : \"test\"", "\"version\" : \"test\", \"corpus\" : 3",
        "'corpus': expected text, found 3"
      ),
      ("\"preset\" : \"grammar\"", "\"preset\" : 3", "'preset': expected one of grammar, course,"),
      (
        "\"preset\" : \"grammar\"", "\"preset\" : \"gramar\"",
        "preset: expected one of grammar, course, zaremba-small, zaremba-medium, tied-200, tied-512, awd, char-ptb, char-shakespeare, found 'gramar'; did you mean 'grammar'?"
      ),
    ] {
      #expect(whole.contains(old), "\(old)")
      let found = try sentence(whole.replacingOccurrences(of: old, with: new))
      #expect(found.hasPrefix(expected), "\(found)")
    }
  }

  @Test("A group of settings that is none, and a split that cannot be, are told by name")
  func groups() throws {
    let settings = try TrainerTests.configuration()
    let bytes = try settings.encoded()
    let tree = try JSONReader.tree(bytes)
    func sentence(_ path: [String], _ value: JSONTree) throws -> String {
      let encoded = try JSONEncoder().encode(tree.replacing(path, with: value))
      return try self.sentence(String(decoding: encoded, as: UTF8.self))
    }
    for path in [
      ["model"], ["training"], ["model", "dropout"], ["training", "penalties"],
      ["training", "initialization"],
    ] {
      let name = path.joined(separator: ".")
      for (value, found) in [
        (JSONTree.whole(5), "5"), (.null, "null"), (.list([]), "a list"), (.text("x"), "'x'"),
      ] {
        #expect(
          try sentence(path, value) == "'\(name)': expected an object of settings, found \(found)")
      }
    }
    for (value, found) in [(JSONTree.text("constant"), "'constant'"), (.object([:]), "an object")] {
      #expect(
        try sentence(["training", "schedule"], value)
          == "'training.schedule': expected an object of one field, constant, decay or plateau, found \(found)"
      )
    }
    for (value, expected) in [
      (
        JSONTree.list([.whole(1)]),
        "split: expected two or three fractions, for train, valid and perhaps test, found 1: 1.0"
      ),
      (
        .list([.number(0.5), .number(0.6)]),
        "split: expected fractions that sum to 1, found 0.5,0.6, which sum to 1.1"
      ),
      (
        .list([.text("a")]),
        "'split': expected a list of fractions, such as [0.9, 0.05, 0.05], found a list"
      ),
      (.whole(1), "'split': expected a list of fractions, such as [0.9, 0.05, 0.05], found 1"),
      (.null, "'split': expected a list of fractions, such as [0.9, 0.05, 0.05], found null"),
    ] {
      #expect(try sentence(["split"], value) == expected)
    }
    #expect(
      try sentence(["training", "initialization", "embedding_range"], .whole(-1))
        == "initialization.embedding_range: expected a number of at least 0, found -1.0")
  }

  @Test("Chrono initialisation is refused where it cannot be")
  func chrono() throws {
    let bytes = try TrainerTests.configuration {
      $0.training.initialization.chronoSteps = 5
    }.encoded()
    let tree = try JSONReader.tree(bytes)
    let field = ["training", "initialization", "chrono_steps"]
    for (path, value, expected) in [
      (field, JSONTree.whole(2), "expected 3 ... 1000000000, found 2"),
      (
        ["model", "cell"], .text("rnn"),
        "expected a cell with a gate that keeps the state, found rnn; leave it out"
      ),
    ] {
      let encoded = try JSONEncoder().encode(tree.replacing(path, with: value))
      #expect(
        try sentence(String(decoding: encoded, as: UTF8.self))
          == "initialization.chrono_steps: \(expected)")
    }
  }

  @Test(
    "Text that is no JSON is told with line and column, and a field that is there twice with both lines"
  )
  func malformed() throws {
    for (text, expected) in [
      ("", "line 1, column 1: expected a value, found the end of the file"),
      ("{", "line 1, column 2: expected a field's name in quotes, found the end of the file"),
      ("{\n  \"a\" 1\n}", "line 2, column 7: expected ':' behind 'a', found '1'"),
      (
        "{\n  \"a\": 1\n  \"b\": 2\n}",
        "line 3, column 3: expected ',' or '}' behind the value of 'a', found '\"'"
      ),
      ("{\"ä\": 1,}", "line 1, column 9: expected a field's name in quotes, found '}'"),
      ("{\"a\": [1, 2}", "line 1, column 12: expected ',' or ']' in a list, found '}'"),
      ("{\"a\": yes}", "line 1, column 7: expected a value, found 'yes'"),
      ("{\"a\": 'x'}", "line 1, column 7: expected a value, found ''x''"),
      ("{\"a\": 01}", "line 1, column 8: expected ',' or '}' behind the value of 'a', found '1'"),
      ("{\"a\": 1.}", "line 1, column 9: expected a digit, found '}'"),
      ("{\"a\": -}", "line 1, column 8: expected a digit, found '}'"),
      (
        "{\"a\": \"x\n\"}",
        "line 1, column 9: expected '\"' at the end of a text, found the end of the line"
      ),
      (
        "{\"a\": \"\\x\"}",
        "line 1, column 9: expected one of \" \\ / b f n r t u behind '\\', found 'x'"
      ),
      ("{\"a\": \"\\u12\"}", "line 1, column 10: expected four hexadecimal digits, found '12'"),
      ("{} x", "line 1, column 4: expected the end of the file, found 'x'"),
      (
        "{\"a\": {\"b\": 1,\n \"c\": 2,\n \"b\": 3}}",
        "line 3, column 2: expected each field once, found 'a.b' again, which line 1 has already; leave one of them out"
      ),
      (
        String(repeating: "[", count: 100_000),
        "line 1, column 65: expected at most 64 lists and objects within each other, found '['"
      ),
    ] {
      #expect(try sentence(text) == expected)
    }
    let twice = try whole().replacingOccurrences(
      of: "\"seed\" : 0", with: "\"seed\" : 0, \"seed\" : 1")
    #expect(try sentence(twice).contains("found 'training.seed' again, which line "))
  }

  @Test("What is JSON is read as Foundation reads it")
  func agreement() throws {
    for text in [
      "{\"a\":[1,-2,0,0.5,-1e3,2E+2,1e-2,12345678901234567890]}", "[]", "{}", "\"x\"", " 3 ",
      "[true,false,null]", "{\"a\":{\"b\":{\"c\":[[[]]]}}}",
      "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00ä😀\"",
    ] {
      let tree = try JSONReader.tree(Array(text.utf8))
      let ours = try JSONSerialization.jsonObject(
        with: JSONEncoder().encode(tree), options: .fragmentsAllowed)
      let theirs = try JSONSerialization.jsonObject(
        with: Data(text.utf8), options: .fragmentsAllowed)
      #expect(ours as? NSObject == theirs as? NSObject, "\(text)")
    }
  }
}
