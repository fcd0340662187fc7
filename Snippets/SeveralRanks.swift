// The processes started by `mpirun`, and a sum over them.

import UnrollLanguage
import UnrollMPI

let ranks: any Ranks
do {
  ranks = try MPIRanks(isTerminating: { false })
} catch {
  print("one process: \(error)")
  ranks = SingleRank()
}
print("rank \(ranks.rank) of \(ranks.count)")
