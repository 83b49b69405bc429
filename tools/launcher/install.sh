# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Installs what a command needs. The packages are Debian's; elsewhere the tools are named.

# shellcheck disable=SC2034  # Read by ./paddock and .ci/run.
readonly BUILD_PACKAGES=(
  bazel-bootstrap bazel-platforms bazel-rules-cc bazel-rules-java bazel-rules-proto bazel-skylib
  clang-19 dpkg-dev g++ libclang-rt-19-dev lld-19
)
# shellcheck disable=SC2034
readonly LINT_PACKAGES=(clang-format-19 clang-tidy-19)
readonly NEEDED_TOOLS=(bazel clang-19 ld.lld-19)

has_apt() {
  command -v apt-get > /dev/null && command -v dpkg-query > /dev/null
}

# Prints those of the packages that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    # shellcheck disable=SC2016  # The ${...} is dpkg-query's.
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2> /dev/null) == installed ]] ||
      echo "$package"
  done
}

missing_tools() {
  local tool
  for tool in "${NEEDED_TOOLS[@]}"; do
    command -v "$tool" > /dev/null || echo "$tool"
  done
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo > /dev/null; then
    sudo "$@"
  else
    echo "paddock: needs root (and there is no sudo) for: $*" >&2
    return 1
  fi
}

apt_install() {
  local log status=0
  log=$(mktemp)
  {
    as_root apt-get -qq update &&
      as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install --yes --no-install-recommends "$@"
  } > "$log" 2>&1 || status=$?
  if ((status != 0)); then
    tail -n 20 "$log" >&2
  fi
  rm -f "$log"
  return "$status"
}

refuse_without_apt() {
  local missing
  mapfile -t missing < <(missing_tools)
  if ((${#missing[@]} == 0)); then
    return 0
  fi
  echo "paddock: this machine has no apt-get. Install these first: ${missing[*]}" >&2
  echo "On Debian 12 the packages are: $*" >&2
  exit 3
}

# install_missing PACKAGE...: returns once all are installed, or exits with status 3.
install_missing() {
  if ! has_apt; then
    refuse_without_apt "$@"
    return 0
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then
    return 0
  fi
  echo "paddock: installing with apt-get: ${missing[*]}" >&2
  if ! apt_install "${missing[@]}"; then
    echo "paddock: cannot install: ${missing[*]}" >&2
    exit 3
  fi
}
