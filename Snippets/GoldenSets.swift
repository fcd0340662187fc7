// Other programs' arrays, recomputed: the folder is an argument, or this package's own set.

import UnrollVerification

let folder = CommandLine.arguments.dropFirst().first ?? "Tests/Golden"
let verdicts = Verification.run(try GoldenSet(folder: folder), filter: "BasicRNNCell_T5")
for verdict in verdicts {
  print(verdict.name, verdict.framework, verdict.verdict)
}
print(verdicts.count { $0.verdict == .passed }, "of", verdicts.count, "passed")
