# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For tests of a built program: $BINARY, and a count of what went wrong in $failures.

failures=0

# expect STATUS TEXT FLAGS...: the exit status, and a text that the output must hold.
expect() {
  local wanted=$1 text=$2 output status=0
  shift 2
  output=$("$BINARY" "$@" 2>&1) || status=$?
  if ((status != wanted)) || [[ $output != *"$text"* ]]; then
    echo "$*: wanted status $wanted and '$text', got status $status and: $output"
    failures=$((failures + 1))
  fi
}
