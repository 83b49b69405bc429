#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# How .ci/run adds up its parts, and that no script and no source escapes its checks.

# shellcheck source=tests/launcher/stage.sh
source tests/launcher/stage.sh

# Its parts in a checkout of their own, each replaced.
stub git << 'END'
[[ " $* " == *" ls-files "* ]] || exit 1
case " $* " in
  *.cc*) printf 'core/a.cc\0' ;;
  *) printf '%s\0' core/a.cc notes.md tool library.sh 'folder/a script' ;;
esac
END
for tool in clang-format-19 shellcheck bazel; do
  stub "$tool" < /dev/null
done
for package in clang-format-19 clang-tidy-19 git shellcheck; do
  : > "$installed/$package"
done
mkdir core folder
echo '// code' > core/a.cc
printf 'Text.\n\n#!/bin/bash\n' > notes.md
printf '#!/bin/sh\n' > tool
printf '# A licence.\n# shellcheck shell=bash\n' > library.sh
printf '#!/usr/bin/env bash\n' > 'folder/a script'

cat > tools/tidy << 'END'
#!/bin/bash
echo "tidy $*" >> "$calls"
END

# A launcher whose tests end as the standard input says.
paddock() {
  {
    cat << 'END'
#!/bin/bash
for argument in "$@"; do
  case $argument in --json=*) echo '"verdict": "pass"' > "${argument#*=}" ;; esac
done
END
    cat
  } > paddock
}

paddock << 'END'
echo "5 passed, 0 failed, 2 skipped"
END
expect 0 "" .ci/run
expect_line 'tests \(opt\) +[0-9]+ s   5 passed, 0 failed, 2 skipped'
expect_line 'format +[0-9]+ s   1 passed, 0 failed'
expect_last_line "28 passed, 0 failed"
expect_call '^shellcheck -x tool library\.sh folder/a script$'
expect_call '^clang-format-19 .* core/a\.cc$'
expect_call '^tidy //arch/\.\.\. \+ //concurrency/\.\.\. \+ //core/\.\.\.$'
expect 0 "" env PADDOCK_TIDY_TARGETS=//... .ci/run
expect_call '^tidy //\.\.\.$'

paddock << 'END'
if [[ $* == "test --config=asan" ]]; then echo "4 passed, 1 failed"; exit 1; fi
echo "5 passed, 0 failed"
END
expect 1 "=== tests (asan, contracts) FAILED" .ci/run
expect_last_line "27 passed, 1 failed"

# A part that ends without a word, or with another status than its words.
paddock <<< 'exit 3'
expect 1 "=== tests (opt) FAILED" .ci/run
expect_line 'tests \(opt\) +[0-9]+ s   0 passed, 1 failed'
expect_last_line "5 passed, 7 failed"
paddock << 'END'
echo "5 passed, 0 failed"
[[ $1 != tsan ]]
END
expect 1 "=== tests and stress (tsan) FAILED" .ci/run
expect_line 'tests and stress \(tsan\) +[0-9]+ s   5 passed, 1 failed'

# A check that reads nothing has checked nothing.
paddock <<< 'echo "5 passed, 0 failed"'
stub git < /dev/null
expect 1 "=== scripts FAILED" .ci/run
expect 1 "=== format FAILED" .ci/run
stub git << 'END'
echo "fatal: not a git repository" >&2
exit 128
END
expect 1 "fatal: not a git repository" .ci/run
expect_last_line "26 passed, 2 failed"

finish
