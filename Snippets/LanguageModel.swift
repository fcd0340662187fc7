// A language model of the embedded grammar: a run in a folder, how good it is, and what it writes.

import Foundation
import UnrollLanguage

guard let preset = Preset.named("grammar") else { exit(1) }
let path = FileManager.default.temporaryDirectory
  .appendingPathComponent("unroll-\(UUID().uuidString)").path
let folder = RunFolder(path)
var settings = RunConfiguration(preset: preset, corpus: nil, version: "snippet")
settings.training.epochs = 1

try folder.prepare()
let corpus = try settings.prepareCorpus(in: folder)
try folder.begin(settings, corpus.vocabulary)
let trainer = try Trainer(settings, corpus, in: folder)
let outcome = try trainer.run(observe: { event in
  if case .epoch(let metrics, _) = event { print("validation", metrics.validationLoss, "nats") }
})
let test = try trainer.test()
print(outcome, test?.perplexity ?? .nan, "of", EmbeddedGrammar.standard.bestPerplexity)

// The folder is all that is needed later; a run that was stopped would go on with `resume()`.
let stored = try StoredModel(run: path)
var options = SamplingOptions()
options.seed = 7
var generator = TextGenerator(
  stored.model, prompt: [stored.vocabulary.endOfLine ?? 0], options: options)
var (text, previous) = ([UInt8](), stored.vocabulary.endOfLine)
for _ in 0..<40 {
  generator.next()
  text += stored.vocabulary.text(of: generator.symbols[0], after: previous)
  previous = generator.symbols[0]
}
print(String(decoding: text, as: UTF8.self))
