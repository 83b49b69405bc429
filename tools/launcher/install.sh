# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Installs what a command needs. The packages are Debian's; elsewhere the tools are named.
#
# llvm-19 gives the sanitizers llvm-symbolizer-19: without names neither their reports nor our
# suppressions mean anything. Bazel calls zip to keep what tests leave behind.

# shellcheck disable=SC2034  # Read by ./paddock and .ci/run.
readonly BUILD_PACKAGES=(
  bazel-bootstrap bazel-platforms bazel-rules-cc bazel-rules-java bazel-rules-proto bazel-skylib
  clang-19 dpkg-dev g++ libclang-rt-19-dev lld-19 llvm-19 zip
)
# shellcheck disable=SC2034
readonly LINT_PACKAGES=(clang-format-19 clang-tidy-19 git shellcheck)
# shellcheck disable=SC2034
readonly MODEL_PACKAGES=(gcc libc6-dev spin)
# What must be there where there is no apt-get; a command that needs other tools says so.
NEEDED_TOOLS=(bazel clang-19 ld.lld-19 llvm-symbolizer-19 zip)
readonly APT_WAIT_SECONDS=300

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
    echo "needs root, and there is no sudo, for: $*" >&2
    return 1
  fi
}

# apt_get LOG COMMAND...: its output goes to LOG. Waits while another apt holds a lock: apt-get can
# wait for the lock of dpkg itself, not for the one of the package lists.
apt_get() {
  local log=$1 deadline=$((SECONDS + APT_WAIT_SECONDS)) wait_option=()
  shift
  until as_root env LC_ALL=C DEBIAN_FRONTEND=noninteractive \
    apt-get -qq "${wait_option[@]}" "$@" > "$log" 2>&1 9>&-; do
    if ! grep -q 'Could not get lock' "$log" || ((SECONDS >= deadline)); then
      return 1
    fi
    if ((${#wait_option[@]} == 0)); then
      grep -m 1 'Could not get lock' "$log" >&2
      echo "paddock: waiting for the other package manager, up to $APT_WAIT_SECONDS s" >&2
      wait_option=(-o "DPkg::Lock::Timeout=$APT_WAIT_SECONDS")
    fi
    sleep 1
  done
}

# Lists that cannot be updated (one broken source is enough) may still do for the packages.
apt_install() {
  local update_log=$PADDOCK_SCRATCH/apt-update install_log=$PADDOCK_SCRATCH/apt-install
  if ! apt_get "$update_log" update; then
    echo "paddock: apt-get update failed; trying with the package lists as they are:" >&2
    tail -n 5 "$update_log" >&2
  fi
  if ! apt_get "$install_log" install --yes --no-install-recommends "$@"; then
    tail -n 20 "$install_log" >&2
    return 1
  fi
}

refuse_without_apt() {
  local missing
  mapfile -t missing < <(missing_tools)
  if ((${#missing[@]} > 0)); then
    fail_environment "this machine has no apt-get. Install these first: ${missing[*]}" \
      "on Debian 12 the packages are: $*"
  fi
}

# One of the user's ./paddock installs at a time. The lock is descriptor 9, which apt-get must not
# inherit: it may start services that stay.
lock_installation() {
  local folder=${PADDOCK_CACHE:-$HOME/.cache/paddock}
  mkdir -p "$folder" || fail_environment "cannot make the folder $folder"
  exec 9> "$folder/install.lock" || fail_environment "cannot open $folder/install.lock"
  if ! flock -n 9; then
    echo "paddock: waiting for another ./paddock that is installing packages" >&2
    flock 9
  fi
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
  lock_installation
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} > 0)); then
    echo "paddock: installing with apt-get (this can take minutes): ${missing[*]}" >&2
    apt_install "${missing[@]}" || fail_environment "cannot install: ${missing[*]}" \
      "these are packages of Debian 12; ./paddock doctor shows what this machine has"
  fi
  exec 9>&-
}
