#if Command
internal import UnrollLanguage

/// The discussion and examples in the help of `unroll train`.
enum TrainHelp {
  static let discussion = """
    CORPUS is a folder with train, valid and perhaps test (train.txt, ptb.train.txt, ...), or one \
    text file, which is split. Texts are in UTF-8. Without CORPUS the model is trained on an embedded grammar, whose \
    best possible perplexity is known exactly.

    Without --preset, a text is trained with the preset course, which is the default: a GRU of 400 units with dropout \
    (0.1 of the input, 0.5 of the output) that stops early, after 2 epochs without gain, or after 20. The embedded \
    grammar has its own preset. The defaults below are those of course. Options have precedence over --preset and \
    --config. --show-config prints the result, and so does a run before it begins.

    The run's folder gets config.json, vocabulary.json, model.safetensors (the best model by \
    validation), metrics.jsonl, event files for TensorBoard, checkpoints and, at the end, learning curves. \
    Ctrl-C, Ctrl-\\, SIGTERM, a closed terminal (SIGHUP) and --time-budget end with a checkpoint; --resume continues \
    from it, to the same bits as if nothing had happened. A second Ctrl-C ends at once.

    Under an MPI launcher (mpirun -n 4 unroll train ..., after ./run mpi) all processes train one \
    model; each has some of a batch's shards. Another number of processes gives the same bits.

    PRESETS
    \(Preset.all.map { "  \($0.name): \($0.source)" }.joined(separator: "\n"))

    EXAMPLES
      unroll train
      unroll train ptb --preset zaremba-small --output run
      unroll train book.txt --unit characters --cell lstm --hidden-size 512
      unroll train book.txt --time-budget 3600 --validate-every 1000 --sample 200
      unroll train --resume --output run --epochs 20
      unroll train ptb --cell rnn --show-config > settings
      unroll train --config settings --seed 1 --output run-1
    """
}
#endif
