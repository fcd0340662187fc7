// An experiment as a function: settings in, result out.

import UnrollLab

let settings = LabSettings(cell: .gruResetBefore, keepBias: 20, steps: [10, 30])
let result = try MemoryExperiment.run(settings)
for drift in result.drifts {
  print("step \(drift.step): the state has moved by at most \(drift.largest)")
}
