# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The command `fuzz`: libFuzzer on programs of operations (tests/fuzz), seeded from the repository.

readonly FUZZ_TARGET=//tests/fuzz:paddock_fuzz
readonly STEPS_TARGET=//tests/fuzz:paddock_steps
# Twelve bytes for each of at most 64 steps.
readonly FUZZ_MAX_BYTES=768
readonly FUZZ_MINIMIZE_SECONDS=20
# What paddock_steps exits with if a file holds no program.
readonly STEPS_UNREADABLE=3

fuzz_seconds=60
fuzz_seed=
fuzz_corpus=
fuzz_findings=$PWD/fuzz-findings
fuzz_replay=
fuzz_generate=

print_fuzz_help() {
  cat << 'END'
usage: ./paddock fuzz [flags]

Runs sequences of operations on spaces, kernel areas and CPUs, mutated by libFuzzer towards code that
was not reached yet, against the abstract model of the tables.

  --budget=TIME      how long, as 60s, 5m or 2h (default 60s)
  --seed=N           libFuzzer's seed (default: random, printed)
  --corpus=DIR       inputs that reach something new are kept here
                     (default: fuzz-corpus in PADDOCK_CACHE)
  --findings=DIR     inputs that fail, as bytes and as C++ initialisers (default: ./fuzz-findings)
  --replay=FILE      run one program: a .steps text, or libFuzzer's bytes
  --generate=DIR     write the seed corpus of the repository into DIR
  --help             this text

Exit status: 0 nothing found; 1 something was; 2 bad usage; 3 the environment fails it.
END
}

# seconds_of TIME: prints them.
seconds_of() {
  local -A units=([s]=1 [m]=60 [h]=3600)
  if [[ ! $1 =~ ^([1-9][0-9]{0,5})([smh])$ ]]; then
    usage_error "--budget is a time like 60s, 5m or 2h, not '$1'"
  fi
  echo $((BASH_REMATCH[1] * units[${BASH_REMATCH[2]}]))
}

parse_fuzz_flags() {
  local flag value
  for flag in "$@"; do
    value=${flag#*=}
    if [[ $flag != *=?* ]]; then
      usage_error "fuzz: '$flag' is no flag with a value. See ./paddock fuzz --help."
    fi
    case $flag in
      --budget=*) fuzz_seconds=$(seconds_of "$value") || exit ;;
      --seed=*)
        if [[ ! $value =~ ^(0|[1-9][0-9]{0,8})$ ]]; then
          usage_error "--seed is a whole number below 10^9, not '$value'"
        fi
        fuzz_seed=$value
        ;;
      --corpus=*) fuzz_corpus=$(realpath -m -- "$value") ;;
      --findings=*) fuzz_findings=$(realpath -m -- "$value") ;;
      --replay=*)
        fuzz_replay=$(realpath -m -- "$value")
        if [[ ! -r $fuzz_replay ]]; then
          usage_error "--replay: cannot read '$value'"
        fi
        ;;
      --generate=*) fuzz_generate=$(realpath -m -- "$value") ;;
      *) usage_error "fuzz: no flag '${flag%%=*}'. See ./paddock fuzz --help." ;;
    esac
  done
}

# make_folder DIR
make_folder() {
  mkdir -p -- "$1" || fail_environment "cannot make the folder '$1'"
}

# The smallest input that libFuzzer finds in a while for the one that failed, as text.
report_finding() {
  local fuzzer=$1 steps=$2 finding=$3
  local smallest=$finding.min text=$finding.steps
  "$fuzzer" -minimize_crash=1 -max_total_time="$FUZZ_MINIMIZE_SECONDS" \
    -exact_artifact_path="$smallest" "$finding" > "$finding.log" 2>&1 || true
  if [[ ! -s $smallest ]]; then
    cp -- "$finding" "$smallest"
  fi
  "$steps" print "$smallest" > "$text"
  echo "paddock: a finding, made small:"
  cat -- "$text"
  echo "run it again: ./paddock fuzz --replay=$text"
  echo "keep it:      cp $text $PADDOCK_ROOT/tests/fuzz/regressions/"
}

# replay_program STEPS: status 1 if something is wrong, also if a check stopped the process.
replay_program() {
  local status=0
  "$1" replay "$fuzz_replay" || status=$?
  case $status in
    0) ;;
    "$STEPS_UNREADABLE") usage_error "--replay: '$fuzz_replay' holds no program" ;;
    *) return 1 ;;
  esac
}

# run_fuzzer FUZZER STEPS
run_fuzzer() {
  local fuzzer=$1 steps=$2 seeds=$PADDOCK_SCRATCH/seeds flags=() status=0 finding found=0
  local -A known=()
  make_folder "$seeds"
  make_folder "$fuzz_corpus"
  make_folder "$fuzz_findings"
  shopt -s nullglob
  "$steps" encode "$seeds" "$PADDOCK_ROOT"/tests/fuzz/{corpus,regressions}/*.steps ||
    fail_environment "the seed corpus cannot be read"
  if [[ -n $fuzz_seed ]]; then
    flags+=("-seed=$fuzz_seed")
  fi
  for finding in "$fuzz_findings"/*; do known[$finding]=1; done
  "$fuzzer" "${flags[@]}" -max_total_time="$fuzz_seconds" -max_len="$FUZZ_MAX_BYTES" \
    -timeout=10 -print_final_stats=1 -artifact_prefix="$fuzz_findings/" "$fuzz_corpus" "$seeds" ||
    status=$?
  for finding in "$fuzz_findings"/{crash,leak,oom,timeout}-*; do
    if [[ -z ${known[$finding]:-} ]]; then
      report_finding "$fuzzer" "$steps" "$finding"
      found=1
    fi
  done
  if ((found > 0)); then
    return 1
  elif ((status != 0)); then
    fail_environment "the fuzzer exited with status $status and left no finding"
  fi
  echo "paddock: nothing found"
}

run_fuzz_command() {
  local fuzzer steps
  if [[ " $* " == *" --help "* || " $* " == *" -h "* ]]; then
    print_fuzz_help
    return
  fi
  parse_fuzz_flags "$@"
  fuzz_corpus=${fuzz_corpus:-${PADDOCK_CACHE:-$HOME/.cache/paddock}/fuzz-corpus}
  refuse_unusable_root
  install_missing "${BUILD_PACKAGES[@]}"
  steps=$(build_binary fuzz "$STEPS_TARGET") || exit
  if [[ -n $fuzz_replay ]]; then
    replay_program "$steps"
    return
  fi
  if [[ -n $fuzz_generate ]]; then
    make_folder "$fuzz_generate"
    "$steps" generate "$fuzz_generate" || fail_environment "the corpus cannot be written"
    return
  fi
  fuzzer=$(build_binary fuzz "$FUZZ_TARGET") || exit
  run_fuzzer "$fuzzer" "$steps"
}
