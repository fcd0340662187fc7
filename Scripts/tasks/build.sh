# Builds and runs the command.

# Builds the command and prints its folder.
build_command() {
  quietly "building unroll (release); the first time takes a few minutes" \
    swift_in .build build "${release[@]}" --product unroll
  build_folder
}

# The folder of the optimised build.
build_folder() { swift_in .build build "${release[@]}" --show-bin-path 2>/dev/null | tail -n 1; }

# mpi_library FOLDER: compiles the library that calls MPI for the command in a folder.
mpi_library() {
  local library=$1/libunroll-mpi.so
  mkdir -p "$1"
  quietly "compiling libunroll-mpi.so with mpicc" \
    mpicc -std=c11 -O2 -Wall -Wextra -fPIC -shared -o "$library.part" "$root/Sources/CMPI/Shim/unroll_mpi.c"
  # Replaced atomically, because running jobs have the old file mapped.
  mv "$library.part" "$library"
}

# task_unroll COMMAND [ARGUMENT...]: builds the command if necessary, then runs `unroll COMMAND`.
task_unroll() {
  prepare
  local bin; bin=$(build_command)
  # The command's suggestions then start with ./run.
  UNROLL_NAME=./run "$bin/unroll" "$@"
}

task_mpi() {
  prepare
  prepare_mpi || fail "MPI could not be installed; install Open MPI or MPICH with mpirun and mpicc by hand"
  local bin; bin=$(build_command)
  mpi_library "$bin"
  echo "$bin/unroll"
}
