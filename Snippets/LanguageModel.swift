// A language model of the embedded grammar: training in a folder, evaluation and generation.

import Foundation
import UnrollLanguage

guard let preset = Preset.named("grammar") else { exit(1) }
let path = FileManager.default.temporaryDirectory
  .appendingPathComponent("unroll-\(UUID().uuidString)").path
var settings = RunConfiguration(preset: preset, corpus: nil, version: "snippet")
settings.training.epochs = 1

let run = try TrainingRun.create(at: path, settings: settings)
let outcome = try run.train(observe: { event in
  if case .epoch(let metrics, _) = event { print("validation", metrics.validationLoss, "nats") }
})
print(outcome, try run.test()?.perplexity ?? .nan, "of", EmbeddedGrammar.standard.bestPerplexity)

// Later uses need only the folder. `TrainingRun.resume(at:)` continues a run that was stopped.
let stored = try StoredModel(run: path)
var options = SamplingOptions()
options.seed = 7
print(stored.text(after: try stored.prompt(""), length: 40, options: options))
