# All checks except the tests: format, warnings, traits, documentation, file lengths, generated tables.

task_check() {
  prepare
  git -C "$root" rev-parse --git-dir >/dev/null 2>&1 ||
    fail "check reads the list of files from git; run it in a clone"
  say "format (1 of 7)"
  (cd "$root" && git ls-files -z '*.swift' | xargs -0 swift format lint --strict --parallel)
  say "build of every target and snippet, debug, warnings are errors (2 of 7)"
  swift_in .build-debug build --build-tests --traits Command "${strict[@]}" | tail -n 1
  say "documentation, warnings are errors (3 of 7)"
  command -v python3 >/dev/null || fail "python3 is needed to check catalogues and tables; install it"
  python3 "$root/Scripts/documentation/catalogues.py" >&2 ||
    fail "a library's catalogue (Sources/LIBRARY/LIBRARY.docc) differs from its public declarations"
  check_documentation
  say "every product without traits (4 of 7)"
  swift_in .build-plain build "${strict[@]}" | tail -n 1
  say "another package that imports Unroll (5 of 7)"
  check_dependent_package
  say "files of at most 400 lines: source, scripts, pages (6 of 7)"
  (cd "$root" && git ls-files '*.swift' '*.c' '*.h' '*.js' '*.css' '*.sh' '*.py' run .ci/run |
    xargs wc -l | awk '$2 != "total" && $1 > 400 { print; bad = 1 } END { exit bad }') || fail "files are too long"
  say "tables, as their programs write them (7 of 7)"
  python3 "$root/Scripts/kernels/function_tables.py" --check >&2 ||
    fail "vector/function_tables.h differs from the output of Scripts/kernels/function_tables.py"
  python3 "$root/Benchmarks/tables.py" --check >&2 || fail "Documentation/Benchmarks.md differs from Benchmarks/results"
  say "all checks passed"
}

# Builds the documentation of all libraries in one call; prints the errors if there are any.
check_documentation() {
  local targets=() target log
  for target in $(libraries); do targets+=(--target "$target"); done
  log=$(mktemp)
  swift_in .build-debug package --traits Command generate-documentation "${targets[@]}" --warnings-as-errors >"$log" 2>&1 ||
    { grep -E -A 9 'warning:|error:' "$log" >&2; rm -f "$log"; fail "the documentation has errors"; }
  rm -f "$log"
}

# The names of the package's library products.
libraries() {
  sed -n 's/^ *\.library(name: "\([A-Za-z]*\)".*/\1/p' "$root/Package.swift"
}

# A package that depends on Unroll by path must fetch only swift-numerics, and build in both configurations.
check_dependent_package() {
  local folder=$root/.build-plain/dependent found configuration
  mkdir -p "$folder/Sources/dependent"
  cat >"$folder/Package.swift" <<TEXT
// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "dependent",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "Unroll", path: "../..")],
  targets: [
    .executableTarget(name: "dependent", dependencies: [.product(name: "Unroll", package: "Unroll")])
  ]
)
TEXT
  cp "$root/Snippets/FirstNetwork.swift" "$folder/Sources/dependent/main.swift"
  found=$(swift package --package-path "$folder" show-dependencies --format json 2>/dev/null |
    sed -n 's/^ *"identity" *: *"\([^"]*\)".*/\1/p' | sort -u | tr '\n' ' ')
  case "$found" in
    *" swift-numerics "*) [ "$(wc -w <<<"$found")" = 3 ] || fail "import Unroll fetches more than swift-numerics: $found" ;;
    *) fail "the dependencies of a package that imports Unroll could not be read: $found" ;;
  esac
  for configuration in debug release; do
    swift build --package-path "$folder" -c "$configuration" | tail -n 1
    "$folder/.build/$configuration/dependent" >/dev/null || fail "the dependent package's program failed ($configuration)"
  done
}
