# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# How the launcher calls Bazel: from the project's root, its progress on stderr.

paddock_bazel() {
  local startup=()
  if [[ -n ${PADDOCK_OUTPUT_BASE:-} ]]; then
    startup+=("--output_base=$PADDOCK_OUTPUT_BASE")
  fi
  (cd "$PADDOCK_ROOT" && bazel "${startup[@]}" "$@")
}

# build_binary CONFIG TARGET: prints the path of the binary; exits with status 3 if it fails.
build_binary() {
  local config=$1 target=$2 directory path
  if ! paddock_bazel build --config="$config" --ui_event_filters=-info --show_result=0 \
    "$target" >&2; then
    echo "paddock: $target does not build" >&2
    exit 3
  fi
  directory=$(paddock_bazel info --config="$config" bazel-bin 2> /dev/null)
  path=${target#//}
  echo "$directory/${path/://}"
}
