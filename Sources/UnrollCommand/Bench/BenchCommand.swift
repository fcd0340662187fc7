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
      Without a file: the named sizes toy, course, small, mid, big, wide and huge, forward and in \
      training (forward, and the gradients of weights, inputs and initial state), and streaming \
      steps. With one: a JSON list in the format of Benchmarks/peers, whose fields the results \
      repeat.

      GFLOP/s counts multiply-adds as two and nothing else: 2·T·B·G·H·(D + H) for each layer \
      forward, a language model's 2·T·B·H·V besides, three times that in training. The fraction \
      is that of multiply-adds on registers alone, measured in the same run with as many threads. \
      A GRU is timed in both variants; a streaming step also with weights in bfloat16. The whole \
      list ends with what a vanishing sequence costs beside a healthy one.
      """)

  @Option(help: "Only workloads whose title contains this text, such as 'small gru train 1t'.")
  var filter: String = ""

  @Option(help: "A JSON list of workloads.", completion: .file(extensions: ["json"]))
  var workloads: String?

  @Option(
    parsing: .unconditional,
    help:
      "Threads, 1 ... 256, for all workloads; else each workload's own, or 1 for the named ones.")
  var threads: Int?

  @Flag(help: "Print one JSON object a result.")
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
      let key = "\(workload.isDouble ? "float64" : "float32"), threads: \(threads)"
      let peak =
        peaks[key]
        ?? (workload.isDouble
          ? MultiplyAddPeak.measure(Double.self, threads: threads)
          : MultiplyAddPeak.measure(Float.self, threads: threads))
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

  /// Every variant of a workload, one after the other.
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

/// One result, as the peers' harness writes it.
struct BenchRecord {
  let workload: Workload
  let threads: Int
  let variant: String
  let time: Stopwatch
  /// Flops per second.
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
