#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The size of rooms and files: no folder of src or tests holds more than fifteen files (src/methods, one file a method,
# excepted), no source file has more than 400 lines.
#   rooms.sh [ROOT]      checks the tree
#   rooms.sh --self-test wants a room and a file that are too large refused
set -eu
export LC_ALL=C
project=$(cd "$(dirname "$0")/../.." && pwd)

check() {
    (cd "$1" && find src tests include -type f \( -name '*.[ch]' -o -name '*.def' \) | sort | awk '
        { folder = $0; sub(/\/[^\/]*$/, "", folder); files[folder]++ }
        END {
            for (f in files)
                if (files[f] > 15 && f != "src/methods") { printf "%s: %d files, at most 15\n", f, files[f]; failed = 1 }
            exit failed
        }' && find src tests include -type f -name '*.[ch]' -exec wc -l {} + | awk '
        $2 != "total" && $1 > 400 { printf "%s: %d lines, at most 400\n", $2, $1; failed = 1 }
        END { exit failed }')
}

must_refuse() {
    if check "$copy" > /dev/null; then
        echo "rooms.sh: not refused: $1"
        exit 1
    fi
}

if [ "${1-}" = --self-test ]; then
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    cp -r "$project/src" "$project/tests" "$project/include" "$copy"
    check "$copy"
    yes '/* a line */' | head -n 401 > "$copy/src/io/long.c"
    must_refuse "a file of 401 lines"
    rm "$copy/src/io/long.c"
    mkdir "$copy/src/full"
    i=0
    while [ $i -lt 16 ]; do : > "$copy/src/full/$i.c"; i=$((i + 1)); done
    must_refuse "a room of 16 files"
else
    check "${1:-$project}"
fi
