# Required and optional system packages, their detection and installation. Building needs only zlib;
# the libraries for `run` are loaded on first use (Sources/UnrollLibraries).

# package | detection | purpose | needed by | required or optional
# NAME/NAME: alternative names on releases of Debian and Ubuntu; the first that apt knows is used.
system_packages() {
  cat <<'TABLE'
zlib1g-dev|header zlib.h|.npz files|build|required
libhdf5-310/libhdf5-103-1t64/libhdf5-103-1|library libhdf5_serial.so libhdf5.so|Keras files (HDF5)|run|optional
liblapack3|library liblapack.so libopenblas.so libflexiblas.so|spectra (LAPACK)|run|optional
gnuplot-nox|command gnuplot|figures|run|optional
python3-venv|module ensurepip|tests against other programs|test|optional
chromium|command chromium|tests of the page in a browser|test|optional
chromium-driver|command chromedriver|tests of the page in a browser|test|optional
openmpi-bin|command mpirun|training on several processes|mpi|optional
libopenmpi-dev|command mpicc|training on several processes|mpi|optional
iproute2|command ip|tests of two hosts|mpi|optional
qemu-user|command qemu-aarch64|arm64 kernels under emulation|arm64|required
gcc-aarch64-linux-gnu|command aarch64-linux-gnu-gcc|arm64 kernels under emulation|arm64|required
libc6-dev-arm64-cross|file /usr/aarch64-linux-gnu/include|arm64 kernels under emulation|arm64|required
TABLE
}

# apt_name NAME/NAME...: the first that apt knows, otherwise the last.
apt_name() {
  local name
  for name in ${1//\// }; do
    [[ $(apt-cache show "$name" 2>/dev/null) != *Filename:* ]] || break
  done
  echo "$name"
}

# Homebrew's names for Debian packages.
brew_name() {
  case "$1" in
    zlib1g-dev) echo zlib ;;
    liblapack3) echo lapack ;;
    libhdf5-*) echo hdf5 ;;
    gnuplot-nox) echo gnuplot ;;
    openmpi-bin|libopenmpi-dev) echo open-mpi ;;
    *) echo "$1" ;;
  esac
}

# package_name NAME/NAME...: the name for this machine's package manager.
package_name() {
  if command -v apt-get >/dev/null; then apt_name "$1"; else brew_name "$1"; fi
}

# has_library NAME: whether the dynamic linker finds NAME.VERSION.
has_library() {
  case "$(uname):$1" in
    Darwin:liblapack.so) return 0 ;; # part of the system, as a framework
    Darwin:*) [ -e "/opt/homebrew/lib/${1%.so}.dylib" ] || [ -e "/usr/local/lib/${1%.so}.dylib" ]; return ;;
  esac
  PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null |
    grep "^[[:space:]]*${1//./\\.}\.[0-9]" >/dev/null ||
    compgen -G "/usr/lib/$1.[0-9]*" >/dev/null
}

# is_installed KIND NAME...: whether one of the names is installed.
is_installed() {
  local kind=$1 name
  shift
  for name in "$@"; do
    case "$kind" in
      header) echo "#include <$name>" | { cc -E - || clang -E -; } >/dev/null 2>&1 && return 0 ;;
      command) command -v "$name" >/dev/null && return 0 ;;
      module) python3 -c "import $name" >/dev/null 2>&1 && return 0 ;;
      library) has_library "$name" && return 0 ;;
      file) [ -e "$name" ] && return 0 ;;
    esac
  done
  return 1
}

# Prints the table with the installation status.
show_packages() {
  printf '%-23s %-10s %-9s %-7s %s\n' package installed '' for purpose
  local package test purpose task need state
  while IFS='|' read -r package test purpose task need; do
    # shellcheck disable=SC2086  # the names are separate words
    if is_installed $test; then state=yes; else state=no; fi
    printf '%-23s %-10s %-9s %-7s %s\n' "$(package_name "$package")" "$state" "$need" "$task" "$purpose"
  done < <(system_packages)
}

# install_packages TASK: installs missing packages of a task. If a required package cannot be installed, the task
# fails with the command to run manually; missing optional packages are skipped.
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
  say "installing what is missing: $list"
  if try_install "${missing[@]}" >&2; then return 0; fi
  local names=()
  for package in "${missing[@]}"; do names+=("$(apt_name "$package")"); done
  [ -n "$is_required" ] ||
    { say "could not install ${names[*]}; going on without: $list"; return 0; }
  fail "could not install ${names[*]} ($list). On Debian or Ubuntu run: sudo apt-get install ${names[*]}"
}

# try_install NAME/NAME...: installs packages; updates apt's lists first, because older lists may lack the names.
try_install() {
  local package names=()
  if command -v apt-get >/dev/null; then
    as_root true || { say "no right to install packages (neither root nor sudo)"; return 1; }
    as_root apt-get update -qq || return 1
    for package in "$@"; do names+=("$(apt_name "$package")"); done
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${names[@]}"
  elif command -v brew >/dev/null; then
    for package in "$@"; do names+=("$(brew_name "$package")"); done
    brew install "${names[@]}"
  else
    say "neither apt-get nor brew is here"
    return 1
  fi
}

# Checks for Swift, which this script does not install.
check_swift() {
  command -v swift >/dev/null || fail "Swift 6.1 or newer is needed: https://www.swift.org/install"
  local text version
  text=$(swift --version 2>&1) || fail "swift does not run: $text"
  version=$(sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' <<<"$text" | head -n 1)
  case "$version" in
    [0-5].*|6.0) fail "Swift 6.1 or newer is needed, found $version: https://www.swift.org/install" ;;
  esac
}

# Prepares the packages that every task needs.
prepare() { check_swift; install_packages build; install_packages run; }

# prepare_python FOLDER REQUIREMENTS VARIABLE WHAT: creates a Python environment for the tests that run other
# programs; without it they are skipped with a message.
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

# Installs an MPI launcher and compiler.
prepare_mpi() {
  install_packages mpi
  command -v mpirun >/dev/null && command -v mpicc >/dev/null
}

task_setup() {
  case "${1:-}" in
    '') prepare; say "everything that building and the lab need is installed; ./run setup --show lists the rest" ;;
    --all) local task; check_swift; for task in build run test mpi arm64; do install_packages "$task"; done ;;
    --show) show_packages ;;
    *) fail "setup: expected --show or --all, found '$1'" ;;
  esac
}
