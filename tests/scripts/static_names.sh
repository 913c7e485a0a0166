#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Global symbols of the static libraries, which could collide with an application's: libpeft-io.a defines only the
# functions of its headers; libpeft.a only names that begin with peft_, pf_ or pk_.
#   static_names.sh LIBPEFT LIBPEFT_IO
#   static_names.sh --self-test [CC]     a library with other symbols must be refused
set -eu
export LC_ALL=C
scripts=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

names() { nm -g --defined-only "$1" | awk 'NF == 3 { print $3 }' | sort -u; }

check() {
    bad=0
    names "$1" > "$work/core"
    if grep -vE '^(peft|pf|pk)_' "$work/core"; then
        echo "static_names.sh: $1 defines these symbols, expected names that begin with peft_, pf_ or pk_"
        bad=1
    fi
    names "$2" > "$work/io"
    "$scripts/exports.sh" --names io > "$work/declared"
    if ! diff -u "$work/declared" "$work/io"; then
        echo "static_names.sh: $2 defines other global symbols than its headers (lines with +)"
        bad=1
    fi
    echo "static_names.sh: $(wc -l < "$work/core") and $(wc -l < "$work/io") names"
    return $bad
}

if [ "$1" = --self-test ]; then
    {
        echo 'int io_fail(void); int io_fail(void) { return 1; }'
        echo 'int counter = 1; int tentative[4]; const char words[] = "a"; _Thread_local int depth;'
        echo '__attribute__((weak)) int hook(void); int hook(void) { return 0; }'
    } > "$work/bad.c"
    "${2:-cc}" -w -c "$work/bad.c" -o "$work/bad.o"
    ar rc "$work/bad.a" "$work/bad.o"
    if check "$work/bad.a" "$work/bad.a" > "$work/log"; then exit 1; fi
    for line in "^io_fail" "^counter" "^tentative" "^words" "^depth" "^hook" "bad.a defines these symbols" "^+io_fail" \
        "^+counter" "^+hook" "defines other global symbols"; do
        grep -q "$line" "$work/log" || { echo "static_names.sh: not reported: $line"; exit 1; }
    done
else
    check "$@"
fi
