# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The command `mutants`: puts one known bug after the other into a copy of the sources, and runs
# what must catch it. docs/mutants.md tells how; tools/mutants/list holds the bugs.

# shellcheck source=tools/launcher/mutant_list.sh
source "$PADDOCK_ROOT/tools/launcher/mutant_list.sh"

readonly MUTANT_SECONDS=60 # for each mutant, all its catchers together

print_mutants_help() {
  cat << 'END_OF_HELP'
usage: ./paddock mutants [--flag=value]...

Puts known bugs into a copy of the sources, one at a time, and runs what must catch each. First
the copy without a bug must pass. The bugs and their catchers stand in tools/mutants/list.

  --list          prints the mutants, after checking that the list fits the sources; builds nothing
  --only=NAMES    these mutants, separated by commas (default: all)
  --budget=N      seconds for each mutant's catchers to run, without building (default: 60)
  --json=FILE     file for the results as JSON

Exit status: 0 every mutant was caught; 1 one survived; 2 bad usage; 3 the environment: the list does
not fit the sources, something does not build, or the copy without a bug does not pass.
END_OF_HELP
}

mutants_json=
mutants_budget=$MUTANT_SECONDS
mutants_selected=()
mutants_action=run

parse_mutants_flags() {
  local argument
  for argument in "$@"; do
    case $argument in
      --help | -h) mutants_action=help ;;
      --list) mutants_action=list ;;
      --only=?*) IFS=, read -r -a mutants_selected <<< "${argument#*=}" ;;
      --json=?*) mutants_json=${argument#*=} ;;
      --budget=*)
        mutants_budget=${argument#*=}
        mutants_budget=${mutants_budget%s}
        [[ $mutants_budget =~ ^[1-9][0-9]{0,5}$ ]] ||
          usage_error "--budget is a number of seconds above 0, as 20 or 20s, not '${argument#*=}'"
        ;;
      *) usage_error "mutants has no flag '$argument'. See ./paddock mutants --help." ;;
    esac
  done
}

select_mutants() {
  local name
  if ((${#mutants_selected[@]} == 0)); then
    mutants_selected=("${mutant_names[@]}")
  fi
  for name in "${mutants_selected[@]}"; do
    if [[ -z ${mutant_file[$name]:-} ]]; then
      usage_error "no mutant '$name'. See ./paddock mutants --list."
    fi
  done
}

list_mutants() {
  local name
  for name in "${mutants_selected[@]}"; do
    printf '%-42s %s\n' "$name" "${mutant_bug[$name]}"
  done
}

# What git knows of, and what it would take: the sources as they are, without what was built.
copy_sources() {
  local tree=$1 list=$PADDOCK_SCRATCH/files path
  git -c safe.directory="$PADDOCK_ROOT" -C "$PADDOCK_ROOT" ls-files -z --cached --others \
    --exclude-standard > "$list" || fail_environment "git does not tell which files are the sources"
  rm -rf "$tree"
  mkdir -p "$tree"
  while IFS= read -r -d '' path; do
    if [[ -e $PADDOCK_ROOT/$path ]]; then
      printf '%s\0' "$path"
    fi
  done < "$list" | (cd "$PADDOCK_ROOT" && xargs -0 -r cp -P --parents -t "$tree") ||
    fail_environment "cannot copy the sources to $tree"
}

# The copy stays, with what was built of it: the next run compiles what the edits touch. The lock is
# descriptor 8, which Bazel's server must not inherit.
make_workspace() {
  local folder=${PADDOCK_CACHE:-$HOME/.cache/paddock}/mutants
  mkdir -p "$folder" || fail_environment "cannot make the folder $folder"
  exec 8> "$folder/lock"
  flock -n 8 || fail_environment "another ./paddock mutants runs in $folder"
  bazel_root=$folder/tree
  if [[ $bazel_root == *[[:space:]]* ]]; then
    fail_environment "Bazel cannot build in a path that holds a space: '$bazel_root'."
  fi
  if [[ -n ${PADDOCK_OUTPUT_BASE:-} ]]; then
    export PADDOCK_OUTPUT_BASE+=-mutants
  fi
  copy_sources "$bazel_root"
  mutants_bin=$(bazel_info opt bazel-bin 8>&-) || exit
}

catcher_target() {
  case $1 in
    explore\ *) echo "$EXPLORE_TARGET" ;;
    stress\ *) echo "$STRESS_TARGET" ;;
    test\ *) cut -d ' ' -f 2 <<< "$1" ;;
  esac
}

