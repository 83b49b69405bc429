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
expect 2 "no case matches --filter=nothing" --filter=nothing

((failures == 0))
