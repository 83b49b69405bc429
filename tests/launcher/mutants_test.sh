#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What ./paddock mutants makes of its list, of what it builds, and of what the catchers say.

# shellcheck source=tests/launcher/stage.sh
source tests/launcher/stage.sh

readonly SANE='int A() {
  return "sane";
}'
mkdir -p tools/mutants core/a tests/a stress/explore "$work/bin/stress/explore" \
  "$work/bin/tests/a/a_test.runfiles/paddock"
printf '%s\n' "$SANE" > core/a/a.cc
echo 'name = "a_test",' > tests/a/BUILD.bazel
echo 'TEST(Suite, Case) {}' > tests/a/a_test.cc
echo '.name = "scenario",' > stress/explore/a_scenarios.cc
touch "$installed/git"
export checkout copy=$HOME/.cache/paddock/mutants/tree/core/a/a.cc

# A build fails if the sources say "unbuildable". The catchers look at the copy, too.
stub bazel << 'END'
for argument in "$@"; do
  case $argument in
    info) echo "$work/bin" ;;
    build) ! grep -q unbuildable core/a/a.cc || { echo "what the compiler says" && exit 1; } ;;
  esac
done
END
stub git << 'END'
cd "$checkout" && find . -type f -print0
END

# catcher PATH: the program is the standard input, behind a line that records the call.
catcher() {
  cat - > "$work/program"
  stub catcher < "$work/program"
  mv "$tools/catcher" "$work/bin/$1"
}

