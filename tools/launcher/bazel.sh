# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# How the launcher calls Bazel: from the root, or the copy of it that bazel_root names; its
# progress on stderr.

readonly BAZEL_INTERRUPTED=8

# paddock_bazel COMMAND [flag or target]...
paddock_bazel() {
  local command=$1 startup=() flags=()
  shift
  if [[ -n ${PADDOCK_OUTPUT_BASE:-} ]]; then
    startup+=("--output_base=$PADDOCK_OUTPUT_BASE")
  fi
  if [[ -n ${PADDOCK_CACHE:-} ]]; then
    flags+=("--disk_cache=$PADDOCK_CACHE/bazel-disk")
  fi
  (cd "${bazel_root:-$PADDOCK_ROOT}" && exec bazel "${startup[@]}" "$command" "${flags[@]}" "$@")
}

# bazel_info CONFIG KEY: prints the value; says why and exits with status 3 if there is none.
bazel_info() {
  local config=$1 key=$2 value
  if ! value=$(paddock_bazel info --config="$config" "$key" 2> "$PADDOCK_SCRATCH/info") ||
    [[ -z $value ]]; then
    cat "$PADDOCK_SCRATCH/info" >&2
    fail_environment "bazel info does not tell $key"
  fi
  echo "$value"
}

# build_binary CONFIG TARGET: prints the path of the binary; exits with status 3 if it fails.
build_binary() {
  local config=$1 target=$2 status=0 directory path
  paddock_bazel build --config="$config" --ui_event_filters=-info --show_result=0 \
    "$target" >&2 || status=$?
  if ((status == BAZEL_INTERRUPTED)); then
    exit "$EXIT_INTERRUPTED"
  elif ((status != 0)); then
    fail_environment "$target does not build (bazel exited with status $status)"
  fi
  directory=$(bazel_info "$config" bazel-bin) || exit
  path=${target#//}
  echo "$directory/${path/://}"
}

# test_environment NAME: the value that .bazelrc gives NAME in tests.
test_environment() {
  local value
  value=$(sed -n "s/^test:[a-z]* --test_env=$1=//p" "$PADDOCK_ROOT/.bazelrc")
  if [[ -z $value ]]; then
    fail_environment ".bazelrc sets no $1 for tests"
  fi
  echo "$value"
}
