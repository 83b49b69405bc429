#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tools/mutants/list fits the sources, read from the source tree itself: the test's copy of
# WORKSPACE is a link to the one at the root.
set -euo pipefail

root=$(dirname "$(readlink -f WORKSPACE)")
mutants=$("$root/paddock" mutants --list)
count=$(wc -l <<< "$mutants")
if ((count < 40)); then
  echo "the list holds $count mutants, fewer than 40"
  exit 1
fi
