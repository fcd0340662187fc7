# Everything but the tests: format, warnings, documentation, file lengths, generated tables.

task_check() {
  prepare
  git -C "$root" rev-parse --git-dir >/dev/null 2>&1 ||
    fail "check reads the list of files from git; run it in a clone"
  say "format (1 of 5)"
  (cd "$root" && git ls-files -z '*.swift' | xargs -0 swift format lint --strict --parallel)
  say "build of every target and snippet, warnings are errors (2 of 5)"
  swift_in .build-debug build --build-tests "${strict[@]}" | tail -n 1
  say "documentation, warnings are errors (3 of 5)"
  local target
  for target in Unroll UnrollFormats UnrollONNX UnrollFigures UnrollLab UnrollLanguage UnrollWeb; do
    swift_in .build-debug package generate-documentation --target "$target" --warnings-as-errors | tail -n 1
  done
  say "files of at most 400 lines (4 of 5)"
  (cd "$root" && git ls-files 'Sources/*.swift' 'Sources/*.c' 'Sources/*.h' 'Tests/*.swift' 'Snippets/*.swift' |
    xargs wc -l | awk '$2 != "total" && $1 > 400 { print; bad = 1 } END { exit bad }') || fail "files are too long"
  say "tables of functions, as their program writes them (5 of 5)"
  command -v python3 >/dev/null || fail "python3 is needed to compute the tables again; install it"
  python3 "$root/Scripts/kernels/function_tables.py" --check >&2 ||
    fail "fast/function_tables.h differs from what Scripts/kernels/function_tables.py writes"
  say "all checks passed"
}
