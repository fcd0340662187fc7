# Fuzzes the readers of files and requests.

# task_fuzz READER [--minutes N]
task_fuzz() {
  local reader=${1:-} minutes=20 seeds
  [ "${2:-}" != --minutes ] || minutes=${3:-20}
  case "$reader" in
    npy|npz|torch|tensorflow|onnx|safetensors|hdf5|http) ;;
    *) fail "fuzz: expected npy, npz, safetensors, torch, tensorflow, hdf5, onnx or http, found '$reader'" ;;
  esac
  case "$minutes" in ''|*[!0-9]*|0) fail "fuzz: --minutes: expected a whole number above 0, found '$minutes'" ;; esac
  prepare
  # The request parser is not public.
  quietly "building the fuzzer" \
    swift build -c release --sanitize fuzzer -Xswiftc -enable-testing --package-path "$root/Fuzz" --scratch-path "$root/.build-fuzz"
  seeds=$root/.build-fuzz/seeds/$reader
  mkdir -p "$seeds" "$root/.build-fuzz/found"
  local unroll=
  [ "$reader" != safetensors ] || unroll=$(build_command)/unroll
  python3 "$root/Fuzz/seeds.py" "$reader" "$seeds" "$unroll"
  say "fuzzing $reader for $minutes minutes; findings are kept in .build-fuzz/found"
  UNROLL_FUZZ_READER=$reader "$root/.build-fuzz/release/Fuzz" "$seeds" -max_total_time=$((60 * minutes)) \
    -max_len=65536 -timeout=60 -rss_limit_mb=512 -print_final_stats=1 -artifact_prefix="$root/.build-fuzz/found/$reader-"
}
