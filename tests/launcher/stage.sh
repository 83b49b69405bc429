# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A stage for the launcher: a checkout that holds its scripts only, and tools that play their part.
#
#   source tests/launcher/stage.sh
#   stub bazel << 'END'         # what `bazel` does from here on; its calls are in the file $calls
#   exit 1
#   END
#   expect 3 "does not build" ./paddock stress
#   finish
#
# Commands run in the checkout, with all packages installed unless a test removes one from
# $installed. Nothing outside the test's folder changes, and there is no network and no root.
set -uo pipefail

work=$(mktemp -d "${TEST_TMPDIR:?}/stage.XXXXXX")
checkout=$work/checkout
tools=$work/tools
installed=$work/installed
calls=$work/calls
output=$work/output
failures=0
mkdir "$tools" "$installed" "$work/home" "$work/tmp" "$checkout"
export work calls installed
export HOME=$work/home TMPDIR=$work/tmp PATH=$tools:/usr/bin:/bin
unset "${!PADDOCK_@}" TSAN_OPTIONS
: > "$calls"
cp -RL --parents paddock .bazelrc .ci docs/model tools/launcher tools/tidy \
  third_party/fetch_debian_source.sh \
  "$checkout"
cd "$checkout" || exit 1

# stub NAME: the program is the standard input, behind a line that records the call.
stub() {
  {
    echo '#!/bin/bash'
    # shellcheck disable=SC2016  # They expand in the stub.
    echo 'echo "${0##*/} $*" >> "$calls"'
    cat
  } > "$tools/$1"
  chmod +x "$tools/$1"
}

fail() {
  echo "$*"
  failures=$((failures + 1))
}

# expect STATUS TEXT COMMAND...: the exit status, and a text that the output must hold.
expect() {
  local wanted=$1 text=$2 status=0
  shift 2
  "$@" > "$output" 2>&1 || status=$?
  if ((status != wanted)) || [[ $(< "$output") != *"$text"* ]]; then
    fail "$*: wanted status $wanted and '$text', got status $status and: $(< "$output")"
  fi
  if compgen -G "$TMPDIR/*" > /dev/null; then
    fail "$*: left behind" "$TMPDIR"/*
    rm -rf "${TMPDIR:?}"/*
  fi
}

# What the last command printed: its last line, which a caller may parse, and a regular expression
# for some line.
expect_last_line() {
  if [[ $(tail -n 1 "$output") != "$1" ]]; then
    fail "wanted '$1' as the last line of: $(< "$output")"
  fi
}

expect_line() {
  grep -qE -- "^$1\$" "$output" || fail "no line '$1' in: $(< "$output")"
}

# expect_call and refuse_call PATTERN: a regular expression for one recorded call.
expect_call() {
  grep -qE -- "$1" "$calls" || fail "no call '$1' among: $(< "$calls")"
}

refuse_call() {
  ! grep -E -- "$1" "$calls" || fail "the call above was not to be made"
}

finish() {
  ((failures == 0))
  exit
}

(
  # shellcheck source=tools/launcher/install.sh
  source tools/launcher/install.sh
  cd "$installed" && touch "${BUILD_PACKAGES[@]}" "${MODEL_PACKAGES[@]}"
)

stub dpkg-query << 'END'
[[ -e $installed/$3 ]] && echo installed
END
stub sudo << 'END'
exec "$@"
END
stub apt-get << 'END'
echo "E: apt-get was not to be called" >&2
exit 100
END
stub bazel << 'END'
echo "bazel was not to be called" >&2
exit 37
END