# build_catchers CATCHER...
build_catchers() {
  local catcher targets status=0
  mapfile -t targets < <(for catcher in "$@"; do catcher_target "$catcher"; done | sort -u)
  paddock_bazel build --config=opt --ui_event_filters=-info --show_result=0 -- "${targets[@]}" \
    > "$PADDOCK_SCRATCH/build" 2>&1 8>&- || status=$?
  if ((status == BAZEL_INTERRUPTED)); then
    exit "$EXIT_INTERRUPTED"
  fi
  return "$status"
}

# run_catcher SECONDS CATCHER: sets `outcome` (passed, caught, timeout, or what went wrong) and
# `executions`. Caught is what ran and failed.
run_catcher() {
  local seconds=$1 kind rest binary arguments status=0 log=$PADDOCK_SCRATCH/log
  local json=$PADDOCK_SCRATCH/explored
  read -r kind rest <<< "$2"
  executions=
  binary=$(catcher_target "$2")
  binary=${binary#//}
  binary=$mutants_bin/${binary/://}
  case $kind in
    explore)
      rm -f "$json"
      timeout -k 5 $((seconds + 10)) "$binary" --scenario="$rest" --budget="${seconds}s" \
        --progress=none --json="$json" > "$log" 2>&1 8>&- || status=$?
      executions=$(sed -n 's/^ *"executions": \([0-9]*\).*/\1/p' "$json" 2> /dev/null || true)
      if ((status == 1)) && ! grep -q '^ *"replay":' "$json"; then
        outcome="keeps no promise: $(sed -n 's/^ *"message": //p' "$json")"
        return
      fi
      ;;
    stress)
      read -r -a arguments <<< "$rest"
      timeout -k 5 "$seconds" "$binary" "${arguments[@]}" --progress=none > "$log" 2>&1 8>&- ||
        status=$?
      ;;
    test)
      arguments=()
      if [[ $rest == *' '* ]]; then
        arguments=("--gtest_filter=${rest#* }")
      fi
      mkdir -p "$PADDOCK_SCRATCH/test"
      (cd "$binary.runfiles/paddock" && TEST_TMPDIR=$PADDOCK_SCRATCH/test TEST_RANDOM_SEED=1 \
        exec timeout -k 5 "$seconds" "$binary" "${arguments[@]}") > "$log" 2>&1 8>&- || status=$?
      rm -rf "$PADDOCK_SCRATCH/test"
      if ((status == 0)) && ! grep -qE '^\[  PASSED  \] [1-9]' "$log"; then
        outcome="runs no test"
        return
      fi
      ;;
  esac
  case $kind:$status in
    *:0) outcome=passed ;;
    *:124 | *:137) outcome=timeout ;;
    test:* | explore:1 | stress:1) outcome=caught ;;
    *) outcome="exits with status $status" ;;
  esac
}

# Each catcher of the selected mutants, once, on the copy without a bug.
check_unmutated() {
  local name catcher catchers
  mapfile -t catchers < <(for name in "${mutants_selected[@]}"; do
    printf '%s' "${mutant_catchers[$name]}"
  done | sort -u)
  echo "paddock: without a bug: ${#catchers[@]} catchers" >&2
  if ! build_catchers "${catchers[@]}"; then
    cat "$PADDOCK_SCRATCH/build" >&2
    fail_environment "the sources do not build"
  fi
  for catcher in "${catchers[@]}"; do
    run_catcher "$mutants_budget" "$catcher"
    if [[ $outcome != passed ]]; then
      tail -n 50 "$PADDOCK_SCRATCH/log" >&2
      fail_environment "without a bug '$catcher' does not pass: $outcome"
    fi
  done
}

