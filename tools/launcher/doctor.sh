# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The command `doctor`: what the machine has, and what is missing and for what.

report() {
  printf '%-11s %s\n' "$1" "$2"
}

# report_tool NAME ABSENT VERSION_COMMAND...: ABSENT is said where there is no such command.
report_tool() {
  local name=$1 absent=$2
  shift 2
  if command -v "$1" > /dev/null; then
    report "$name" "$("$@" 2> /dev/null | sed -nE '/[0-9]\.[0-9]/{s/^ +//;p;q}')"
  else
    report "$name" "$absent"
  fi
}

report_bazel() {
  # Debian's Bazel does not know its own version; the package manager does.
  local version
  if ! command -v bazel > /dev/null; then
    report bazel "missing: nothing can be built"
    return
  fi
  # shellcheck disable=SC2016
  version=$(dpkg-query -W -f='${Version}' bazel-bootstrap 2> /dev/null) ||
    version=$(bazel --version 2> /dev/null) || version="does not run"
  report bazel "$version"
}

report_kvm() {
  local purpose="optional, no command needs it; a hypervisor prototype on Paddock would run guests with it"
  if [[ ! -e /dev/kvm ]]; then
    report /dev/kvm "not here ($purpose)"
  elif [[ -r /dev/kvm && -w /dev/kvm ]]; then
    report /dev/kvm "usable ($purpose)"
  else
    report /dev/kvm "not open to this user; group kvm may use it ($purpose)"
  fi
}

report_memory() {
  awk '/^MemTotal/ { total = $2 } /^MemAvailable/ { free = $2 }
    END { printf "%-11s %.1f GiB, %.1f GiB available\n", "memory", total / 2^20, free / 2^20 }' \
    /proc/meminfo
}

report_checkout() {
  if [[ $PADDOCK_ROOT == *[[:space:]]* ]]; then
    report checkout "$PADDOCK_ROOT: Bazel cannot build in a path that holds a space"
  else
    report checkout "$PADDOCK_ROOT"
  fi
}

report_packages() {
  local missing
  if ! has_apt; then
    report packages "no apt-get here: install by hand what is missing above"
    return
  fi
  mapfile -t missing < <(missing_packages "${BUILD_PACKAGES[@]}")
  if ((${#missing[@]} == 0)); then
    report packages "all installed"
  else
    report packages "missing, installed by the next command that builds: ${missing[*]}"
  fi
}

print_doctor() {
  # shellcheck disable=SC1091
  report system "$(. /etc/os-release 2> /dev/null && echo "${PRETTY_NAME:-unknown}"), $(uname -rm)"
  report cores "$(nproc)"
  report_memory
  report_checkout
  report cache "${PADDOCK_CACHE:-$HOME/.cache/paddock}"
  report_tool clang "missing: the first compiler" clang-19 --version
  report_tool lld "missing: the linker" ld.lld-19 --version
  report_tool symbolizer "missing: names in reports of sanitizers" llvm-symbolizer-19 --version
  report_tool gcc "missing: the second compiler (--config=gcc)" g++ --version
  report_bazel
  report_tool spin "not here (./paddock model installs it)" spin -V
  report_tool perf "not here (optional: records traces of real programs)" perf --version
  report_kvm
  report_packages
}
