# Shared by every task; sourced by ../../run, which sets root.

# The package manager lists package traits in the order of a randomly seeded set, and another order
# compiles everything again.
export SWIFT_DETERMINISTIC_HASHING=1

# Flags of debug builds and of builds with MPI: warnings are errors.
strict=(-Xswiftc -warnings-as-errors --explicit-target-dependency-import-check error)

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
fail() { printf 'run: %s\n' "$*" >&2; exit 1; }

# Runs a command as root, if this user may.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo "$@"
  else return 1
  fi
}

# swift_in FOLDER COMMAND [ARGUMENT...]: runs a swift command with a build folder of its own.
swift_in() {
  local folder=$1 command=$2
  shift 2
  swift "$command" --package-path "$root" --scratch-path "$root/$folder" "$@"
}

# quietly WHAT COMMAND...: runs a build; prints its output only if it fails.
quietly() {
  local log what=$1
  shift
  say "$what"
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    fail "the build failed"
  fi
  rm -f "$log"
}
