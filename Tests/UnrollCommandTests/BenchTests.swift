// `unroll bench`: workloads in, the same fields out, and sentences for lists that cannot be used.
// Times are not checked here.

import Foundation
import Testing
import UnrollTestSupport

@Suite("unroll bench")
struct BenchTests {
  private func bench(_ list: String, _ arguments: String...) throws -> CommandTests.Outcome {
    try withTemporaryFolder { folder in
      let file = folder + "/list.json"
      try list.write(toFile: file, atomically: true, encoding: .utf8)
      return try CommandTests().run(["bench", "--workloads", file] + arguments)
    }
  }

  @Test("Results repeat the fields of the list and add times and rates")
  func fields() throws {
    let result = try bench(
      """
      [{"kind": "layer", "name": "one", "cell": "gru", "T": 3, "B": 2, "I": 4, "H": 5, "layers": 2,
        "mode": "train", "threads": 2, "dtype": "f64", "note": "kept", "exact": true},
       {"kind": "layer", "name": "two", "cell": "lstm", "T": 1, "B": 1, "I": 4, "H": 20,
        "layers": 1, "mode": "step", "threads": 1, "dtype": "f32"},
       {"kind": "lm", "name": "three", "cell": "rnn", "V": 30, "E": 6, "H": 6, "layers": 1, "T": 4,
        "B": 2, "opt": "adam", "clip": 5.0, "tied": true, "mode": "train", "threads": 1,
        "dtype": "f32"}]
      """, "--json")
    #expect(result.status == 0, "\(result.errors)")
    let records = try result.output.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(
      records.map { $0["variant"] as? String } == [
        "reset_before", "reset_after", "default", "default+bfloat16", "default",
      ])
    let first = try #require(records.first)
    #expect(first["note"] as? String == "kept")
    #expect(result.output.contains("\"exact\":true"))
    #expect(first["T"] as? Int == 3 && first["threads"] as? Int == 2)
    for record in records {
      let median = try #require(record["median"] as? Double)
      let fastest = try #require(record["min"] as? Double)
      #expect(0 < fastest && fastest <= median)
      #expect((record["gflops"] as? Double ?? 0) > 0 && (record["of_peak"] as? Double ?? 2) < 1.2)
      for field in ["isa", "framework", "version", "p90", "n", "first_call"] {
        #expect(record[field] != nil, "\(field)")
      }
    }
    // 2·T·B·G·H·(in + H) for both layers, three times in training.
    let flops = 3.0 * Double(2 * 3 * 2 * 3 * 5 * (4 + 5) + 2 * 3 * 2 * 3 * 5 * (5 + 5))
    let rate = try #require(first["gflops"] as? Double)
    let median = try #require(first["median"] as? Double)
    #expect(abs(rate * median * 1e9 / flops - 1) < 1e-9)
    #expect((records[4]["tokens_per_s"] as? Double ?? 0) > 0)
  }

  @Test("The speed of a streaming step is compared with the peak of the one thread that it runs on")
  func steps() throws {
    let result = try bench(
      """
      [{"kind": "layer", "name": "step", "cell": "lstm", "T": 1, "B": 1, "I": 4, "H": 20,
        "mode": "step", "threads": 1, "dtype": "f32"},
       {"kind": "layer", "name": "layer", "cell": "lstm", "T": 4, "B": 4, "I": 4, "H": 20,
        "mode": "forward", "threads": 1, "dtype": "f32"}]
      """, "--threads", "2", "--json")
    let peaks = try result.output.split(separator: "\n").map {
      let record = try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
      return try #require(record?["fma_peak_gflops"] as? Double)
    }
    // Two records of the step: full weights and bf16. The layer's peak is another measurement, of two threads.
    #expect(peaks.count == 3 && peaks[0] == peaks[1] && peaks[2] != peaks[0])
    let table = try bench(
      """
      [{"kind": "layer", "name": "step", "cell": "lstm", "T": 1, "B": 1, "I": 4, "H": 20,
        "mode": "step", "threads": 2, "dtype": "f32"}]
      """)
    #expect(table.output.contains("multiply-add peak, float32, threads: 1: "), "\(table.output)")
  }