catcher stress/explore/paddock_explore << 'END'
for argument in "$@"; do
  case $argument in
    --json=*) json=${argument#*=} ;;
  esac
done
if grep -q crazy "$copy"; then
  printf '    "executions": 17,\n    "replay": "scenario:1t1",\n' > "$json"
  exit 1
elif grep -q idle "$copy"; then
  printf '    "executions": 3,\n    "message": "never reached: there",\n' > "$json"
  exit 1
fi
printf '    "executions": 99,\n' > "$json"
END
catcher tests/a/a_test << 'END'
if grep -q empty "$copy"; then
  echo "[  PASSED  ] 0 tests."
elif grep -q endless "$copy"; then
  exec sleep 60
elif grep -q crazy "$copy"; then
  exit 134
else
  echo "[  PASSED  ] 1 test."
fi
END
catcher stress/paddock_stress << 'END'
! grep -q crazy "$copy"
END

# list [NAME WORD CATCHER]...: mutants of which the bug is that the source says WORD.
list() {
  {
    echo '# A comment.'
    echo 'mechanisms locking'
    while (($# > 0)); do
      printf '\nmutant %s\nmechanism locking\nbug It says %s,\nbug which is wrong.\n' "$1" "$2"
      printf 'file core/a/a.cc\n int A() {\n-  return "sane";\n+  return "%s";\n }\n' "$2"
      printf 'catch %s\n' "$3"
      shift 3
    done
  } > tools/mutants/list
}

# Each kind of catcher, and what it costs.
list one crazy "explore scenario" two crazy "test //tests/a:a_test Suite.Case" \
  three crazy "stress --workload=a --seed=1"
expect 0 "" ./paddock mutants --list
expect_line 'one +It says crazy, which is wrong\.'
refuse_call '^bazel '
expect 0 "" ./paddock mutants --json="$work/rows"
expect_line 'one +explore scenario +17 executions'
expect_line 'two +test //tests/a:a_test Suite.Case +[0-9.]+ s'
expect_line 'three +stress --workload=a --seed=1 +[0-9.]+ s'
expect_last_line "3 mutants: 3 caught, 0 survived, 0 do not build"
expect_call '^bazel build .*-- //stress/explore:paddock_explore$'
expect_call '^a_test --gtest_filter=Suite.Case$'
expect_call '^paddock_stress --workload=a --seed=1 --progress=none$'
(($(grep -c '^paddock_explore ' "$calls") == 2)) || fail "not explored without and with the bug"
[[ $(< "$copy") == "$SANE" ]] || fail "the edit stayed in the copy"
[[ $(< core/a/a.cc) == "$SANE" ]] || fail "the sources were changed"
tr -d '\n' < "$work/rows" > "$work/row"
row='"name": "one", "caught_by": "explore scenario", "executions": 17, "seconds": [0-9.]+'
grep -qE "^\[ +\{$row\},  \{.*\}\]\$" "$work/row" || fail "wrong rows: $(< "$work/rows")"
: > "$calls"
expect 0 "1 mutants: 1 caught" ./paddock mutants --only=two
refuse_call '^paddock_explore '

# Survivors. A scenario that does not keep its promises shows no violation, a test that does not end
# has not failed, and a filter that matches nothing runs nothing.
list lazy harmless "explore scenario" bored idle "explore scenario" \
  slow endless "test //tests/a:a_test" none empty "test //tests/a:a_test Suite.Case"
expect 1 "4 mutants: 0 caught, 4 survived" ./paddock mutants --budget=1 --json="$work/rows"
expect_line 'lazy +SURVIVED +passes explore scenario'
expect_line 'bored +SURVIVED +explore scenario: keeps no promise: "never reached: there",'
expect_line 'slow +SURVIVED +test //tests/a:a_test: timeout'
expect_line 'none +SURVIVED +test //tests/a:a_test Suite.Case: runs no test'
grep -qF '{"name": "lazy", "caught_by": null' "$work/rows" || fail "no row of a survivor"
list slow endless "test //tests/a:a_test"
echo hangs >> tools/mutants/list
expect 0 "1 mutants: 1 caught" ./paddock mutants --budget=1

# An order that no mutant weakens is a problem of the list, whatever mutants leave it as it is.
list one crazy "explore scenario"
echo 'int b = a.load(sync::acquire);  // order: acquire pairs with nothing.' > core/a/b.cc
expect 3 "no mutant weakens the order in core/a/b.cc: int b = a.load" ./paddock mutants --list
printf '// sync::acquire is no order here\nint b = a.load(sync::relaxed);\n' > core/a/b.cc
expect 0 "" ./paddock mutants --list

# Nobody caught what does not build, nor anything if the sources themselves do not pass.
list broken unbuildable "explore scenario"
expect 3 "what the compiler says" ./paddock mutants
expect_last_line "1 mutants: 0 caught, 0 survived, 1 do not build"
list one crazy "explore scenario"
echo '// crazy' >> core/a/a.cc
expect 3 "without a bug 'explore scenario' does not pass: caught" ./paddock mutants
echo '// unbuildable' >> core/a/a.cc
expect 3 "the sources do not build" ./paddock mutants
printf '%s\n' "$SANE" > core/a/a.cc

# An edit that only takes something out.
list lazy harmless "explore scenario"
sed -i '/^[ +]/d' tools/mutants/list
expect 1 "1 mutants: 0 caught, 1 survived" ./paddock mutants

# A list that does not fit.
list one crazy "explore nowhere" one crazy "test //tests/a:b_test" \
  Two crazy "test //tests/a:a_test A.B" four crazy "prayer"
expect 3 "there is no scenario 'nowhere'" ./paddock mutants --list
expect 3 "'one' is there twice" ./paddock mutants --list
expect 3 "there is no test '//tests/a:b_test'" ./paddock mutants --list
expect 3 "a name is of a-z, 0-9 and -" ./paddock mutants --list
expect 3 "no test of '//tests/a:a_test' is called 'B'" ./paddock mutants --list
expect 3 "explore, test or stress, not 'prayer'" ./paddock mutants --list
list one crazy "explore scenario"
sed -i 's/^mechanisms locking/mechanisms rcu/; s/"sane"/"insane"/; /^bug/d' tools/mutants/list
echo 'nonsense' >> tools/mutants/list
expect 3 "no mechanism 'locking'" ./paddock mutants --list
expect 3 "no mutant breaks the mechanism 'rcu'" ./paddock mutants --list
expect 3 "does not stand in core/a/a.cc" ./paddock mutants --list
expect 3 "what the bug is does not stand there" ./paddock mutants --list
expect 3 "no such field" ./paddock mutants --list
list one crazy "explore scenario"
printf '%s\n%s\n' "$SANE" "$SANE" > core/a/a.cc
expect 3 "stands in core/a/a.cc more than once" ./paddock mutants --list
printf '%s\n' "$SANE" > core/a/a.cc
list one sane "explore scenario"
expect 3 "nothing is replaced" ./paddock mutants --list
rm tools/mutants/list
expect 3 "cannot read tools/mutants/list" ./paddock mutants --list

# Bad usage, and one at a time.
list one crazy "explore scenario"
expect 2 "no mutant 'two'" ./paddock mutants --only=one,two
expect 2 "--budget is a number of seconds above 0, as 20 or 20s, not '0'" ./paddock mutants --budget=0
expect 2 "mutants has no flag '--frobnicate'" ./paddock mutants --frobnicate
expect 0 "usage: ./paddock mutants" ./paddock mutants --help
expect 3 "cannot write $work/nowhere/rows" ./paddock mutants --json="$work/nowhere/rows"
exec 7> "$HOME/.cache/paddock/mutants/lock"
flock 7
expect 3 "another ./paddock mutants runs" ./paddock mutants
exec 7>&-

finish
