// The processes that `mpirun` started, and one sum over all of them.

import UnrollLanguage
import UnrollMPI

let ranks: any Ranks
do {
  ranks = try MPIRanks(killIsNear: { false })
} catch {
  print("one process: \(error)")
  ranks = SingleRank()
}
print("rank \(ranks.rank) of \(ranks.count)")
