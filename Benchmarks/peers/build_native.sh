#!/bin/sh
# Builds the peers that are called from C++: oneDNN's and RTNeural's programs, beside this script.
#
#   build_native.sh [RTNEURAL]      RTNEURAL: a clone of github.com/jatinchowdhury18/RTNeural with its
#                                   submodules; without one, RTNeural is left out
#
# RTNeural computes with Eigen or xsimd. Which one is fastest, by which compiler, and with which vectors, depends
# on the size: those that led somewhere are built. (Its plain loops led nowhere.) Eigen's layers of 128
# and more units need EIGEN_STACK_ALLOCATION_LIMIT=0.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

g++ -O3 -march=native -std=c++17 "$here/onednn_bench.cpp" -o "$here/onednn_bench" -ldnnl -lgomp
gcc -shared -fPIC "$here/fakeintel.c" -o "$here/libfakeintel.so"  # lets MKL take its fast path on AMD processors

[ $# -gt 0 ] || exit 0
source=$1
for file in RTNeural/RTNeural.h modules/Eigen/Eigen/Core modules/xsimd/include/xsimd/xsimd.hpp; do
  [ -f "$source/$file" ] && continue
  echo "$source: expected a clone of RTNeural with its submodules, found no $file" >&2
  exit 1
done
version=$(git -C "$source" rev-parse --short HEAD)
rtneural() {
  name=$1
  compiler=$2
  shift 2
  echo "rtneural_$name"
  "$compiler" -O3 -std=c++17 -DNDEBUG -DRTNEURAL_VERSION="\"$version\"" -isystem "$source/RTNeural" "$@" "$here/rtneural_bench.cpp" \
    -o "$here/rtneural_$name"
}
eigen="-DRTNEURAL_USE_EIGEN=1 -DEIGEN_STACK_ALLOCATION_LIMIT=0 -DRTNEURAL_DEFAULT_ALIGNMENT=32 -isystem $source/modules/Eigen"
xsimd="-DRTNEURAL_USE_XSIMD=1 -isystem $source/modules/xsimd/include"
rtneural eigen_gcc g++ $eigen -march=native
rtneural eigen_clang clang++ $eigen -march=native
rtneural xsimd clang++ $xsimd -DRTNEURAL_DEFAULT_ALIGNMENT=64 -march=native
rtneural xsimd_avx2 clang++ $xsimd -DRTNEURAL_DEFAULT_ALIGNMENT=32 -mavx2 -mfma
