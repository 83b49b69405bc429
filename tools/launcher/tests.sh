# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The commands `test` and `tsan`: they run tests and count test cases, not targets.

# Bazel's exit statuses.
readonly BAZEL_USAGE=2
readonly BAZEL_TESTS_FAILED=3
readonly BAZEL_NO_TESTS=4

passed=0
failed=0
skipped=0
unbuilt=0 # Bazel runs that did not build all of what they were to test.

# Prints the totals as the last line. Status 3 if something did not build: it was not tested,
# whatever the rest says. Else 1 if a test failed or none ran.
print_verdict() {
  if ((unbuilt > 0)); then
    echo "paddock: not everything was built, so not everything was tested" >&2
  elif ((passed + failed == 0)); then
    echo "paddock: no test ran" >&2
  fi
  if ((skipped > 0)); then
    echo "$passed passed, $failed failed, $skipped skipped"
  else
    echo "$passed passed, $failed failed"
  fi
  if ((unbuilt > 0)); then
    return "$EXIT_ENVIRONMENT"
  fi
  ((failed == 0 && passed > 0))
}

bazel_flags=()
bazel_targets=()

# Sorts the user's arguments into the two arrays above; -//a/... is a target, left out.
sort_arguments() {
  local argument
  for argument in "$@"; do
    case $argument in
      --config | -[!-/:@]*)
        usage_error "'$argument': write flags in their long form, with =, as --config=NAME"
        ;;
      --) ;; # Flags and targets are told apart without it.
      --*) bazel_flags+=("$argument") ;;
      *) bazel_targets+=("$argument") ;;
    esac
  done
  if ((${#bazel_targets[@]} == 0)); then
    bazel_targets=(//...)
  fi
}

# Whether the user chose a configuration.
has_config() {
  local flag
  for flag in "${bazel_flags[@]}"; do
    if [[ $flag == --config=* ]]; then
      return 0
    fi
  done
  return 1
}

# Adds the cases to the totals.
run_bazel_tests() {
  local events=$PADDOCK_SCRATCH/events status=0 counts
  : > "$events"
  paddock_bazel test --keep_going --build_tests_only --show_result=0 \
    --build_event_json_file="$events" "${bazel_flags[@]}" -- "${bazel_targets[@]}" || status=$?
  case $status in
    "$BAZEL_USAGE") exit 2 ;;
    "$BAZEL_INTERRUPTED") exit "$EXIT_INTERRUPTED" ;;
  esac
  counts=$("$PADDOCK_ROOT/tools/launcher/count_tests" "$events")
  add_counts "$status" "$counts"
}

# A run that Bazel calls failed never counts as clean, whatever the reports say.
add_counts() {
  local status=$1 run_passed run_failed run_skipped
  read -r run_passed run_failed run_skipped <<< "$2"
  case $status in
    0 | "$BAZEL_NO_TESTS") ;; # Whether no test is right, print_verdict judges.
    "$BAZEL_TESTS_FAILED") ((run_failed > 0)) || run_failed=1 ;;
    *)
      echo "paddock: bazel test exited with status $status" >&2
      unbuilt=$((unbuilt + 1))
      ((run_failed > 0)) || run_failed=1
      ;;
  esac
  passed=$((passed + run_passed))
  failed=$((failed + run_failed))
  skipped=$((skipped + run_skipped))
}

run_test_command() {
  sort_arguments "$@"
  if ! has_config; then
    bazel_flags=(--config=opt "${bazel_flags[@]}")
  fi
  refuse_unusable_root
  install_missing "${BUILD_PACKAGES[@]}"
  run_bazel_tests
  print_verdict
}

# One run of the harness built with ThreadSanitizer; a report or a violation is a failure. It
# runs in the root, from where the options name the file of suppressions.
run_tsan_stress() {
  local binary=$1 workload=$2 milliseconds=$3 options status=0
  options=$(test_environment TSAN_OPTIONS)
  echo "paddock: stress under ThreadSanitizer: $workload, $milliseconds ms" >&2
  (cd "$PADDOCK_ROOT" && TSAN_OPTIONS=$options exec "$binary" --workload="$workload" \
    --duration="${milliseconds}ms" --progress=none) || status=$?
  if ((status == 0)); then
    passed=$((passed + 1))
  else
    echo "paddock: stress --workload=$workload failed under ThreadSanitizer: status $status" >&2
    failed=$((failed + 1))
  fi
}

run_tsan_command() {
  local seconds=${PADDOCK_TSAN_SECONDS:-30} binary workload
  if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then
    usage_error "PADDOCK_TSAN_SECONDS must be a whole number of seconds, not '$seconds'"
  fi
  sort_arguments "$@"
  if has_config; then
    usage_error "tsan has a configuration of its own; for another: ./paddock test --config=NAME"
  fi
  bazel_flags=(--config=tsan "${bazel_flags[@]}")
  refuse_unusable_root
  install_missing "${BUILD_PACKAGES[@]}"
  run_bazel_tests
  if binary=$(build_binary tsan "$STRESS_TARGET"); then
    # The bundled trace is short: it ends by itself.
    for workload in mixed trace; do
      run_tsan_stress "$binary" "$workload" $((seconds * 1000))
    done
  else
    unbuilt=$((unbuilt + 1))
    failed=$((failed + 1))
  fi
  print_verdict
}
