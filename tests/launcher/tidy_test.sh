#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tools/tidy is silent only if clang-tidy ran and had nothing to say.

# shellcheck source=tests/launcher/stage.sh
source tests/launcher/stage.sh

mkdir -p "$work/base/execroot/paddock/bazel-out" "$work/base/external" core tests
: > .clang-tidy
: > core/a.cc
: > tests/b.cc

# Bazel quotes arguments for a shell.
for source in core/a.cc tests/b.cc; do
  cat << END
  Command Line: (exec clang \\
    '-DNAME="two words"' \\
    -c \\
    $source \\
    -o \\
    $source.o)
END
done > "$work/actions"
stub bazel << 'END'
case " $* " in
  *" info "*) echo "$work/base/execroot/paddock" ;;
  *" aquery "*) cat "$work/actions" ;;
esac
END

stub clang-tidy-19 << 'END'
printf '[%s]' "$@" >> "$work/arguments"
echo "10 warnings generated." >&2
END
expect 0 "tidy: 2 sources checked" tools/tidy //core/...
expect_call '^clang-tidy-19 .*core/a\.cc -- '
expect_call '^clang-tidy-19 .*tests/b\.cc -- '
[[ $(< "$output") == "tidy: 2 sources checked" ]] || fail "more is said: $(< "$output")"
grep -qF '[-DNAME="two words"]' "$work/arguments" || fail "arguments: $(< "$work/arguments")"

stub clang-tidy-19 << 'END'
[[ " $* " == *" core/a.cc "* ]] || exit 0
echo "$PWD/core/a.h:3:1: error: a finding [some-check]"
echo "1 warning generated." >&2
exit 1
END
expect 1 "core/a.h:3:1: error: a finding [some-check]" tools/tidy //core/...
! grep -E "$PWD|generated" "$output" || fail "the line above was not to be shown"

# What happened is shown when clang-tidy does not get as far as a finding.
stub clang-tidy-19 << 'END'
[[ " $* " == *" core/a.cc "* ]] || exit 0
echo "PLEASE submit a bug report" >&2
exit 139
END
expect 1 "PLEASE submit a bug report" tools/tidy //core/...
expect 1 "clang-tidy exited with status 139 for core/a.cc" tools/tidy //core/...

ln -s /usr/bin/* "$tools/" 2> /dev/null
rm -f "$tools"/clang-tidy*
expect 3 "there is no clang-tidy-19" env PATH="$tools" tools/tidy //core/...

stub bazel << 'END'
echo "ERROR: no such package 'nowhere'" >&2
exit 7
END
stub clang-tidy-19 < /dev/null
expect 3 "no such package 'nowhere'" tools/tidy //nowhere/...
expect 3 "bazel aquery of '//nowhere/...' failed" tools/tidy //nowhere/...
stub bazel < /dev/null
expect 1 "tidy: no sources found for: //core/..." tools/tidy //core/...

finish
