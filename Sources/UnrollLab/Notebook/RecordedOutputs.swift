// The outputs of TensorFlow 1.13.1 for the notebook's toy problem: `dynamic_rnn`, float32, shape [4, 5, 2], as bit
// patterns. Recorded by Scripts/golden/tf_oracle.py (case `notebook_toy`). The initial weights are regenerated; see
// `TensorFlowInitialWeights`.

internal import Unroll

enum RecordedOutputs {
  /// The outputs of the `BasicRNNCell`.
  static var rnn: Tensor<Float> { tensor(rnnBits) }
  /// The outputs of the `GRUCell`.
  static var gru: Tensor<Float> { tensor(gruBits) }

  private static func tensor(_ bits: [UInt32]) -> Tensor<Float> {
    Tensor(shape: [4, 5, 2], elements: bits.map { Float(bitPattern: $0) })
  }

  private static let rnnBits: [UInt32] = [
    0x3F35CF84, 0xBD8D84FE, 0x3F504A2D, 0x3ED9D1C9, 0x3F5AFDA5, 0x3F12618C,
    0x3F57401B, 0x3E3AA153, 0x3F6FCE87, 0x3E855D45, 0x3E7665C9, 0x3E636FD8,
    0x3F24315D, 0xBD04F00B, 0x3F64AC21, 0x3EBE9E54, 0x3F6D27F9, 0x3EC83B89,
    0x3F5C543C, 0x3EB1C42B, 0x3EFAC3D8, 0x3E5D9671, 0x3F02A0ED, 0x3EB6A190,
    0x3F418993, 0x3F0379C5, 0x3F663264, 0x3F04F690, 0x3F400EAF, 0x3EA796E7,
    0x3F010C60, 0xBE2246B7, 0x3F611C0E, 0x3D9E03EF, 0x3F4CDE34, 0x3EC4DD98,
    0x3F5A843B, 0x3EF0F252, 0x3F5BE4D2, 0x3EA1F47F,
  ]

  private static let gruBits: [UInt32] = [
    0xBE237945, 0xBCC30506, 0xBE810D20, 0xBD61B024, 0xBEB31F51, 0x3E274A7A,
    0xBED2C617, 0x3D55CCE5, 0xBF01310B, 0x3E35E583, 0xBD91C29C, 0x3D0434CB,
    0xBE332FE8, 0xBD259354, 0xBE9DFDDB, 0x3DF5258F, 0xBEDCE645, 0x3E4927E0,
    0xBEFA995A, 0xBC5D3170, 0xBDE5A91A, 0xBD208586, 0xBE1A600A, 0x3D14A8A3,
    0xBE864EA7, 0x3E1219B9, 0xBEC99C27, 0x3E7FE112, 0xBED46446, 0x3E1DD400,
    0xBDD0A008, 0xBDCD771B, 0xBE756CA1, 0xBB917518, 0xBE954959, 0xBD072A75,
    0xBEBE8F96, 0x3E1B527A, 0xBEDE2506, 0x3E3F45FC,
  ]
}
