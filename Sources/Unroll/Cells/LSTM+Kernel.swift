internal import CUnrollKernels

extension LSTM {
  /// The switches as the kernels take them.
  var kernelOptions: unroll_lstm_options {
    unroll_lstm_options(
      gate: options.gateActivation.kernel(clip: options.argumentClip),
      candidate: options.activation.kernel(clip: options.argumentClip),
      output: options.outputActivation.kernel(),
      forget_offset: options.forgetOffset,
      cell_clip: options.cellClip,
      coupled: options.couplesInputAndForget ? 1 : 0)
  }
}
