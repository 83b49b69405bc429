#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What ./paddock model refuses, runs, and makes of what the checkers say; and that every broken
# variant that a model has is among those that are to be caught.

# shellcheck source=tests/launcher/stage.sh
source tests/launcher/stage.sh

expect 0 "usage: ./paddock model" ./paddock model --help
expect 2 "not '--fast'" ./paddock model --fast
expect 2 "not 'range_lock'" ./paddock model range_lock
for jobs in 0 -1 65 100 many ''; do
  expect 2 "--jobs must be a whole number from 1 to 64, not '$jobs'" ./paddock model --jobs="$jobs"
done

# Every variant of every model is listed as one that must be caught, and no other is.
grep -ohE 'BROKEN_[A-Z_]+' docs/model/*.pml | sort -u > "$work/variants"
sed -nE 's/^broken .*-D(BROKEN_[A-Z_]+).*/\1/p' docs/model/configurations | sort -u > "$work/listed"
diff "$work/variants" "$work/listed" || fail "the models and docs/model/configurations differ"
[[ -s $work/variants ]] || fail "the models have no broken variants"
for model in docs/model/*.pml; do
  name=$(basename "$model" .pml)
  [[ $name == common ]] || grep -qE "^short +$name +" docs/model/configurations ||
    fail "no configuration of $name is always checked"
done

# Configurations of the test's own. The checker that `gcc` makes says what the definitions ask for.
stub spin << 'END'
if [[ $1 == -a ]]; then
  echo "// ${*:2}" > pan.c
elif [[ $1 == -t ]]; then
  echo "the trace"
fi
END
stub gcc << 'END'
cat > pan << 'PAN'
#!/bin/bash
case $(< pan.c) in
  *DEADLOCK*) : > lock.pml.trail; echo "pan:1: invalid end state (at depth 7)"; errors=1 ;;
  *CLASH*) echo "pan:1: assertion violated (exclusion||(owners==1)) (at depth 7)"; errors=1 ;;
  *LOOP*) echo "pan:1: non-progress cycle (at depth 7)"; errors=1 ;;
  *DEEP*) echo "error: max search depth too small"; errors=0 ;;
  *DIES*) kill -SEGV $$ ;;
  *) errors=0 ;;
esac
echo "State-vector 40 byte, depth reached 71, errors: $errors"
echo "    36879 states, stored"
PAN
chmod +x pan
END
configurations() {
  cat > docs/model/configurations
}

configurations << 'END'
# A comment.

short  lock  holds      -DTHREADS=2
short  lock  progress
full   lock  holds      -DTHREADS=9
broken lock  exclusion  -DBROKEN_CLASH
broken lock  end        -DBROKEN_DEADLOCK
broken lock  cycle      -DBROKEN_LOOP
END
expect 0 "5 configurations of the models, 2 at a time" ./paddock model --jobs=2
expect_last_line "5 as expected, 0 not"
expect_line 'lock +THREADS=2 +36879 +71  holds .*'
expect_line 'lock +BROKEN_CLASH +36879 +71  exclusion .*'
expect_call '^spin -a -DTHREADS=2 lock\.pml$'
expect_call '^gcc .*-DSAFETY'
expect_call '^gcc .*-DNP '
refuse_call 'THREADS=9'
expect 0 "6 configurations" ./paddock model --full --jobs=1
expect_last_line "6 as expected, 0 not"

# A variant that nothing catches, or another property than the one that is to.
configurations <<< 'broken lock  end  -DBROKEN_HARMLESS'
expect 1 "FAILED: wanted end" ./paddock model
expect_last_line "0 as expected, 1 not"
configurations <<< 'broken lock  end  -DBROKEN_CLASH'
expect 1 "FAILED: wanted end" ./paddock model

# A model that does not hold, with the end of its trace; a search that did not finish; a crash.
configurations <<< 'short  lock  holds  -DDEADLOCK'
expect 1 "the trace" ./paddock model
expect_line 'lock +DEADLOCK .* end .*FAILED: wanted holds'
configurations <<< 'short  lock  holds  -DDEEP'
expect 1 "incomplete" ./paddock model
configurations <<< 'short  lock  holds  -DDIES'
expect 1 "nothing" ./paddock model
configurations < /dev/null
expect 1 "0 as expected, 0 not" ./paddock model

# The environment.
configurations <<< 'short  lock  holds'
stub gcc <<< 'echo "no space left"; exit 1'
expect 3 "no space left" ./paddock model
stub spin <<< 'echo "syntax error"; exit 1'
expect 3 "cannot be built" ./paddock model
rm "$installed/spin"
expect 3 "cannot install: spin" ./paddock model
rm "$tools/apt-get" "$tools/spin" "$tools/gcc"
for tool in bash dirname env mktemp nproc readlink rm; do
  ln -s "/usr/bin/$tool" "$tools/$tool"
done
expect 3 "no apt-get. Install these first: gcc spin" env PATH="$tools" ./paddock model

finish
