# Runs the tests. Without an option: those with the lab's requirements. A test whose requirement is missing is skipped
# (Tests/UnrollTestSupport/Needs.swift); the records list the tests that ran and those that were skipped.

# task_test [--all | --rest | --fast] [ARGUMENT...]: arguments such as --filter go to `swift test`.
task_test() {
  local part=
  case "${1:-}" in --all|--rest|--fast) part=$1; shift ;; esac
  [ "$part" != --rest ] || [ $# = 0 ] || fail "test --rest: expected no arguments, found '$*'"
  prepare
  quietly "building the command and the tests (release); the first time takes some minutes" \
    swift_in .build build "${release[@]}" --build-tests
  case "$part" in
    '') test_plain "$@" ;;
    --rest) test_rest ;;
    --fast)
      local slow
      slow=$(slow_tests)
      say "tests, optimised, without the slow ones"
      run_tests fast "${optimised[@]}" --skip "$slow" "$@"
      say "passed: $(count_tests fast) tests, optimised; left out: $(tr '|' '\n' <<<"$slow" | wc -l) slow tests and $(left_out fast)"
      ;;
    --all)
      prepare_other_programs
      say "tests, optimised"
      run_tests all "${optimised[@]}" "$@"
      test_elsewhere "$@"
      say "passed: $(count_tests all) tests, optimised; $(debug_words); arm64's kernels; left out: $(left_out all)"
      ;;
  esac
}

# How `swift test` runs the tests of the optimised build.
optimised=(.build test "${release[@]}" --skip-build)
# The record of one run of tests: NAME.found, NAME.ran and NAME.skipped, a test per line; NAME.build, what was tested.
records=$root/.build/test-records

test_plain() {
  say "tests, optimised"
  if [ $# != 0 ]; then
    run_tests chosen "${optimised[@]}" "$@"
    say "passed with $*: $(count_tests chosen) tests, optimised; left out: $(left_out chosen)"
    return
  fi
  run_tests plain "${optimised[@]}"
  tested_build >"$records/plain.build"
  say "passed: $(count_tests plain) tests, optimised; left out: $(left_out plain), the library's tests in debug, arm64's kernels; ./run test --rest runs them"
}

# Runs the tests that the last `./run test` skipped. Together they run each test once.
test_rest() {
  tested_build | cmp -s - "$records/plain.build" ||
    fail "test --rest: runs what ./run test left out, but that has not passed with this build; start it first"
  prepare_other_programs
  say "tests that ./run test left out, optimised"
  if [ -s "$records/plain.skipped" ]; then
    run_tests rest "${optimised[@]}" --filter "$(skipped_filter plain)"
    cmp -s "$records/rest.found" <(cut -f 1 "$records/plain.skipped") ||
      fail "test --rest: found other tests than ./run test left out; compare plain.skipped and rest.found in $records"
  else
    for list in found ran skipped; do : >"$records/rest.$list"; done
  fi
  test_elsewhere
  say "passed: $(count_tests rest) tests that ./run test left out, optimised; $(debug_words); arm64's kernels; left out: $(left_out rest)"
}

# The library's tests in debug, and the kernels of another machine.
test_elsewhere() {
  say "tests of the library, debug: overflow and exclusivity"
  run_tests debug .build-debug test --traits Command "${strict[@]}" --filter UnrollTests "$@"
  task_arm64
}

debug_words() { echo "$(count_tests debug) tests of the library, debug"; }

# run_tests NAME FOLDER test [ARGUMENT...]: runs tests, and records under a name which ones ran and which were skipped.
# A test that is in neither list is an error.
run_tests() {
  local record=$records/$1 events
  shift
  mkdir -p "$records"
  rm -f "$record".*
  events=$record.events
  swift_in "$@" --event-stream-version 0 --event-stream-output-path "$events"
  grep '^{"kind":"test"' "$events" | grep -o '"id":"[^"]*:[0-9]*:[0-9]*"' | test_names id | LC_ALL=C sort -u >"$record.found"
  { grep '"kind":"testEnded"' "$events" || true; } | test_names testID | LC_ALL=C sort -u >"$record.ran"
  { grep '"kind":"testSkipped"' "$events" || true; } |
    sed -n 's|.*skipped: \\"\(.*\)\\"".*"testID":"\([^"]*:[0-9]*:[0-9]*\)".*|\2'$'\t''\1|p' | sed 's|\\/|/|g' | LC_ALL=C sort -u >"$record.skipped"
  [ -s "$record.found" ] || fail "no test was found; the record of the run is $events"
  cmp -s "$record.found" <({ cat "$record.ran"; cut -f 1 "$record.skipped"; } | LC_ALL=C sort) ||
    fail "some tests neither ran nor were skipped, or their record cannot be read: $events"
}

# The names of tests, without those of suites, in lines of a record.
test_names() { sed -n 's|.*"'"$1"'":"\([^"]*:[0-9]*:[0-9]*\)".*|\1|p' | sed 's|\\/|/|g'; }

count_tests() { wc -l <"$records/$1.ran" | tr -d ' '; }

# left_out NAME: the number of skipped tests of a run, with the missing requirements.
left_out() {
  local record=$records/$1.skipped
  [ -s "$record" ] || { echo "no test"; return; }
  echo "$(wc -l <"$record" | tr -d ' ') tests ($(cut -f 2 "$record" | sort | uniq -c | sort -rn |
    sed 's/^ *\([0-9]*\) \(.*\)/\2: \1/' | paste -s -d ';' - | sed 's/;/; /g'))"
}

# skipped_filter NAME: the tests that a run skipped, as a regular expression for --filter.
skipped_filter() {
  cut -f 1 "$records/$1.skipped" | sed 's/[].[()*+?^$|{}\\]/\\&/g' | paste -s -d '|' - | sed 's/.*/^(&)$/'
}

# The tests tagged .slow, by the file and line of their @Test, as a regular expression for --skip. SwiftPM has no option for tags.
slow_tests() {
  find "$root/Tests" -name '*.swift' -exec awk '
    FNR == 1 || /@Suite/ { line = 0 }
    /@Test/ { line = FNR }
    /\.tags\(\.slow\)/ && !line { print FILENAME ":" FNR ": expected .slow on a test, found it elsewhere" >"/dev/stderr"; exit 1 }
    /\.tags\(\.slow\)/ { file = FILENAME; sub(".*/", "", file); sub("[.]", "[.]", file); print "/" file ":" line ":" }
  ' {} + | LC_ALL=C sort | paste -s -d '|' -
}

# Identifies the optimised build of the tests for the records.
tested_build() { find "$(build_folder)/UnrollPackageTests.xctest" -type f -exec cksum {} +; }

# Installs programs that some tests run; a test whose program is missing is skipped with a message.
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
