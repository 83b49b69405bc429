#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What tools/launcher/count_tests makes of reports and of targets without one.
set -euo pipefail
shopt -s lastpipe # expect counts in this shell

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# result LABEL STATUS REPORT: one event of a finished test.
result() {
  local output='{"name":"test.log","uri":"file:///nowhere/test.log"}'
  if [[ -n $3 ]]; then
    output+=",{\"name\":\"test.xml\",\"uri\":\"file://$3\"}"
  fi
  echo "{\"id\":{\"testResult\":{\"label\":\"$1\",\"run\":1,\"shard\":1,\"attempt\":1}}," \
    "\"testResult\":{\"testActionOutput\":[$output],\"status\":\"$2\"}}" | sed 's/, "/,"/g'
}

configured() {
  echo "{\"id\":{\"targetConfigured\":{\"label\":\"$1\"}},\"configured\":{\"targetKind\":\"cc_test rule\"}}"
}

# expect NAME WANTED: counts the events on standard input.
expect() {
  local got
  cat > "$work/events"
  got=$(tools/launcher/count_tests "$work/events" 2> "$work/errors")
  if [[ $got != "$2" ]]; then
    echo "$1: wanted '$2', got '$got'"
    failures=$((failures + 1))
  fi
}

cat > "$work/mixed.xml" << 'END'
<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="5" failures="1" disabled="1" errors="0" name="AllTests">
  <testsuite name="A" tests="5">
    <testcase name="Passes" status="run" result="completed" time="0" classname="A" />
    <testcase name="Fails" status="run" result="completed" time="0" classname="A">
      <failure message="no" type=""><![CDATA[no]]></failure>
    </testcase>
    <testcase name="Skips" status="run" result="skipped" time="0" classname="A">
      <skipped message="a_test.cc:7&#x0A;no /dev/kvm"/>
    </testcase>
    <testcase name="DISABLED_A" status="notrun" result="suppressed" time="0" classname="A" />
    <testcase name="PassesToo" status="run" result="completed" time="0" classname="A" />
  </testsuite>
</testsuites>
END
cat > "$work/crash.xml" << 'END'
<testsuites><testsuite name="t" tests="1" failures="0" errors="1">
<testcase name="t" status="run" duration="0" time="0"><error message="exited with error code 134"></error></testcase>
<system-out>Aborted</system-out></testsuite></testsuites>
END

result //a:t FAILED "$work/mixed.xml" | expect "cases are counted one by one" "2 1 1"
grep -qx "paddock: skipped A.Skips: no /dev/kvm" "$work/errors" || failures=$((failures + 1))
result //a:t FAILED "$work/crash.xml" | expect "a crash is a failure" "0 1 0"
result //a:t TIMEOUT "" | expect "a time-out without a report is a failure" "0 1 0"
configured //a:t | expect "a test that did not run is a failure" "0 1 0"
grep -qx "paddock: //a:t did not build, or did not run" "$work/errors" || failures=$((failures + 1))
for i in {1..25}; do configured "//a:t$i"; done | expect "none is forgotten" "0 25 0"
if (($(wc -l < "$work/errors") != 11)) || ! grep -qx "paddock: nor did 15 more tests" "$work/errors"; then
  echo "of 25 tests that did not run, it says: $(< "$work/errors")"
  failures=$((failures + 1))
fi
{
  configured //a:t
  result //a:t PASSED "$work/mixed.xml"
  result //a:t FAILED "$work/crash.xml"
} | expect "shards add up" "2 2 1"
: | expect "nothing is nothing" "0 0 0"

((failures == 0))
