// The reasons that plans give for their paths.

import Testing
import Unroll

@Suite("Reasons of plans")
struct PlanReasonTests {
  @Test("Rows names the condition of a faster path that is not met, and plain packs nothing")
  func reasons() {
    InstructionSet.plain.use {
      let plan = LayerPlan(
        of: .gruResetAfter, Float.self, inputSize: 3, hiddenSize: 4, for: .stream,
        timeStepCount: 1, batchSize: 1)
      #expect(plan.packedBytes == 0 && plan.description.contains("; no packed weights, trace 0"))
    }
    for set in InstructionSet.available where set != .plain {
      let width = set.vectorBytes / MemoryLayout<Float>.size
      func reason(
        _ purpose: LayerPlan.Purpose, _ units: Int, rows: Int, threads: Int = 1,
        _ change: (inout Cell<Float>) -> Void = { _ in }
      ) -> String {
        var cell = Cell<Float>(.lstm, inputSize: 4, hiddenSize: units)
        change(&cell)
        let layer = RecurrentLayer(cell: cell)
        let plan = Threads.use(threads) {
          set.use {
            layer.plan(for: purpose, timeStepCount: purpose == .stream ? 1 : 8, batchSize: rows)
          }
        }
        #expect(plan.path == .rows, "\(plan)")
        return plan.reason
      }
      #expect(reason(.stream, 2 * width, rows: 2) == "more than one sequence")
      #expect(
        reason(.training, width - 1, rows: 2)
          == "H of less than a vector, but fewer than three sequences")
      #expect(
        reason(.training, width, rows: 8) == "H of a vector or more, U of at most 2 MB")
      #expect(
        reason(.inference, 512, rows: 64)
          == "U of more than 2 MB, but many sequences for each thread")
      #expect(
        reason(.training, 512, rows: 2)
          == "U of more than 2 MB, but no gain from sharing its columns")
      #expect(
        reason(.training, width - 1, rows: 8) { $0.zoneout = Zoneout(hidden: 0.5) }
          == "layer normalization or zoneout, which no faster path has")
      let peepholes = Cell<Float>(
        .lstm, inputSize: 4, hiddenSize: width - 1, hasPeepholes: true)
      #expect(
        reason(.training, width - 1, rows: 8) { $0 = peepholes }
          == "peepholes, a projection or a mask, which lanes does not have")
    }
  }
}
