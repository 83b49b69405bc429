#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Objects built with two backends of sync.h must not link. Links the same three files twice: with
# one backend for both users, which works, and with two.
#
#   sync_backend_test.sh COMPILER STD_BACKEND USER_OF_STD OTHER_USER_OF_STD OTHER_BACKEND USER_OF_OTHER MAIN
set -euo pipefail

compiler=$1 std=$2 user_of_std=$3 other_user_of_std=$4 other=$5 user_of_other=$6 main=$7
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# link OUTPUT FILE...: the sanitizers' own symbols may be missing, they are not what is tested.
link() {
  "$compiler" -fuse-ld=lld -Wl,--unresolved-symbols=ignore-all -pthread -o "$@" 2>&1
}

if ! output=$(link "$work/one" "$main" "$user_of_std" "$other_user_of_std" "$std" -lstdc++); then
  echo "one backend does not link: $output"
  exit 1
fi

if output=$(link "$work/two" "$main" "$user_of_std" "$user_of_other" "$std" "$other" -lstdc++); then
  echo "two backends in one binary link"
  exit 1
fi
if [[ $output != *duplicate*paddock_has_one_sync_backend* ]]; then
  echo "two backends fail to link for another reason: $output"
  exit 1
fi
