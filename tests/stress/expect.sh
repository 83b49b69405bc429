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

# expect_so WHAT COMMAND...: the command succeeds.
expect_so() {
  if ! "${@:2}"; then
    echo "not so: $1"
    failures=$((failures + 1))
  fi
}

# expect_order FLAGS...: whoever reads standard output, the file of --json is there; what cannot be
# written to it is exit status 3.
expect_order() {
  local closed=$TEST_TMPDIR/closed.json full=$TEST_TMPDIR/full.json status=0
  "$BINARY" "$@" --json="$closed" 2> /dev/null | true
  expect_so "a reader that goes away is no error" test "${PIPESTATUS[0]}" = 0
  expect_so "a reader that goes away loses no report" test -s "$closed"
  "$BINARY" "$@" --json="$full" > /dev/full 2> "$full.err" || status=$?
  expect_so "a full disk is exit status 3" test "$status" = 3
  expect_so "a full disk is named" grep -qF "cannot write to standard output" "$full.err"
  expect_so "a full disk under the summary loses no report" test -s "$full"
  status=0
  "$BINARY" --help > /dev/full 2> /dev/null || status=$?
  expect_so "help that cannot be written is exit status 3" test "$status" = 3
}
