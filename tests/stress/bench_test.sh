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

readonly TMP=${TEST_TMPDIR:?}
readonly QUICK=(--filter='^lock_unlock' --repetitions=1 --min_time=0.001)

expect 0 "lock_unlock" "${QUICK[@]}" --json="$TMP/rows.json"
expect_so "the rows are written" grep -qF lock_unlock "$TMP/rows.json"
# That would be measured for an hour.
expect 3 "no/such/folder" --filter='^lock_unlock' --min_time=3600 --json=no/such/folder/rows.json

expect_order "${QUICK[@]}"

((failures == 0))
