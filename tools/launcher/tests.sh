# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The commands `test` and `tsan`: they run tests and count test cases, not targets.

passed=0
failed=0
skipped=0

# Prints the totals as the last line; fails if a test failed or none ran.
print_verdict() {
  if ((passed + failed == 0)); then
    echo "paddock: no test ran" >&2
  fi
  if ((skipped > 0)); then
    echo "$passed passed, $failed failed, $skipped skipped"
  else
    echo "$passed passed, $failed failed"
  fi
  ((failed == 0 && passed > 0))
}

# run_bazel_tests DEFAULT_CONFIG [flag or target]...: adds the cases to the totals.
run_bazel_tests() {
  local default_config=$1 flags=() targets=() argument events status=0 counts
  shift
  for argument in "$@"; do
    case $argument in
      --config=*) default_config="" flags+=("$argument") ;;
      --*) flags+=("$argument") ;;
      *) targets+=("$argument") ;;
    esac
  done
  if [[ -n $default_config ]]; then
    flags=("--config=$default_config" "${flags[@]}")
  fi
  if ((${#targets[@]} == 0)); then
    targets=(//...)
  fi
  events=$(mktemp)
  paddock_bazel test --keep_going --build_tests_only --show_result=0 \
    --build_event_json_file="$events" "${flags[@]}" -- "${targets[@]}" || status=$?
  if ((status == 2)); then
    rm -f "$events"
    exit 2
  fi
  counts=$(count_tests "$events")
  rm -f "$events"
  add_counts "$status" "$counts"
}

# Prints "PASSED FAILED SKIPPED" of the run that wrote the event file.
count_tests() {
  local events=$1
  "$PADDOCK_ROOT/tools/launcher/count_tests" "$events"
}

# A run that Bazel calls failed never counts as clean, whatever the reports say.
add_counts() {
  local status=$1 run_passed run_failed run_skipped
  read -r run_passed run_failed run_skipped <<< "$2"
  # 4: the targets hold no test, which print_verdict judges.
  if ((status != 0 && status != 4 && run_failed == 0)); then
    run_failed=1
  fi
  passed=$((passed + run_passed))
  failed=$((failed + run_failed))
  skipped=$((skipped + run_skipped))
}

run_test_command() {
  install_missing "${BUILD_PACKAGES[@]}"
  run_bazel_tests opt "$@"
  print_verdict
}

# One run of the harness built with ThreadSanitizer; a report or a violation is a failure.
run_tsan_stress() {
  local binary=$1 workload=$2 milliseconds=$3
  shift 3
  echo "paddock: stress under ThreadSanitizer: $workload, $milliseconds ms" >&2
  local options="halt_on_error=1:second_deadlock_stack=1"
  options+=":suppressions=$PADDOCK_ROOT/tools/tsan.supp"
  if TSAN_OPTIONS=$options "$binary" --workload="$workload" --duration="${milliseconds}ms" \
    --progress=none "$@"; then
    passed=$((passed + 1))
  else
    echo "paddock: stress --workload=$workload failed under ThreadSanitizer" >&2
    failed=$((failed + 1))
  fi
}

run_tsan_command() {
  local seconds=${PADDOCK_TSAN_SECONDS:-30} binary workload
  if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then
    usage_error "PADDOCK_TSAN_SECONDS must be a whole number of seconds, not '$seconds'"
  fi
  install_missing "${BUILD_PACKAGES[@]}"
  run_bazel_tests tsan "$@"
  if binary=$(build_binary tsan "$STRESS_TARGET"); then
    # The bundled trace is short: it ends by itself.
    for workload in mixed trace; do
      run_tsan_stress "$binary" "$workload" $((seconds * 1000))
    done
  else
    failed=$((failed + 1))
  fi
  print_verdict
}
