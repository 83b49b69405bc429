#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What ./paddock fuzz asks of libFuzzer, and what it makes of what that finds.

# shellcheck source=tests/launcher/stage.sh
source tests/launcher/stage.sh

bin=$work/bin/tests/fuzz
mkdir -p "$bin" "$checkout/tests/fuzz/corpus" "$work/elsewhere"
touch "$checkout/tests/fuzz/corpus/seed_00.steps"
export bin

stub bazel << 'END'
case " $* " in
  *" info "*) echo "$work/bin" ;;
  *" build "*) exit "$(< "$work/build")" ;;
esac
END
echo 0 > "$work/build"

# The two binaries; the fuzzer does what the standard input says, unless it makes an input smaller.
steps() {
  {
    echo '#!/bin/bash'
    # shellcheck disable=SC2016  # They expand in the stub.
    echo 'echo "steps $*" >> "$calls"'
    cat
  } > "$bin/paddock_steps"
  chmod +x "$bin/paddock_steps"
}
fuzzer() {
  {
    cat << 'END'
#!/bin/bash
echo "fuzz $*" >> "$calls"
for argument in "$@"; do
  case $argument in
    -artifact_prefix=*) findings=${argument#*=} ;;
    -exact_artifact_path=*) echo small > "${argument#*=}"; exit ;;
  esac
done
END
    cat
  } > "$bin/paddock_fuzz"
  chmod +x "$bin/paddock_fuzz"
}

steps << 'END'
[[ $1 == print ]] && echo "{ $(< "$2") }"
[[ $1 == replay ]] && exit "$(< "$work/replay")"
exit 0
END
fuzzer < /dev/null

expect 0 "usage: ./paddock fuzz" ./paddock fuzz --help
expect 0 "usage: ./paddock fuzz" ./paddock fuzz --budget=5s -h
refuse_call '^bazel '

expect 2 "--budget is a time like 60s, 5m or 2h, not '60'" ./paddock fuzz --budget=60
expect 2 "--budget is a time" ./paddock fuzz --budget=0s
expect 2 "--seed is a whole number" ./paddock fuzz --seed=abc
expect 2 "--seed is a whole number" ./paddock fuzz --seed=1000000000
expect 2 "no flag '--frobnicate'" ./paddock fuzz --frobnicate=1
expect 2 "'--seed' is no flag with a value" ./paddock fuzz --seed 7
expect 2 "'--corpus=' is no flag with a value" ./paddock fuzz --corpus=
expect 2 "cannot read 'nowhere'" ./paddock fuzz --replay=nowhere
refuse_call '^bazel '

# Nothing found. The corpus of the repository is encoded; folders are the caller's.
cd "$work/elsewhere" || exit 1
expect 0 "paddock: nothing found" "$checkout/paddock" fuzz --budget=2m --seed=7 --corpus=mine
expect_call '^bazel build --config=fuzz .*//tests/fuzz:paddock_fuzz$'
expect_call "^steps encode .*/seeds $checkout/tests/fuzz/corpus/seed_00\.steps\$"
expect_call "^fuzz -seed=7 -max_total_time=120 .*-artifact_prefix=$work/elsewhere/fuzz-findings/ $work/elsewhere/mine .*/seeds\$"
expect 0 "nothing found" "$checkout/paddock" fuzz
expect_call "^fuzz -max_total_time=60 .* $HOME/.cache/paddock/fuzz-corpus .*/seeds\$"
expect 0 "nothing found" env PADDOCK_CACHE=cache "$checkout/paddock" fuzz
expect_call "^fuzz .* $work/elsewhere/cache/fuzz-corpus .*/seeds\$"

# A finding is made small, printed and kept; one of an earlier run is not reported again.
mkdir "$work/found"
echo old > "$work/found/crash-old"
fuzzer << 'END'
echo large > "${findings}crash-1"
exit 77
END
expect 1 "{ small }" "$checkout/paddock" fuzz --findings="$work/found"
expect_line "run it again: ./paddock fuzz --replay=$work/found/crash-1\.steps"
expect_call "^fuzz -minimize_crash=1 .*-exact_artifact_path=$work/found/crash-1\.min $work/found/crash-1\$"
refuse_call 'minimize_crash.*crash-old'
[[ $(< "$work/found/crash-1.steps") == "{ small }" ]] || fail "the text was not kept"

# A fuzzer that ends badly and leaves nothing has not looked.
fuzzer <<< 'exit 1'
expect 3 "the fuzzer exited with status 1 and left no finding" "$checkout/paddock" fuzz
echo 1 > "$work/build"
expect 3 "does not build" "$checkout/paddock" fuzz
echo 0 > "$work/build"

# Replaying: a violation, a stopped process, a file that is no program.
program=$work/found/crash-1.steps
for status in 0:0 1:1 134:1 3:2; do
  echo "${status%:*}" > "$work/replay"
  expect "${status#*:}" "" "$checkout/paddock" fuzz --replay="$program"
done
expect_call "^steps replay $program\$"
expect 0 "" "$checkout/paddock" fuzz --generate=seeds
expect_call "^steps generate $work/elsewhere/seeds\$"

finish
