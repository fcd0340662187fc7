# The command, built and run.

# Builds the command, quietly unless it fails; prints the folder that holds it.
build_command() {
  quietly "building unroll (release); the first time takes about five minutes" \
    swift_in .build build -c release --product unroll
  swift_in .build build -c release --show-bin-path 2>/dev/null | tail -n 1
}

# build_with_mpi [FLAG...]: the command with MPI; prints its path.
build_with_mpi() {
  quietly "building unroll with MPI (release); the first time takes about three minutes" \
    swift_in .build-mpi build -c release --product unroll --traits MPI,HDF5 "$@"
  echo "$root/.build-mpi/release/unroll"
}

# task_unroll COMMAND [ARGUMENT...]: builds what is missing, then runs `unroll COMMAND`.
task_unroll() {
  prepare
  local bin; bin=$(build_command)
  "$bin/unroll" "$@"
}

task_mpi() {
  prepare
  prepare_mpi || fail "MPI could not be installed; install Open MPI or MPICH with its headers by hand"
  build_with_mpi "${strict[@]}"
}
