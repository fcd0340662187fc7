# The kernels, the pool of threads and every kind of pass under clang's sanitizers, compiled for the baseline
# instruction set.

task_sanitize() {
  prepare
  local clang sources folder=$root/.build-sanitize name
  clang=$(dirname "$(command -v swift)")/clang
  [ -x "$clang" ] || clang=clang
  sources=("$root"/Scripts/kernels/other_machine.c "$root"/Sources/CUnrollKernels/{*,levels/*,plain/*}.c
    -I "$root/Sources/CUnrollKernels/include" -I "$root/Sources/CUnrollKernels"
    -O1 -g -DUNROLL_BASELINE_ONLY -fno-sanitize-recover=all -Wno-pass-failed)
  mkdir -p "$folder"
  for name in address,undefined thread; do
    say "kernels with -fsanitize=$name (a minute)"
    "$clang" "${sources[@]}" -fsanitize="$name" -lm -lpthread -o "$folder/kernels"
    "$folder/kernels" "$folder/numbers" >/dev/null || fail "-fsanitize=$name reports an error in the kernels"
  done
  rm -rf "$folder"
}
