#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollFormats

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time recurrent layers, streaming steps and language-model training steps.",
    discussion: """
      Without --workloads, layers of the named sizes toy, course, small, mid, big, wide and huge are timed, forward and \
      in training (forward, and the gradients of weights, inputs and initial state), and then streaming steps.

      GFLOP/s counts a multiply-add as two operations and nothing else: 2·T·B·G·H·(D + H) for each layer forward, \
      2·T·B·H·V more for a language model, and three times as many in training. "of peak" compares it with \
      multiply-adds on registers, measured in the same run on as many threads. A GRU is timed in both variants, and a \
      streaming step also with bf16 weights. Without --filter, the last line compares a vanishing sequence, whose \
      numbers become subnormal, with a healthy one.

      EXAMPLES
        unroll bench --filter "small gru train"
        unroll bench --threads 2
        unroll bench --workloads list.json --json
      """)

  @Option(
    help: ArgumentHelp(
      "Time only workloads whose title contains this text, such as 'small gru train 1t'. (default: all)",
      valueName: "text"))
  var filter: String = ""

  @Option(
    help: ArgumentHelp(
      "JSON list of workloads in the format of Benchmarks/peers; results repeat its fields. (default: the named sizes)",
      valueName: "file"), completion: .file(extensions: ["json"]))
  var workloads: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Number of threads for all workloads; a streaming step runs on one. (1 ... 256; default: each workload's own, or 1)",
      valueName: "count"))
  var threads: Int?

  @Flag(help: "Print a JSON object for each result.")
  var json = false

  func validate() throws {
    try ThreadOptions.check(threads)
  }

  func run() throws {
    let all =
      try workloads.map { try Workload.list(file: $0) }
      ?? Workload.named(threads: threads ?? 1)
    let chosen = all.filter { filter.isEmpty || $0.title.contains(filter) }
    guard !chosen.isEmpty else {
      throw BenchError("no workload's title contains '\(filter)'.")
    }
    var table = TextTable([
      "workload", "variant", "mode", "threads", "median µs", "fastest µs", "90 % below µs", "runs",
      "GFLOP/s", "of peak", "tokens/s",
    ])
    var peaks: [String: Double] = [:]
    for workload in chosen {
      let threads = self.threads ?? workload.threads
      Threads.count = threads
      // A streaming step runs on one thread, whatever the number.
      let used = workload.mode == .step ? 1 : threads
      let key = "\(workload.isDouble ? "float64" : "float32"), threads: \(used)"
      let peak =
        peaks[key]
        ?? (workload.isDouble
          ? MultiplyAddPeak.measure(Double.self, threads: used)
          : MultiplyAddPeak.measure(Float.self, threads: used))
      peaks[key] = peak
      for result in Self.results(workload) {
        let record = BenchRecord(
          workload: workload, threads: threads, variant: result.variant, time: result.time,
          peak: peak)
        if json {
          print(try record.json())
          fflush(nil)
        } else {
          table.add(record.row)
        }
      }
    }
    guard !json else { return }
    print("kernels: \(InstructionSet.current.rawValue)")
    for (key, peak) in peaks.inKeyOrder {
      print("multiply-add peak, \(key): \((peak / 1e8).rounded() / 10) GFLOP/s")
    }
    print(table.text)
    if workloads == nil && filter.isEmpty {
      let ratio = VanishingBenchmark.ratio(InstructionSet.current)
      print(
        "a step of a vanishing sequence takes \((ratio * 100).rounded() / 100) of a healthy one's time"
      )
    }
  }

  /// Times every variant of a workload.
  private static func results(_ workload: Workload) -> [(variant: String, time: Stopwatch)] {
    let kinds: [(String, CellKind)] =
      workload.cell == .gruResetBefore
      ? [("reset_before", .gruResetBefore), ("reset_after", .gruResetAfter)]
      : [("default", workload.cell)]
    return kinds.flatMap { name, kind -> [(String, Stopwatch)] in
      if workload.isLanguageModel {
        var model = LanguageModelBenchmark(workload, kind: kind)
        return [(name, model.time())]
      }
      if workload.isDouble {
        var layers = LayerBenchmark<Double>(workload, kind: kind)
        return [(name, layers.time())]
      }
      var layers = LayerBenchmark<Float>(workload, kind: kind)
      let full = layers.time()
      guard workload.mode == .step else { return [(name, full)] }
      var half = LayerBenchmark<Float>(workload, kind: kind, weights: .bfloat16)
      return [(name, full), (name + "+bfloat16", half.time())]
    }
  }
}

/// One result in the format of Benchmarks/peers.
struct BenchRecord {
  let workload: Workload
  let threads: Int
  let variant: String
  let time: Stopwatch
  /// Peak rate of multiply-adds, in floating-point operations per second.
  let peak: Double

  private var gigaflops: Double { workload.flops / time.median / 1e9 }
  private var tokens: Double { Double(workload.time * workload.batch) / time.median }

  func json() throws -> String {
    var fields = workload.fields
    fields["framework"] = .text("unroll")
    fields["variant"] = .text(variant)
    fields["version"] = .text(UnrollCommand.configuration.version)
    fields["threads"] = .integer(threads)
    fields["isa"] = .text(InstructionSet.current.rawValue)
    fields["median"] = .number(time.median)
    fields["min"] = .number(time.fastest)
    fields["p90"] = .number(time.ninetieth)
    fields["n"] = .integer(time.runs)
    fields["first_call"] = .number(time.firstCall)
    fields["gflops"] = .number(gigaflops)
    fields["gflops_best"] = .number(workload.flops / time.fastest / 1e9)
    fields["fma_peak_gflops"] = .number(peak / 1e9)
    fields["of_peak"] = .number(gigaflops * 1e9 / peak)
    if workload.isLanguageModel { fields["tokens_per_s"] = .number(tokens) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(fields), as: UTF8.self)
  }

  var row: [String] {
    func rounded(_ value: Double, _ digits: Double) -> String {
      "\((value * digits).rounded() / digits)"
    }
    return [
      "\(workload.name) \(workload.cell.rawValue)", variant, workload.mode.rawValue, "\(threads)",
      rounded(time.median * 1e6, 1e3), rounded(time.fastest * 1e6, 1e3),
      rounded(time.ninetieth * 1e6, 1e3), "\(time.runs)", rounded(gigaflops, 100),
      "\(Int((gigaflops * 1e11 / peak).rounded())) %",
      workload.isLanguageModel ? rounded(tokens, 1) : "",
    ]
  }
}
#endif
