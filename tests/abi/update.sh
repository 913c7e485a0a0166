#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the interface of this source tree the baseline: at a release, so that additions since the last one are guarded
# too. Fails if check.sh fails with the old baseline, unless --force is given.
#   update.sh [--force] [CC]
set -eu
force=
if [ "${1-}" = --force ]; then force=1; shift; fi
cc=${1:-gcc}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
baseline=$here/baseline
if [ -z "$force" ] && [ -e "$baseline/version" ]; then "$here/check.sh" "$root" - "$cc"; fi
rm -rf "$baseline"
"$here/probe.sh" "$root" "$baseline" "$cc"
tar -C "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=a+rX,u+w,go-w -cf - include/peft \
    | gzip -9n > "$baseline/headers.tar.gz"
cp "$here/program.c" "$baseline/program.c"
cat "$root"/tests/install/cpp/*.cpp > "$baseline/classes.cpp"
echo "update.sh: the baseline is $(cat "$baseline/version"): $(cat "$baseline"/*.symbols | wc -l) functions"
