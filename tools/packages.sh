# Sourced by quickstart and check: Debian packages, installed where that is allowed.

BUILD_PACKAGES=(g++ cmake ninja-build pkg-config libabsl-dev libflatbuffers-dev flatbuffers-compiler libpcre2-dev
  nlohmann-json3-dev libxxhash-dev zlib1g-dev libcli11-dev libsoxr-dev libsndfile1-dev)
FETCH_PACKAGES=(python3 python3-pip ca-certificates)
TEST_PACKAGES=(libgtest-dev libgmock-dev libbenchmark-dev clang-format-14)
# Building for AArch64 and running the result here.
ARM64_PACKAGES=(g++-aarch64-linux-gnu qemu-user)
ARM64_LIBRARIES=(libabsl-dev libabsl20220623 libflatbuffers-dev libpcre2-dev libpcre2-8-0 nlohmann-json3-dev
  libxxhash-dev libxxhash0 zlib1g-dev zlib1g libgtest-dev libgmock-dev)

# have_package NAME: installed, or what it is for is there without it.
have_package() {
  case $1 in
    python3) command -v python3 >/dev/null && return ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 && return ;;
  esac
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need_packages NAME...: installs what is missing, or says the one command that would and stops.
need_packages() {
  local missing=() package
  for package in "$@"; do
    have_package "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local command="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  if ! command -v apt-get >/dev/null; then
    echo "packages are missing and apt-get is not here; as Debian calls them: ${missing[*]}" >&2
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    echo "packages are missing and only root may install them; run this, then start again:" >&2
    echo "  sudo sh -c '$command'" >&2
    exit 1
  fi
  echo "== installing ${missing[*]}"
  if ! { DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null; }; then
    echo "packages could not be installed; when they can, run this, then start again:" >&2
    echo "  $command" >&2
    exit 1
  fi
}

# unpack_arm64_libraries FOLDER: the libraries of another architecture, beside the build; the machine's own packages and
# sources of packages stay as they are. Fails where they cannot be had.
unpack_arm64_libraries() {
  local folder=$1 apt package
  [ -e "$folder/complete" ] && return
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return
  rm -rf "$folder"
  mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial"
  folder=$(realpath "$folder")
  touch "$folder/apt/status"
  apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
    -o "Dir::State::status=$folder/apt/status" -o "Dir::State::Lists=$folder/apt/lists" -o "Dir::Cache=$folder/apt")
  "${apt[@]}" update </dev/null || return
  (cd "$folder/apt/archives" && "${apt[@]}" download "${ARM64_LIBRARIES[@]}" </dev/null) || return
  for package in "$folder"/apt/archives/*.deb; do
    dpkg-deb -x "$package" "$folder" || return
  done
  rm -r "$folder/apt"
  touch "$folder/complete"
}

# A compiler cache makes the second build quick; it is used where it is, never installed.
use_compiler_cache() {
  command -v ccache >/dev/null || return 0
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
}
