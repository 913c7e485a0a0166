#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Limits of folders ("rooms") and files: at most 15 files in a folder of src, include, tests or examples (except
# src/methods with one file a method and include/peft with one header a module), at most 400 lines in a source file, a
# median of at most 150 lines in src, and at most 120 columns in sources of C, C++ headers and the Python package.
#   rooms.sh [ROOT]      checks the tree
#   rooms.sh --self-test checks that a folder, a file, a median and a line that are too large are reported
set -eu
export LC_ALL=C
project=$(cd "$(dirname "$0")/../.." && pwd)

check() {
    (cd "$1" && {
        find src tests include examples -type f -name '*.*' | sort | awk '
        { folder = $0; sub(/\/[^\/]*$/, "", folder); files[folder]++ }
        END {
            delete files["src/methods"]
            delete files["include/peft"]
            for (f in files)
                if (files[f] > 15) { printf "%s: %d files, at most 15\n", f, files[f]; failed = 1 }
            exit failed
        }' && find src tests include examples -type f -name '*.[ch]' -exec wc -l {} + | awk '
        $2 != "total" && $1 > 400 { printf "%s: %d lines, at most 400\n", $2, $1; failed = 1 }
        END { exit failed }' && find src tests include examples bindings/python/libpeft -type f \
            \( -name '*.[ch]' -o -name '*.hpp' -o -name '*.py' ! -path 'tests/*' \) -exec awk '
        length > 120 { printf "%s:%d: %d columns, at most 120\n", FILENAME, FNR, length; failed = 1 }
        END { exit failed }' {} + && find src -type f -name '*.[ch]' -exec wc -l {} + | awk '$2 != "total"' | sort -n | awk '
        { lines[NR] = $1 }
        END {
            median = lines[int((NR + 1) / 2)]
            if (median > 150) { printf "src: the median of %d files is %d lines, at most 150\n", NR, median; exit 1 }
        }'
    })
}

must_refuse() {
    if check "$copy" > "$copy/log"; then
        echo "rooms.sh: not refused: $1"
        exit 1
    fi
    grep -q "$2" "$copy/log" || { echo "rooms.sh: expected '$2', got:"; cat "$copy/log"; exit 1; }
}

# Makes $2 files of $3 lines in the folder $1 of the copy, with the extension $4.
fill() {
    mkdir -p "$copy/$1"
    i=0
    while [ $i -lt "$2" ]; do
        yes '/* a line */' | head -n "$3" > "$copy/$1/$i.$4"
        i=$((i + 1))
    done
}

if [ "${1-}" = --self-test ]; then
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    (cd "$project" && cp -r --parents src tests include examples bindings/python/libpeft "$copy")
    check "$copy"
    fill src/io 1 401 c
    must_refuse "a file of 401 lines" '^src/io/0.c: 401 lines, at most 400'
    rm "$copy/src/io/0.c"
    fill tests/full 16 1 sh
    must_refuse "a room of 16 files" '^tests/full: 16 files, at most 15'
    rm -r "$copy/tests/full"
    fill examples/common/full 16 1 h
    must_refuse "a room of 16 files in examples" '^examples/common/full: 16 files, at most 15'
    rm -r "$copy/examples/common/full"
    fill examples/long 1 401 c
    must_refuse "a program of 401 lines" '^examples/long/0.c: 401 lines, at most 400'
    rm -r "$copy/examples/long"
    for file in include/peft/wide.hpp bindings/python/libpeft/wide.py tests/io/wide.c; do
        printf '%121s\n' '// a line' > "$copy/$file"
        must_refuse "a line of 121 columns" "^$file:1: 121 columns, at most 120"
        rm "$copy/$file"
    done
    rm -r "$copy/src"
    fill src/long 8 151 c
    fill src/short 7 20 h
    must_refuse "a median of 151 lines" '^src: the median of 15 files is 151 lines, at most 150'
    fill src/long 7 151 c
    rm "$copy/src/long/7.c"
    check "$copy"
else
    check "${1:-$project}"
fi