# run_mutant NAME: sets `verdict` (caught, survived, error), `caught_by`, `cost`, and what json_row
# prints.
run_mutant() {
  local name=$1 file=${mutant_file[$1]} catchers catcher start left
  verdict=survived caught_by='' cost='' executions='' seconds=0
  replace_once "$PADDOCK_ROOT/$file" "${mutant_old[$name]}" "${mutant_new[$name]}" \
    > "$bazel_root/$file"
  mapfile -t catchers <<< "${mutant_catchers[$name]%$'\n'}"
  start=$EPOCHREALTIME
  if build_catchers "${catchers[@]}"; then
    start=$EPOCHREALTIME
    for catcher in "${catchers[@]}"; do
      left=$((mutants_budget - ($(elapsed_ms "$start") / 1000)))
      run_catcher $((left > 0 ? left : 1)) "$catcher"
      if [[ $outcome == timeout && -n ${mutant_hangs[$name]:-} ]]; then
        outcome=caught
      fi
      case $outcome in
        caught) verdict=caught caught_by=$catcher && break ;;
        passed) cost="passes $catcher" ;;
        *) cost="$catcher: $outcome" ;;
      esac
    done
    seconds=$(elapsed_ms "$start")
    printf -v seconds '%d.%03d' $((seconds / 1000)) $((seconds % 1000))
  else
    verdict=error cost="does not build"
    cat "$PADDOCK_SCRATCH/build" >&2
  fi
  if [[ $verdict == caught ]]; then
    cost="${seconds%??} s"
    if [[ -n $executions ]]; then
      cost="$executions executions"
    fi
  fi
  cp "$PADDOCK_ROOT/$file" "$bazel_root/$file"
}

elapsed_ms() {
  local now=$EPOCHREALTIME
  echo $(((${now/[.,]/} - ${1/[.,]/}) / 1000))
}

json_row() {
  local quoted=null
  if [[ $verdict == caught ]]; then
    quoted="\"$caught_by\""
  fi
  printf '  {"name": "%s", "caught_by": %s, "executions": %s, "seconds": %s}' "$1" "$quoted" \
    "${executions:-null}" "$seconds"
}

run_mutants() {
  local name rows='' caught=0 survived=0 broken=0
  if [[ -n $mutants_json ]]; then
    : 2> /dev/null > "$mutants_json.part" || fail_environment "cannot write $mutants_json"
  fi
  check_unmutated
  printf '%-42s %-62s %s\n' mutant "caught by" cost
  for name in "${mutants_selected[@]}"; do
    run_mutant "$name"
    case $verdict in
      caught) caught=$((caught + 1)) ;;
      survived) survived=$((survived + 1)) ;;
      error) broken=$((broken + 1)) ;;
    esac
    printf '%-42s %-62s %s\n' "$name" "${caught_by:-${verdict^^}}" "$cost"
    rows+=${rows:+$',\n'}$(json_row "$name")
  done
  if [[ -n $mutants_json ]]; then
    printf '[\n%s\n]\n' "$rows" > "$mutants_json.part"
    mv "$mutants_json.part" "$mutants_json"
  fi
  echo "${#mutants_selected[@]} mutants: $caught caught, $survived survived, $broken do not build"
  if ((broken > 0)); then
    return "$EXIT_ENVIRONMENT"
  fi
  ((survived == 0))
}

run_mutants_command() {
  parse_mutants_flags "$@"
  if [[ $mutants_action == help ]]; then
    print_mutants_help
    return
  elif [[ $mutants_action == run ]]; then
    refuse_unusable_root
  fi
  read_mutant_list
  select_mutants
  if [[ $mutants_action == list ]]; then
    list_mutants
    return
  fi
  install_missing "${BUILD_PACKAGES[@]}" git
  make_workspace
  run_mutants
}
