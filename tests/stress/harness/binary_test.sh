#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The exit statuses of the built harness and what it says, as a user sees them.
set -uo pipefail

readonly BINARY=$1 SMALL_TRACE=$2
readonly TMP=${TEST_TMPDIR:?}
unset TEST_TOTAL_SHARDS TEST_SHARD_INDEX TEST_SHARD_STATUS_FILE TEST_UNDECLARED_OUTPUTS_DIR
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

expect 0 "usage: ./paddock stress" --help
expect 2 "there are disjoint, overlap" --workload=foo
expect 2 "there are --threads" --bogus=1
expect 2 "a time above 0" --duration=never
expect 2 "a number from 1 to" --threads=0
expect 2 "the formats are: x86_64" --format=vax
expect 2 "there are alloc, delay" --inject=rain
expect 2 "WORKLOAD:SEED:THREADS:ROUND" --replay=nonsense

expect 0 "digest" --workload=mixed --ops=2000 --threads=2 --seed=1
expect 0 "digest" --replay=tlb:1:2:1

: > "$TMP/empty"
head -c 5000 /dev/urandom > "$TMP/binary"
head -c 100 "$SMALL_TRACE" > "$TMP/truncated.zst"
expect 3 "$TMP/empty" --trace="$TMP/empty"
expect 3 "$TMP/binary" --trace="$TMP/binary"
expect 3 "$TMP/truncated.zst" --trace="$TMP/truncated.zst"
expect 3 "$TMP/missing" --trace="$TMP/missing"
expect 3 "give more with --memory" --trace="$SMALL_TRACE" --memory=4MiB --threads=2
expect 3 "no/such/folder" --workload=rcu --ops=10 --json=no/such/folder/out.json

# The same seed asks for the same operations.
digest_of() {
  "$BINARY" --workload=overlap --ops=3000 --threads=2 --seed="$1" 2> /dev/null | grep -o 'digest [0-9a-f]*'
}
if [[ $(digest_of 5) != "$(digest_of 5)" || $(digest_of 5) == "$(digest_of 6)" ]]; then
  echo "digests: $(digest_of 5), again $(digest_of 5), another seed $(digest_of 6)"
  failures=$((failures + 1))
fi

# All reports are written, whole.
expect 0 "PASS" --workload=mixed,trace --ops=2000 --threads=2 --json="$TMP/o.json" \
  --junit="$TMP/o.xml" --report="$TMP/o.html"
for text in '"verdict": "pass"' '"serializability"' '"walker"' '"tlb"' '"ageing"' '"books"' \
  '"leaked": 0' '"trace"'; do
  if ! grep -qF "$text" "$TMP/o.json"; then
    echo "no $text in the JSON: $(cat "$TMP/o.json")"
    failures=$((failures + 1))
  fi
done
grep -qF "</testsuite" "$TMP/o.xml" || failures=$((failures + 1))
grep -qF "</html>" "$TMP/o.html" || failures=$((failures + 1))

((failures == 0))
