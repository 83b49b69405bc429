#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What ./paddock test, tsan, stress and bench make of what Bazel and the harness do.

# shellcheck source=tests/launcher/stage.sh
source tests/launcher/stage.sh

mkdir -p "$work/bin/stress"

# Bazel as a test sets it up: $work/events are the events of a test run; `test`, `build` and `info`
# exit with the statuses in $work/test, $work/build and $work/info.
stub bazel << 'END'
for argument in "$@"; do
  case $argument in
    test | build | info) command=$argument ;;
    --build_event_json_file=*) cp "$work/events" "${argument#*=}" ;;
  esac
done
if [[ $command == info ]]; then
  echo "$work/bin"
  echo "what info says" >&2
fi
exit "$(< "$work/$command")"
END

# statuses TEST BUILD INFO
statuses() {
  echo "$1" > "$work/test"
  echo "$2" > "$work/build"
  echo "$3" > "$work/info"
}

# harness STATUS: the harness, which says with which options a sanitizer would run.
harness() {
  cat > "$work/bin/stress/paddock_stress" << END
#!/bin/bash
echo "harness \$*: \${TSAN_OPTIONS:-none} in \$PWD"
exit $1
END
  chmod +x "$work/bin/stress/paddock_stress"
}

# events PASSED FAILED SKIPPED [UNBUILT]: one test with so many cases, and one that does not build.
events() {
  local i
  {
    for ((i = 0; i < $1; i++)); do echo '<testcase name="a" status="run" result="completed"/>'; done
    for ((i = 0; i < $2; i++)); do echo '<testcase name="b" status="run"><failure message=""/>'; done
    for ((i = 0; i < $3; i++)); do echo '<testcase name="c" status="run" result="skipped"/>'; done
  } > "$work/report.xml"
  local status=PASSED
  (($2 == 0)) || status=FAILED
  echo '{"id":{"testResult":{"label":"//a:t","run":1}},"testResult":{"testActionOutput":' \
    "[{\"name\":\"test.xml\",\"uri\":\"file://$work/report.xml\"}],\"status\":\"$status\"}}" |
    sed 's/: \[/:[/' > "$work/events"
  if [[ -n ${4:-} ]]; then
    echo "{\"id\":{\"targetConfigured\":{\"label\":\"$4\"}},\"configured\":{\"targetKind\":\"cc_test rule\"}}" \
      >> "$work/events"
  fi
}

harness 0
statuses 0 0 0
events 3 0 0
expect 0 "" ./paddock test
expect_last_line "3 passed, 0 failed"
expect_call '^bazel test .*--config=opt -- //\.\.\.$'

events 3 0 2
expect 0 "" ./paddock test --config=checked //a:t -- -//b/...
expect_last_line "3 passed, 0 failed, 2 skipped"
expect_call '^bazel test .*--config=checked -- //a:t -//b/\.\.\.$'
refuse_call '--config=opt.*--config=checked'

events 3 2 0
statuses 3 0 0
expect 1 "" ./paddock test
expect_last_line "3 passed, 2 failed"

# Bazel's word counts against reports that look clean.
events 3 0 0
expect 1 "" ./paddock test
expect_last_line "3 passed, 1 failed"

# What did not build was not tested, whatever else passed or failed.
statuses 1 0 0
events 3 1 0 //a:unbuilt
expect 3 "//a:unbuilt did not build" ./paddock test
expect 3 "not everything was built" ./paddock test
expect_last_line "3 passed, 2 failed"
events 3 0 0
expect 3 "bazel test exited with status 1" ./paddock test
expect_last_line "3 passed, 1 failed"

statuses 2 0 0
expect 2 "" ./paddock test --bogus
statuses 8 0 0
expect 130 "" ./paddock test
: > "$work/events"
statuses 4 0 0
expect 1 "no test ran" ./paddock test //tools/...
expect_last_line "0 passed, 0 failed"

# Under ThreadSanitizer: the tests, then the harness with the options that .bazelrc gives tests.
events 3 0 1
statuses 0 0 0
expect 0 "harness --workload=trace --duration=2000ms --progress=none" \
  env PADDOCK_TSAN_SECONDS=2 ./paddock tsan
expect_last_line "5 passed, 0 failed, 1 skipped"
expect 0 "second_deadlock_stack=1:suppressions=tools/tsan.supp" ./paddock tsan
expect 0 "external_symbolizer_path=/usr/bin/llvm-symbolizer-19 in $checkout" ./paddock tsan
harness 66
expect 1 "stress --workload=mixed failed under ThreadSanitizer: status 66" ./paddock tsan
expect_last_line "3 passed, 2 failed, 1 skipped"
statuses 0 1 0
expect 3 "//stress:paddock_stress does not build" ./paddock tsan
expect_last_line "3 passed, 1 failed, 1 skipped"

# Commands that become the binary.
statuses 0 1 0
expect 3 "//stress:paddock_stress does not build" ./paddock stress
expect 3 "//stress/bench:paddock_bench does not build" ./paddock bench
statuses 0 0 1
expect 3 "what info says" ./paddock stress
statuses 0 8 0
expect 130 "" ./paddock stress
statuses 0 0 0
harness 2
expect 2 "harness --bogus: none" ./paddock stress --bogus

# Ctrl-C reaches the whole group. The launcher ends with what it started, and goes on with nothing.
mkfifo "$work/started" "$work/never"
stub bazel << 'END'
trap 'echo "bazel cleans up" >> "$calls"; exit 8' INT
echo started > "$work/started"
read -r < "$work/never"
END
set -m
for command in test tsan stress; do
  : > "$calls"
  ./paddock "$command" > "$output" 2>&1 &
  group=$!
  read -r < "$work/started"
  kill -INT -- "-$group"
  status=0
  wait "$group" || status=$?
  ((status == 130)) || fail "$command: status $status after Ctrl-C: $(< "$output")"
  (($(grep -c '^bazel ' "$calls") == 2)) || fail "$command: after Ctrl-C: $(< "$calls")"
  ! compgen -G "$TMPDIR/*" || fail "$command: the above was left behind after Ctrl-C"
done

finish
