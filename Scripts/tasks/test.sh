# Every test: optimised, then those of the library again in debug, where overflow and exclusivity are checked.

task_test() {
  prepare
  install_packages test
  prepare_python .build-python requirements.txt UNROLL_PYTHON "TensorBoard, safetensors, h5py, onnxruntime, selenium"
  if [ -n "${UNROLL_LONG_TESTS:-}" ]; then
    prepare_python .build-python-torch requirements-torch.txt UNROLL_PYTHON_TORCH "PyTorch, Keras 3"
    prepare_python .build-python-tensorflow requirements-tensorflow.txt UNROLL_PYTHON_TENSORFLOW "TensorFlow, Keras 2"
  fi
  if prepare_mpi; then
    UNROLL_MPI_BINARY=$(build_with_mpi "${strict[@]}")
    export UNROLL_MPI_BINARY
  else
    say "MPI could not be installed; the tests of several processes are skipped"
  fi
  say "tests, optimised (1 of 2)"
  swift_in .build-test test -c release -Xswiftc -enable-testing \
    --explicit-target-dependency-import-check error "$@"
  say "tests of the library, debug (2 of 2)"
  swift_in .build-debug test "${strict[@]}" --filter UnrollTests "$@"
}
