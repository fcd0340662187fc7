# Shared by every task; sourced by ../../run, which sets root.

# The package manager lists package traits in the order of a hash table; a fixed hash seed keeps the order,
# because another order would recompile everything.
export SWIFT_DETERMINISTIC_HASHING=1

# One optimised build, in .build, serves the command, the tests and the benchmarks. It has no debug information, which
# saves 5 % of the time to compile Swift and 25 % for C; the debug build has it.
release=(-c release -debug-info-format none --traits Command --explicit-target-dependency-import-check error)
# Debug builds: warnings are errors.
strict=(-Xswiftc -warnings-as-errors --explicit-target-dependency-import-check error)

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
fail() { printf 'run: %s\n' "$*" >&2; exit 1; }

# Runs a command as root, if permitted.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo "$@"
  else return 1
  fi
}

# swift_in FOLDER COMMAND [ARGUMENT...]: runs a swift command with a separate build folder.
swift_in() {
  local folder=$1 command=$2
  shift 2
  swift "$command" --package-path "$root" --scratch-path "$root/$folder" "$@"
}

# quietly WHAT COMMAND...: runs a build with a progress display; shows its output only if it fails.
quietly() {
  local what=$1 log job status=0 tenths=0 line last=
  shift
  say "$what"
  log=$(mktemp)
  "$@" >"$log" 2>&1 &
  job=$!
  # Background jobs do not receive SIGINT.
  trap 'kill "$job" 2>/dev/null; rm -f "$log"; exit 130' INT TERM
  while kill -0 "$job" 2>/dev/null; do
    sleep 0.2
    tenths=$((tenths + 2))
    line=$(grep -o '^\[[0-9]*/[0-9]*\] .*' "$log" | tail -n 1) || true
    if [ -t 2 ]; then printf '\r\033[K    %.70s' "$line" >&2
    elif [ $((tenths % 150)) = 0 ] && [ "$line" != "$last" ]; then printf '    %s\n' "$line" >&2; last=$line
    fi
  done
  [ ! -t 2 ] || printf '\r\033[K' >&2
  wait "$job" || status=$?
  trap - INT TERM
  [ "$status" = 0 ] || { cat "$log" >&2; rm -f "$log"; fail "the build failed"; }
  rm -f "$log"
}
