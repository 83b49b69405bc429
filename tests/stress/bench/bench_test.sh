#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The exit statuses of the built benchmarks and what they say, as a user sees them.
set -uo pipefail

readonly BINARY=$1

# shellcheck source=tests/stress/expect.sh
source tests/stress/expect.sh

expect 0 "usage: ./paddock bench" --help
expect 0 "--repetitions" -h
expect 2 "there are --filter" --bogus
expect 2 "'surplus' is no flag" surplus
expect 2 "--repetitions=many" --repetitions=many
expect 2 "must be above 0" --repetitions=0
expect 2 "at most 3600 seconds" --min_time=inf
expect 2 "no case matches --filter=nothing" --filter=nothing

expect 2 "no regular expression" --filter='('
expect 2 "--tolerance=-1 must be at least 0" --tolerance=-1
expect 0 "miss, by how much of the target; or noisy" --help
expect 0 "Exit status: 0 measured" --help

readonly TMP=${TEST_TMPDIR:?}
readonly QUICK=(--filter='^lock_unlock' --repetitions=1 --min_time=0.001)

expect 0 "lock_unlock" "${QUICK[@]}" --json="$TMP/rows.json" --report="$TMP/page.html"
expect_so "the rows are written" grep -qF lock_unlock "$TMP/rows.json"
expect_so "the page is written" grep -qF lock_unlock "$TMP/page.html"
# That would be measured for an hour.
readonly LONG=(--filter='^lock_unlock' --min_time=3600)
expect 3 "no/such/folder" "${LONG[@]}" --json=no/such/folder/rows.json
expect 3 "no/such/folder" "${LONG[@]}" --report=no/such/folder/page.html
expect 2 "it is the file of --json too" "${LONG[@]}" --json="$TMP/a" --report="$TMP/a"

expect 3 "cannot read no/such.json" "${LONG[@]}" --compare=no/such.json
echo '{"verdict": "pass"}' > "$TMP/foreign.json"
expect 2 "it is not an array of rows" "${LONG[@]}" --compare="$TMP/foreign.json"
echo '[{"name":' > "$TMP/broken.json"
expect 2 "it is not JSON" "${LONG[@]}" --compare="$TMP/broken.json"

# older RATIOS...: a run in which a lookup cost so many times L, and of a case that is gone.
older() {
  local ns
  ns=$(printf '%s,' "$@")
  echo '[{"name": "lookup/threads:1", "samples_ns": ['"${ns%,}"'],
    "unit_ns": [1, 1, 1, 1, 1, 1, 1, 1, 1]}, {"name": "lookup_of_old/threads:1",
    "samples_ns": [1], "unit_ns": [1]}]'
}
readonly NINE=(--filter='^lookup.*threads:1' --repetitions=9 --min_time=0.001)
expect 3 "cannot read $TMP" "${NINE[@]}" --compare="$TMP"
older 0.01 0.02 0.03 0.04 0.05 0.06 0.07 0.08 0.09 > "$TMP/fast.json"
older 1001 1002 1003 1004 1005 1006 1007 1008 1009 > "$TMP/slow.json"
expect 1 "WORSE" "${NINE[@]}" --compare="$TMP/fast.json"
expect 0 "not in this run" "${NINE[@]}" --compare="$TMP/slow.json" --report="$TMP/changes.html"
expect_so "the page has the changes" grep -qF better "$TMP/changes.html"

# What was measured is shown when a signal ends the run.
readonly MANY=(--filter='^lock_unlock' --repetitions=100000 --min_time=0.001)
"$BINARY" "${MANY[@]}" > "$TMP/interrupted" 2> "$TMP/progress" &
until grep -qF "round 1 of" "$TMP/progress" || ! kill -0 $!; do sleep 0.05; done
sleep 0.3
kill -INT $!
wait $!
expect_so "an interrupted run is exit status 130" test $? = 130
expect_so "an interrupted run shows what it has" grep -qF lock_unlock "$TMP/interrupted"

expect_order "${QUICK[@]}"

((failures == 0))
