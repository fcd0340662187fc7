# System packages: what Unroll needs, how each is detected, and how it is installed.

# package | how it is detected | purpose | needed by | required or optional
system_packages() {
  cat <<'TABLE'
zlib1g-dev|header zlib.h|.npz files|build|required
liblapacke-dev|header lapacke.h|spectra (LAPACK)|build|required
libhdf5-dev|header hdf5/serial/hdf5.h hdf5.h|Keras files (HDF5)|build|required
gnuplot-nox|command gnuplot|figures|build|optional
python3-venv|module ensurepip|tests against other programs|test|optional
chromium|command chromium|tests of the page in a browser|test|optional
chromium-driver|command chromedriver|tests of the page in a browser|test|optional
pkg-config|command pkg-config|training on several processes|mpi|optional
openmpi-bin|command mpirun|training on several processes|mpi|optional
libopenmpi-dev|pkgconfig mpi ompi-c ompi mpich|training on several processes|mpi|optional
iproute2|command ip|tests of two hosts|mpi|optional
qemu-user|command qemu-aarch64|arm64 kernels under emulation|arm64|required
gcc-aarch64-linux-gnu|command aarch64-linux-gnu-gcc|arm64 kernels under emulation|arm64|required
libc6-dev-arm64-cross|file /usr/aarch64-linux-gnu/include|arm64 kernels under emulation|arm64|required
TABLE
}

# Homebrew's names, where they differ from Debian's.
brew_name() {
  case "$1" in
    zlib1g-dev) echo zlib ;;
    liblapacke-dev) echo lapack ;;
    libhdf5-dev) echo hdf5 ;;
    gnuplot-nox) echo gnuplot ;;
    openmpi-bin|libopenmpi-dev) echo open-mpi ;;
    *) echo "$1" ;;
  esac
}

# is_installed KIND NAME...: whether one of the names is there.
is_installed() {
  local kind=$1 name
  shift
  for name in "$@"; do
    case "$kind" in
      header) echo "#include <$name>" | { cc -E - || clang -E -; } >/dev/null 2>&1 && return 0 ;;
      command) command -v "$name" >/dev/null && return 0 ;;
      module) python3 -c "import $name" >/dev/null 2>&1 && return 0 ;;
      pkgconfig) pkg-config --exists "$name" >/dev/null 2>&1 && return 0 ;;
      file) [ -e "$name" ] && return 0 ;;
    esac
  done
  return 1
}

# Prints the table with what is installed here.
show_packages() {
  printf '%-23s %-10s %-9s %-7s %s\n' package installed '' for purpose
  local package test purpose task need state
  while IFS='|' read -r package test purpose task need; do
    # shellcheck disable=SC2086  # the names are separate words
    if is_installed $test; then state=yes; else state=no; fi
    printf '%-23s %-10s %-9s %-7s %s\n' "$package" "$state" "$need" "$task" "$purpose"
  done < <(system_packages)
}

# install_packages TASK: installs what the task needs and what is missing, visibly. A required package that
# cannot be installed ends the task with the command to run by hand; without an optional one it goes on.
install_packages() {
  local wanted=$1 package test purpose task need
  local missing=() purposes=() is_required=
  while IFS='|' read -r package test purpose task need; do
    [ "$task" = "$wanted" ] || continue
    # shellcheck disable=SC2086
    ! is_installed $test || continue
    missing+=("$package")
    case " ${purposes[*]-} " in *"$purpose"*) ;; *) purposes+=("$purpose") ;; esac
    [ "$need" != required ] || is_required=yes
  done < <(system_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  local list; list=$(printf ', %s' "${purposes[@]}"); list=${list:2}
  say "installing ${missing[*]}: $list"
  if try_install "${missing[@]}" >&2; then return 0; fi
  [ -n "$is_required" ] ||
    { say "could not install ${missing[*]}; going on without: $list"; return 0; }
  fail "could not install ${missing[*]} ($list). On Debian or Ubuntu run: sudo apt-get install ${missing[*]}"
}

try_install() {
  if command -v apt-get >/dev/null; then
    as_root true || { say "no right to install packages (neither root nor sudo)"; return 1; }
    as_root apt-get update -qq &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
  elif command -v brew >/dev/null; then
    local formulas=() package
    for package in "$@"; do formulas+=("$(brew_name "$package")"); done
    brew install "${formulas[@]}"
  else
    say "neither apt-get nor brew is here"
    return 1
  fi
}

# Swift itself, which is not installed here.
check_swift() {
  command -v swift >/dev/null || fail "Swift 6.1 or newer is needed: https://www.swift.org/install"
  local text version
  text=$(swift --version 2>&1) || fail "swift does not run: $text"
  version=$(sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' <<<"$text" | head -n 1)
  case "$version" in
    [0-5].*|6.0) fail "Swift 6.1 or newer is needed, found $version: https://www.swift.org/install" ;;
  esac
}

# What every task needs.
prepare() { check_swift; install_packages build; }

# prepare_python FOLDER REQUIREMENTS VARIABLE WHAT: a Python environment for the tests that run other
# programs; without it they skip and say so.
prepare_python() {
  local folder=$root/$1 requirements=$root/Scripts/python/$2
  if [ ! -f "$folder/ready" ] || ! cmp -s "$folder/ready" "$requirements"; then
    say "a Python environment for the tests against other programs ($4), into $1"
    python3 -m venv --clear "$folder" >&2 || true
    if [ -x "$folder/bin/pip" ] && "$folder/bin/pip" install -q --disable-pip-version-check -r "$requirements" >&2
    then cp "$requirements" "$folder/ready"
    else say "pip could not install what $2 lists; the tests that need it are skipped"; return 0
    fi
  fi
  export "$3=$folder/bin/python"
}

# MPI under the name that the package asks for (Debian's is mpi, other builds have their own).
prepare_mpi() {
  install_packages mpi
  command -v mpirun >/dev/null || return 1
  ! pkg-config --exists mpi || return 0
  local name folder=$root/.build-mpi/pkgconfig
  for name in ompi-c ompi mpich; do
    pkg-config --exists "$name" || continue
    mkdir -p "$folder"
    ln -sf "$(pkg-config --variable=pcfiledir "$name")/$name.pc" "$folder/mpi.pc"
    export PKG_CONFIG_PATH=$folder${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
    return 0
  done
  return 1
}

task_setup() {
  case "${1:-}" in
    '') prepare; say "everything that building and the lab need is installed; ./run setup --show lists the rest" ;;
    --all) local task; check_swift; for task in build test mpi arm64; do install_packages "$task"; done ;;
    --show) show_packages ;;
    *) fail "setup: expected --show or --all, found '$1'" ;;
  esac
}
