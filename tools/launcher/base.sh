# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What every script of the launcher begins with. Wants PADDOCK_ROOT; sets PADDOCK_SCRATCH, a
# folder for temporary files that is gone when the script ends, however it ends.

readonly EXIT_ENVIRONMENT=3
readonly EXIT_INTERRUPTED=130

# fail_environment MESSAGE...: the machine, not the project, is what must change.
fail_environment() {
  printf 'paddock: %s\n' "$@" >&2
  exit "$EXIT_ENVIRONMENT"
}

remove_scratch() {
  rm -rf "$PADDOCK_SCRATCH"
}

# Bash runs a trap once the foreground command has ended: Bazel has then cleaned up after itself.
start_script() {
  PADDOCK_SCRATCH=$(mktemp -d) || exit "$EXIT_ENVIRONMENT"
  trap remove_scratch EXIT
  trap 'exit "$EXIT_INTERRUPTED"' INT
  trap 'exit 143' TERM
  settle_environment
}

# Everything below runs in other directories than the caller's.
settle_environment() {
  local name
  if [[ -z ${HOME:-} ]]; then
    unset HOME
    export HOME=~
  fi
  for name in PADDOCK_CACHE PADDOCK_OUTPUT_BASE; do
    if [[ -n ${!name:-} ]]; then
      export "$name=$(realpath -m -- "${!name}")"
    fi
  done
}

# Bazel refuses such a checkout, but only after everything has been installed.
refuse_unusable_root() {
  if [[ $PADDOCK_ROOT == *[[:space:]]* ]]; then
    fail_environment "Bazel cannot build in a path that holds a space: '$PADDOCK_ROOT'." \
      "Move the checkout to a path without one."
  fi
}
