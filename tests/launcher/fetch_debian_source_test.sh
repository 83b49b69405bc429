#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Which revision of a Debian source package is fetched, and what is said when there is none.

# shellcheck source=tests/launcher/stage.sh
source tests/launcher/stage.sh

export PADDOCK_CACHE=$work/cache
mkdir "$work/unpacked"

# offer VERSION...: what the machine's package sources have.
offer() {
  printf 'Package: sheep\nVersion: %s\n\n' "$@" > "$work/offered"
  : > "$calls"
}

# shellcheck disable=SC2317  # expect calls it.
fetch() {
  third_party/fetch_debian_source.sh sheep 1.2 "$work/unpacked" "$@"
}

stub apt-cache << 'END'
cat "$work/offered"
END
stub apt-get << 'END'
if [[ " $* " == *" source "* ]]; then
  if [[ -e $work/offline ]]; then echo "E: Failed to fetch sheep"; exit 100; fi
  version=${@:$#}
  : > "sheep_${version#*=}.dsc"
fi
END
stub dpkg-source << 'END'
mkdir "${@:$#}" && cd "${@:$#}" && mkdir debian src && echo text > LICENSE && echo code > src/a.c
[[ ! -e $work/damaged ]] || { echo "dpkg-source: error: damaged"; exit 25; }
END

# Packages of other releases stand beside the wanted one; the newest revision of it is taken.
offer 1.20-1 1.2+dfsg-1 1.2+dfsg-3 1.2+dfsg-10 1.2~rc1-1 1.3-1 2:1.1-1
expect 0 "" fetch
expect_call '^apt-get .* source --only-source --download-only sheep=1\.2\+dfsg-10$'
[[ $(ls -A "$work/unpacked") == $'LICENSE\nsrc' ]] || fail "unpacked: $(ls -A "$work/unpacked")"

# A download is kept; an entry of it can be asked for alone.
rm -rf "$work/unpacked"/*
offer 9.9-1
expect 0 "" fetch LICENSE
refuse_call '^apt-get '
[[ $(ls -A "$work/unpacked") == LICENSE ]] || fail "unpacked: $(ls -A "$work/unpacked")"

: > "$work/damaged"
expect 1 "if its download is damaged, remove $work/cache/src/sheep-1.2" fetch
[[ $(ls -A "$work/unpacked") == LICENSE ]] || fail "a failure left $(ls -A "$work/unpacked")"

# An epoch is no part of the upstream version.
rm -rf "$work/cache"
rm "$work/damaged"
rm -rf "$work/unpacked"/*
offer 1:1.2-1
expect 0 "" fetch
expect_call ' sheep=1:1\.2-1$'

rm -rf "$work/cache"
offer 1.1-1 1.20-1
expect 1 "sheep: version 1.2 is wanted, but this machine's package sources offer 1.1-1, 1.20-1" fetch
: > "$work/offered"
expect 1 "sources offer nothing" fetch
offer 1.2-1
: > "$work/offline"
expect 1 "cannot download sheep 1.2-1" fetch
expect 1 "E: Failed to fetch sheep" fetch

finish
