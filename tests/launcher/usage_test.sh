#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What ./paddock refuses, what it says about itself, and from where it can be called.

# shellcheck source=tests/launcher/stage.sh
source tests/launcher/stage.sh

expect 0 "usage: ./paddock COMMAND" ./paddock help
expect 0 "usage: ./paddock COMMAND" ./paddock test --help
expect 0 "usage: ./paddock COMMAND" ./paddock tsan -h
expect 2 "no command given" ./paddock
expect 2 "no command 'frobnicate'" ./paddock frobnicate
expect 2 "Commands: stress, test, tsan, explore, fuzz, mutants, model, bench, doctor, help" ./paddock frobnicate
expect 2 "doctor takes no flags" ./paddock doctor --all
expect 2 "PADDOCK_TSAN_SECONDS" env PADDOCK_TSAN_SECONDS=soon ./paddock tsan
expect 2 "./paddock test --config=NAME" ./paddock tsan --config=asan
expect 2 "'-c': write flags in their long form" ./paddock test -c dbg
expect 2 "'--config': write flags in their long form" ./paddock test --config asan

# The help names each variable that the scripts read, and each command.
./paddock help > "$work/help"
mapfile -t names < <(grep -ohE 'PADDOCK_[A-Z_]+' paddock tools/launcher/* | sort -u)
for name in "${names[@]}"; do
  case $name in
    PADDOCK_ROOT | PADDOCK_SCRATCH) ;;
    *) grep -qw -- "$name" "$work/help" || fail "the help does not name $name" ;;
  esac
done
for name in stress test tsan explore fuzz mutants model bench doctor help; do
  grep -q "^  $name " "$work/help" || fail "the help does not name the command $name"
done

expect 0 "cores" ./paddock doctor
expect 0 "optional" ./paddock doctor
expect 0 "packages    all installed" ./paddock doctor
rm "$installed/zip"
expect 0 "missing, installed by the next command that builds: zip" ./paddock doctor
: > "$installed/zip"

stub bazel << 'END'
case " $* " in
  *" build "*) pwd > "$work/built_in" ;;
  *" info "*) echo "$work/bin" ;;
esac
END
mkdir -p "$work/bin/stress" "$work/elsewhere"
cat > "$work/bin/stress/paddock_stress" << 'END'
#!/bin/bash
echo "stress runs in $PWD with $*"
exit 1
END
chmod +x "$work/bin/stress/paddock_stress"

# The harness runs where the caller is, and its exit status is the command's.
ln -s "$checkout/paddock" "$work/elsewhere/link"
cd "$work/elsewhere" || exit 1
expect 1 "stress runs in $work/elsewhere with --seed=1 a b" ./link stress --seed=1 "a b"
if [[ $(< "$work/built_in") != "$checkout" ]]; then
  fail "the build ran in $(< "$work/built_in")"
fi
expect 1 "stress runs in $work/elsewhere" env -u HOME "$checkout/paddock" stress
expect 1 "stress runs in $work/elsewhere" env PADDOCK_OUTPUT_BASE=base PADDOCK_CACHE=../cache \
  "$checkout/paddock" stress
expect_call "^bazel --output_base=$work/elsewhere/base build --disk_cache=$work/cache/bazel-disk "
expect_call "^bazel --output_base=$work/elsewhere/base info --disk_cache=$work/cache/bazel-disk "

# Bazel refuses a path with a space; the launcher does before it installs anything.
mkdir "$work/my checkouts"
cp -R "$checkout" "$work/my checkouts/paddock"
cd "$work/my checkouts/paddock" || exit 1
: > "$calls"
for command in stress fuzz mutants bench test tsan; do
  expect 3 "Bazel cannot build in a path that holds a space" ./paddock "$command"
done
refuse_call '^(bazel|apt-get|sudo) '
expect 0 "Bazel cannot build in a path that holds a space" ./paddock doctor
expect 0 "usage" ./paddock help

finish
