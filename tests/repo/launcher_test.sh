#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What ./paddock refuses, and what it says about itself.
set -uo pipefail

failures=0

# expect STATUS TEXT COMMAND...: the exit status, and a text that the output must hold.
expect() {
  local wanted=$1 text=$2 output status=0
  shift 2
  output=$("$@" 2>&1) || status=$?
  if ((status != wanted)) || [[ $output != *"$text"* ]]; then
    echo "$*: wanted status $wanted and '$text', got status $status and: $output"
    failures=$((failures + 1))
  fi
}

expect 0 "usage: ./paddock COMMAND" ./paddock help
expect 2 "no command given" ./paddock
expect 2 "no command 'frobnicate'" ./paddock frobnicate
expect 2 "Commands: stress, test, tsan, bench, doctor, help" ./paddock frobnicate
expect 2 "doctor takes no flags" ./paddock doctor --all
expect 0 "cores" ./paddock doctor
expect 2 "PADDOCK_TSAN_SECONDS" env PADDOCK_TSAN_SECONDS=soon ./paddock tsan

((failures == 0))
