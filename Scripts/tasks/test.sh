# The tests. Without --all: those that need nothing but what the lab needs.

# task_test [--all] [ARGUMENT...]: arguments such as --filter go to `swift test`.
task_test() {
  local all=
  if [ "${1:-}" = --all ]; then all=yes; shift; fi
  prepare
  quietly "building the command and the tests (release); the first time takes some minutes" \
    swift_in .build build "${release[@]}" --build-tests
  [ -z "$all" ] || prepare_other_programs
  say "tests, optimised"
  swift_in .build test "${release[@]}" --skip-build "$@"
  if [ -z "$all" ]; then
    say "passed; ./run test --all adds the tests that need a browser, MPI, Python with other programs or an emulator, and the library's in debug"
    return
  fi
  say "tests of the library, debug: overflow and exclusivity"
  swift_in .build-debug test --traits Command "${strict[@]}" --filter UnrollTests "$@"
  task_arm64
  say "passed, with all other programs that could be installed"
}

# Programs that some tests run; a test whose program cannot be installed is skipped, and says so.
prepare_other_programs() {
  install_packages test
  prepare_python .build-python requirements.txt UNROLL_PYTHON "TensorBoard, safetensors, h5py, onnxruntime, selenium"
  if [ -n "${UNROLL_LONG_TESTS:-}" ]; then
    prepare_python .build-python-torch requirements-torch.txt UNROLL_PYTHON_TORCH "PyTorch, Keras 3"
    prepare_python .build-python-tensorflow requirements-tensorflow.txt UNROLL_PYTHON_TENSORFLOW "TensorFlow, Keras 2"
  fi
  if prepare_mpi; then
    local bin; bin=$(build_folder)
    mpi_library "$bin"
    export UNROLL_MPI_BINARY=$bin/unroll
  else
    say "MPI could not be installed; the tests of several processes are skipped"
  fi
}
