#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The exit statuses of the built explorer and where its reports go, as a user sees them.
set -uo pipefail

readonly BINARY=$1 TMP=${TEST_TMPDIR:?}

# shellcheck source=tests/stress/expect.sh
source tests/stress/expect.sh

readonly QUICK=(--scenario=spin_lock --executions=10)

expect 0 "usage: ./paddock explore" --help
expect 2 "there are --scenario" --bogus=1
expect 2 "--json too" "${QUICK[@]}" --json="$TMP/same" --junit="$TMP/../${TMP##*/}/same"
expect 3 "no/such/folder" --budget=1h --junit=no/such/folder/out.xml
expect 0 "spin_lock" "${QUICK[@]}" --json="$TMP/o.json" --junit="$TMP/o.xml"
expect_so "the rows are written" grep -qF '"scenario": "spin_lock"' "$TMP/o.json"
expect_so "the cases are written" grep -qF "</testsuites>" "$TMP/o.xml"

expect 0 "PASS: 1 of 1 scenarios passed; not searched up to the bound: spin_lock" "${QUICK[@]}"
expect 0 "PASS: 1 of 1 scenarios passed" --scenario=spin_lock
expect 1 "the search was cut off" --scenario=kernel_reuse --executions=3

expect 0 "PASS: 1 of 1" --replay=spin_lock:-
expect 1 "made with other sources" --replay=spin_lock:99999t2

expect_order "${QUICK[@]}"

# A signal: what was finished is reported, the rest is counted. No budget is enough for the second.
mkfifo "$TMP/table"
for signal in INT:130 TERM:143; do
  "$BINARY" --scenario=spin_lock,crowd_chained --bound=100 --budget=2h --json="$TMP/cut.json" \
    > "$TMP/table" 2> /dev/null &
  {
    grep -q -m 1 '^spin_lock .* pass$'
    kill -s "${signal%:*}" "$!"
    cat > "$TMP/rest"
  } < "$TMP/table"
  status=0
  wait "$!" || status=$?
  expect_so "$signal: the exit status is not $status" test "$status" = "${signal#*:}"
  expect_so "$signal leaves a verdict" grep -qF "INTERRUPTED: 1 of 2 scenarios passed; 1 not run" \
    "$TMP/rest"
  expect_so "$signal leaves what was finished" grep -qF '"verdict": "pass"' "$TMP/cut.json"
  expect_so "$signal names what was not" grep -qF '"verdict": "not run"' "$TMP/cut.json"
done

((failures == 0))
