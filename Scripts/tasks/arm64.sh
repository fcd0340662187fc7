# Cross-compiles the arm64 kernels (NEON), runs them under emulation and compares the results with this machine's.

task_arm64() {
  prepare
  case "$(uname -m)" in aarch64|arm64) say "this machine is arm64: ./run test covers its kernels"; return 0 ;; esac
  install_packages arm64
  local clang sources folder=$root/.build-arm64 flags name limit
  clang=$(dirname "$(command -v swift)")/clang
  [ -x "$clang" ] || clang=clang
  sources=("$root"/Scripts/kernels/other_machine.c "$root"/Sources/CUnrollKernels/{*,isa/*,plain/*}.c
    -I "$root/Sources/CUnrollKernels/include" -I "$root/Sources/CUnrollKernels" -O2 -Wall -Werror)
  mkdir -p "$folder"
  for name in float32 float64; do
    flags=(); limit=2e-5
    [ "$name" = float32 ] || { flags=(-DIN_DOUBLE); limit=5e-14; }
    say "kernels in $name: this machine's baseline"
    "$clang" "${sources[@]}" "${flags[@]}" -lm -lpthread -o "$folder/here-$name"
    UNROLL_ISA=baseline "$folder/here-$name" "$folder/$name" >"$folder/$name.txt"
    say "kernels in $name: arm64, emulated (a minute)"
    "$clang" --target=aarch64-linux-gnu --gcc-toolchain=/usr --sysroot=/ -fuse-ld=lld -static \
      -isystem /usr/aarch64-linux-gnu/include -L /usr/aarch64-linux-gnu/lib \
      "${sources[@]}" "${flags[@]}" -lm -lpthread -o "$folder/arm64-$name"
    qemu-aarch64 "$folder/arm64-$name" "$folder/$name-arm64" >"$folder/$name-arm64.txt"
    python3 "$root/Scripts/kernels/other_machine.py" "$folder/$name" "$folder/$name-arm64" "$limit" ||
      fail "the results of the arm64 kernels differ"
    rm "$folder/$name" "$folder/$name-arm64"
  done
}
