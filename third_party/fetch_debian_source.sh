#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# fetch_debian_source.sh PACKAGE UPSTREAM_VERSION DESTINATION [ENTRY...]
#
# Unpacks a Debian source package, with Debian's patches, into DESTINATION (only the
# top-level ENTRYs, when some are given). Downloads are kept under ~/.cache/paddock/src and
# made through an apt state of their own: the machine's configuration is read, never changed.
set -euo pipefail

package=$1
version=$2
destination=$3
shift 3
entries=("$@")

cache=${PADDOCK_CACHE:-${HOME:-/tmp}/.cache/paddock}/src
apt_state=$cache/apt
package_dir=$cache/$package-$version

die() {
  echo "fetch_debian_source: $*" >&2
  exit 1
}

# The machine's own sources, asked for source packages instead of binary ones.
write_source_list() {
  local file
  rm -rf "$apt_state/parts"
  mkdir -p "$apt_state/parts" "$apt_state/lists/partial" "$apt_state/cache/archives/partial"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ -f $file ]] || continue
    sed -nE 's/^deb(-src)?[[:space:]]/deb-src /p' "$file" |
      sort -u > "$apt_state/parts/$(basename "$file" .list).list"
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [[ -f $file ]] || continue
    sed -E 's/^Types:.*/Types: deb-src/' "$file" > "$apt_state/parts/$(basename "$file")"
  done
}

private_apt_get() {
  apt-get -q \
    -o Dir::Etc::SourceList=/dev/null \
    -o Dir::Etc::SourceParts="$apt_state/parts" \
    -o Dir::State::Lists="$apt_state/lists" \
    -o Dir::Cache="$apt_state/cache" \
    -o APT::Sandbox::User="$(id -un)" \
    -o APT::Get::List-Cleanup=false \
    -o Acquire::Retries=3 \
    "$@"
}

# Some of the machine's sources may have no source packages: that alone is no failure.
update_lists() {
  write_source_list
  private_apt_get update >&2 || true
}

download() {
  local partial=$package_dir.partial
  rm -rf "$partial"
  mkdir -p "$partial"
  cd "$partial"
  update_lists
  private_apt_get source --download-only "$package" >&2 || die "cannot download $package"
  compgen -G "$partial/${package}_${version}[-+]*.dsc" > /dev/null ||
    die "$package: version $version is wanted, the package sources offer" ./*.dsc
  mv "$partial" "$package_dir"
}

unpack() {
  local unpacked=$destination/.unpacked entry
  rm -rf "$unpacked"
  dpkg-source --no-copy -x "$package_dir"/*.dsc "$unpacked" >&2
  if ((${#entries[@]} == 0)); then
    rm -rf "$unpacked/.pc" "$unpacked/debian"
    mapfile -t entries < <(ls -A "$unpacked")
  fi
  for entry in "${entries[@]}"; do
    mv "$unpacked/$entry" "$destination/"
  done
  rm -rf "$unpacked"
}

mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9
[[ -d $package_dir ]] || (download)
flock -u 9
unpack
