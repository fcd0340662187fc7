#!/usr/bin/env bash
# Makes the .pb.swift files of the schema: generate.sh PROTOC-GEN-SWIFT
#
# Needs protoc (Debian: protobuf-compiler) and protoc-gen-swift (`swift build --product protoc-gen-swift`
# in swift-protobuf). What it writes is put under the trait ONNX and passes this package's own checks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
protoc --plugin="$1" --swift_out=. ./*.proto
for file in *.pb.swift; do
  {
    echo "#if ONNX"
    grep -v -e '^// swift-format-ignore-file' -e '^// swiftlint:disable' "$file" |
      sed 's|^\( *\)/// \(Clears the value of `[a-zA-Z]*`\.\) \(.*\)|\1/// \2\n\1///\n\1/// \3|'
    echo "#endif"
  } >"$file.part"
  mv "$file.part" "$file"
  swift format format -i "$file"
done
