#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The exit statuses of the built harness and what it says, as a user sees them.
set -uo pipefail

readonly BINARY=$1 SMALL_TRACE=$2
readonly TMP=${TEST_TMPDIR:?}
unset TEST_TOTAL_SHARDS TEST_SHARD_INDEX TEST_SHARD_STATUS_FILE TEST_UNDECLARED_OUTPUTS_DIR

# shellcheck source=tests/stress/expect.sh
source tests/stress/expect.sh

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
expect 0 "PASS" --workload=io,kvirt --ops=4000 --threads=2 --seed=1
expect 0 "not exercised by this run" --workload=kvirt --ops=4000 --threads=2 --seed=1

: > "$TMP/empty"
head -c 5000 /dev/urandom > "$TMP/binary"
head -c 100 "$SMALL_TRACE" > "$TMP/truncated.zst"
expect 3 "$TMP/empty" --trace="$TMP/empty"
expect 3 "$TMP/binary" --trace="$TMP/binary"
expect 3 "$TMP/truncated.zst" --trace="$TMP/truncated.zst"
expect 3 "$TMP/missing" --trace="$TMP/missing"
expect 3 "give more with --memory" --trace="$SMALL_TRACE" --memory=4MiB --threads=2
expect 3 "no/such/folder" --workload=rcu --duration=1h --json=no/such/folder/out.json
expect 3 "$TMP" --workload=rcu --duration=1h --report="$TMP"
expect 3 "cannot map" --workload=rcu --ops=10 --memory=4194304GiB
expect 2 "a number below 2^64" --seed=abc
expect 2 "--json too" --json="$TMP/same" --junit="$TMP/same"
expect 0 "PASS" --workload=mixed,tlb,rcu --duration=1ms --threads=2

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
for text in '"verdict": "pass"' '"serializability"' '"walker"' '"tlb"' '"memory"' '"ageing"' '"books"' \
  '"leaked": 0' '"trace"'; do
  if ! grep -qF "$text" "$TMP/o.json"; then
    echo "no $text in the JSON: $(cat "$TMP/o.json")"
    failures=$((failures + 1))
  fi
done
grep -qF "</testsuite" "$TMP/o.xml" || failures=$((failures + 1))
grep -qF "</html>" "$TMP/o.html" || failures=$((failures + 1))


expect_order --workload=rcu --ops=100
# Into the file of standard output, one behind the other.
"$BINARY" --workload=rcu --ops=100 --json=/dev/stdout > "$TMP/both" 2> /dev/null
expect_so "the JSON is in front" test "$(head -n 1 "$TMP/both")" = "{"
expect_so "the summary is behind it" grep -qF "PASS: no violation" "$TMP/both"

expect 0 "s left" --workload=overlap,rcu --ops=100000 --threads=2 --progress=bar

# interrupted SIGNAL STATUS: a run that is told to stop once it has printed its command.
interrupted() {
  "$BINARY" --workload=tlb,rcu,trace --duration=1h --threads=2 --json="$TMP/$1.json" \
    --junit="$TMP/$1.xml" --report="$TMP/$1.html" > "$TMP/$1.out" 2> "$TMP/$1.err" &
  local child=$! status=0
  while ! grep -qs stress "$TMP/$1.err"; do
    kill -0 "$child" || break
  done
  kill -s "$1" "$child"
  wait "$child" || status=$?
  expect_so "$1 gives exit status $2, not $status" test "$status" = "$2"
  expect_so "$1: the summary says so" grep -qF INTERRUPTED "$TMP/$1.out"
  expect_so "$1: the summary says what was not run" grep -qx "not run: rcu" "$TMP/$1.out"
  expect_so "$1: the JSON says so" grep -qF '"verdict": "interrupted"' "$TMP/$1.json"
  expect_so "$1: the JUnit file says so" grep -qF '<skipped message="interrupted"/>' "$TMP/$1.xml"
  expect_so "$1: the page says so" grep -qF '>interrupted</span>' "$TMP/$1.html"
}
interrupted INT 130
interrupted TERM 143

# handles PID NUMBER: whether the process handles that signal now.
handles() {
  local key mask
  while read -r key mask; do
    if [[ $key == SigCgt: ]]; then
      (((16#$mask >> ($2 - 1)) & 1))
      return
    fi
  done < "/proc/$1/status"
}

# killed FIRST SECOND STATUS: the first signal asks the run to stop, which then waits for a reader of
# its report; the second one kills it.
killed() {
  local report=$TMP/$1-$2.fifo
  mkfifo "$report"
  "$BINARY" --workload=rcu --duration=1h --threads=2 --json="$report" > "$TMP/$1-$2.out" \
    2> "$TMP/$1-$2.err" &
  local child=$! status=0
  while ! grep -qs stress "$TMP/$1-$2.err"; do
    kill -0 "$child" || break
  done
  kill -s "$1" "$child"
  while handles "$child" "$(kill -l "$1")"; do :; done
  kill -s "$2" "$child"
  # Lets a run go on that does not die of it.
  exec 7<> "$report"
  wait "$child" || status=$?
  exec 7>&-
  expect_so "$2 after $1 gives exit status $3, not $status" test "$status" = "$3"
  expect_so "$2 after $1 leaves no summary" test ! -s "$TMP/$1-$2.out"
}
killed INT TERM 143
killed TERM INT 130
killed INT INT 130

((failures == 0))
