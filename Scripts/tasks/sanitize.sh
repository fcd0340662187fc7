# Runs the kernels, the thread pool and every kind of pass under clang's sanitizers, with the baseline instruction set and
# the plain path. Arrays have exactly the documented sizes and are initialised with NaN.

task_sanitize() {
  prepare
  local clang sources libraries folder=$root/.build-sanitize name set linker=()
  clang=$(dirname "$(command -v swift)")/clang
  [ -x "$clang" ] || clang=clang
  sources=("$root"/Scripts/kernels/other_machine.c "$root"/Sources/CUnrollKernels/{*,isa/*,plain/*}.c
    -I "$root/Sources/CUnrollKernels/include" -I "$root/Sources/CUnrollKernels"
    -O1 -g -DUNROLL_BASELINE_ONLY -fno-sanitize-recover=all -Wno-pass-failed)
  # The thread sanitizer of Swift's clang on Linux knows libdispatch and needs it at link time; gold, which its
  # default linker, prints a warning for each function of the address sanitizer.
  libraries=$("$clang" -print-resource-dir)/../../swift/linux
  [ ! -e "$libraries/libBlocksRuntime.so" ] ||
    linker=(-fuse-ld=lld -L "$libraries" -Wl,-rpath,"$libraries" -ldispatch -lBlocksRuntime)
  mkdir -p "$folder"
  for name in address,undefined thread; do
    say "kernels with -fsanitize=$name (a minute)"
    "$clang" "${sources[@]}" -fsanitize="$name" "${linker[@]}" -lm -lpthread -o "$folder/kernels"
    for set in baseline plain; do
      UNROLL_ISA=$set "$folder/kernels" "$folder/numbers" >/dev/null ||
        fail "-fsanitize=$name reports an error in the kernels ($set)"
    done
  done
  rm -rf "$folder"
}
