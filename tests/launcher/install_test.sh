#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# How ./paddock installs packages: what it waits for, and what it says when it cannot.

# shellcheck source=tests/launcher/stage.sh
source tests/launcher/stage.sh

stub bazel << 'END'
case " $* " in *" info "*) echo "$work/bin" ;; esac
END
mkdir -p "$work/bin/stress"
printf '#!/bin/bash\necho harness\n' > "$work/bin/stress/paddock_stress"
chmod +x "$work/bin/stress/paddock_stress"

stub sleep < /dev/null

# A fresh apt-get, which runs the standard input and then installs what it is asked to; zip is
# missing.
apt() {
  {
    cat
    cat << 'END'
if [[ " $* " == *" install "* ]]; then
  for package in "${@:$#}"; do : > "$installed/$package"; done
fi
END
  } | stub apt-get
  rm -f "$installed/zip"
  : > "$calls"
}

# Nothing is missing: apt-get is not called.
expect 0 "harness" ./paddock stress
refuse_call '^apt-get '

apt < /dev/null
expect 0 "installing with apt-get (this can take minutes): zip" ./paddock stress
expect_call '^apt-get -qq update$'
expect_call '^apt-get -qq install .*--no-install-recommends zip$'

# One broken package source makes `update` fail, and need not matter.
apt << 'END'
if [[ $2 == update ]]; then echo "E: The repository has no Release file."; exit 100; fi
END
expect 0 "E: The repository has no Release file." ./paddock stress

# The reason of a failure is shown.
apt << 'END'
if [[ $2 != update ]]; then echo "E: Unable to locate package zip"; exit 100; fi
END
expect 3 "E: Unable to locate package zip" ./paddock stress
expect 3 "cannot install: zip" ./paddock stress
refuse_call '^bazel '

# Another package manager holds the locks: those of the lists, then the one of dpkg.
apt << 'END'
lock_free() {
  [[ -e $work/$1 ]] && return
  : > "$work/$1"
  echo "E: Could not get lock /var/lib/$1. It is held by process 7 (apt)"
  exit 100
}
if [[ " $* " == *" update "* ]]; then lock_free lists; else lock_free dpkg; fi
END
expect 0 "waiting for the other package manager, up to 300 s" ./paddock stress
expect_call '^apt-get -qq -o DPkg::Lock::Timeout=300 update$'
expect_call '^apt-get -qq -o DPkg::Lock::Timeout=300 install '

# A lock that cannot be taken, here because it is a folder.
apt < /dev/null
mkdir -p "$work/cache/install.lock"
expect 3 "cannot open $work/cache/install.lock" env PADDOCK_CACHE="$work/cache" ./paddock stress
refuse_call '^apt-get '

# Two at a time: the second waits for the first, and finds everything installed.
mkfifo "$work/first" "$work/go" "$work/second"
apt << 'END'
if [[ $2 != update ]]; then echo started > "$work/first"; read -r < "$work/go"; fi
END
./paddock stress > "$work/first_output" 2>&1 &
first=$!
read -r < "$work/first"
./paddock stress > "$work/second" 2>&1 &
second=$!
exec 7< "$work/second"
read -r line <&7
[[ $line == *"waiting for another ./paddock"* ]] || fail "the second says: $line"
echo go > "$work/go"
wait "$first" || fail "the first failed: $(< "$work/first_output")"
read -r line <&7
[[ $line == harness ]] || fail "the second then says: $line"
wait "$second" || fail "the second failed"
if (($(grep -c '^apt-get .* install ' "$calls") != 1)); then
  fail "not one installation: $(< "$calls")"
fi

# Without apt-get, the launcher names the tools.
rm "$tools/apt-get"
for tool in bash dirname env mktemp readlink rm; do
  ln -s "/usr/bin/$tool" "$tools/$tool"
done
expect 3 "no apt-get. Install these first: clang-19 ld.lld-19 llvm-symbolizer-19 zip" \
  env PATH="$tools" ./paddock stress
expect 3 "on Debian 12 the packages are: bazel-bootstrap" env PATH="$tools" ./paddock test

finish