  @Test(
    "An invalid list is refused with the workload, the field and the expected value",
    arguments: [
      ("{}", "expected a JSON list of objects"),
      ("[]", "list.json: expected at least one workload, found an empty list."),
      ("[{\"kind\": \"layer\"}]", "workload 1, field name: expected a name, found nothing"),
      (
        "[{\"kind\": \"car\", \"name\": \"x\"}]",
        "workload 1, field kind: expected one of layer, lm, found car"
      ),
      (
        """
        [{"kind": "layer", "name": "x", "cell": "gru", "mode": "train", "T": -1}]
        """, "field T: expected a whole number in 1 ... 1048576, found -1"
      ),
      (
        """
        [{"kind": "layer", "name": "x", "cell": "gru", "mode": "step", "T": 20, "B": 1, "I": 4,
          "H": 5}]
        """, "field T: expected 1, since a run of the mode step is one step, found 20"
      ),
      (
        """
        [{"kind": "layer", "name": "x", "cell": "gru", "mode": "train", "T": 1000000,
          "B": 1000000, "H": 1000000, "I": 1, "threads": 1}]
        """, "expected sizes that fit the memory"
      ),
      (
        """
        [{"kind": "lm", "name": "x", "cell": "gru", "mode": "train", "T": 1, "B": 1, "H": 2,
          "E": 3, "V": 4, "tied": true}]
        """, "field tied: expected false where E and H differ"
      ),
    ])
  func refused(list: String, sentence: String) throws {
    let result = try bench(list, "--json")
    #expect(result.status != 0)
    #expect(result.errors.contains(sentence), "\(result.errors)")
    #expect(result.output.isEmpty)
  }

  @Test("A filter without matches, a missing file and invalid numbers of threads are refused")
  func arguments() throws {
    let command = CommandTests()
    let nothing = try command.unroll("bench", "--filter", "nosuch")
    #expect(nothing.status != 0 && nothing.errors.contains("no workload's title contains 'nosuch'"))
    let missing = try command.unroll("bench", "--workloads", "/nowhere.json")
    #expect(missing.status != 0 && missing.errors.contains("expected a file that can be read"))
    let threads = try command.unroll("bench", "--threads", "0")
    #expect(threads.status != 0 && threads.errors.contains("expected 1 ... 256, found 0"))
  }

  @Test(
    "An invalid instruction set or number of threads is refused; an empty one counts as unset")
  func environment() throws {
    let command = CommandTests()
    let level = try command.unroll("info", environment: ["UNROLL_ISA": "mmx"])
    #expect(level.status != 0 && level.errors.contains("UNROLL_ISA: expected one of plain"))
    for text in ["0", "many", "257", "2x"] {
      let threads = try command.unroll("info", environment: ["UNROLL_THREADS": text])
      #expect(
        threads.status != 0
          && threads.errors.contains("UNROLL_THREADS: expected 1 ... 256, found '\(text)'"))
    }
    for text in ["0", "soon", "-1"] {
      let timeout = try command.unroll("info", environment: ["UNROLL_RANK_TIMEOUT": text])
      #expect(
        timeout.status != 0
          && timeout.errors.contains("UNROLL_RANK_TIMEOUT: expected more than 0 seconds, found"))
    }
    let names = ["UNROLL_ISA", "UNROLL_THREADS", "UNROLL_RANK_TIMEOUT"]
    let empty = try command.unroll("info", environment: names.reduce(into: [:]) { $0[$1] = "" })
    #expect(empty.status == 0, "\(empty.errors)")
    let three = try command.unroll(
      "info", environment: ["UNROLL_THREADS": "3", "UNROLL_ISA": "baseline"])
    #expect(three.status == 0 && three.output.contains("3 of"))
    #expect(three.output.contains("baseline, compiled for"))
  }
}
