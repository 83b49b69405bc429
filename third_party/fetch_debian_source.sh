#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# fetch_debian_source.sh PACKAGE UPSTREAM_VERSION DESTINATION [ENTRY...]
#
# Unpacks a Debian source package, with Debian's patches, into DESTINATION (only the
# top-level ENTRYs, when some are given). Any Debian revision of UPSTREAM_VERSION will do; another
# upstream version will not, and is refused. Downloads are kept under $PADDOCK_CACHE/src
# (~/.cache/paddock/src) and made through an apt state of their own: the machine's configuration is
# read, never changed.
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

# private_apt TOOL ARGUMENT...
private_apt() {
  local tool=$1
  shift
  "$tool" -q \
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
  private_apt apt-get update >&2 || true
}

# Prints the newest revision of the wanted version among the versions on standard input.
choose_revision() {
  local offered
  while read -r offered; do
    if [[ ${offered#*:} == "$version" || ${offered#*:} == "$version"[-+]* ]]; then
      echo "$offered"
    fi
  done | sort -V | tail -n 1
}

download() {
  local partial=$package_dir.partial offered revision
  rm -rf "$partial"
  mkdir -p "$partial"
  cd "$partial"
  update_lists
  offered=$(private_apt apt-cache showsrc --only-source "$package" |
    sed -n 's/^Version: //p' | sort -u) || true
  revision=$(choose_revision <<< "$offered")
  if [[ -z $revision ]]; then
    offered=${offered:-nothing}
    die "$package: version $version is wanted, but this machine's package sources offer" \
      "${offered//$'\n'/, }"
  fi
  private_apt apt-get source --only-source --download-only "$package=$revision" >&2 ||
    die "cannot download $package $revision"
  mv "$partial" "$package_dir"
}

unpack() {
  local unpacked=$destination/.unpacked entry
  rm -rf "$unpacked"
  if ! dpkg-source --no-copy -x "$package_dir"/*.dsc "$unpacked" >&2; then
    rm -rf "$unpacked"
    die "cannot unpack $package; if its download is damaged, remove $package_dir"
  fi
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
if [[ ! -d $package_dir ]]; then
  (download)
fi
flock -u 9
unpack
